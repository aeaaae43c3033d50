// What drivers of load balancers with several nodes have in common: their name, all nodes at once,
// one outcome of many. Keeps nothing.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "core/types.hpp"
#include "runtime/task.hpp"

namespace hitless::traffic {

// "be_web @ lb-1, lb-2"
[[nodiscard]] inline std::string pool_at(const std::string& pool,
                                         const std::vector<std::string>& nodes) {
  return escape_for_terminal(pool + " @ " + join(nodes, ", "));
}

[[nodiscard]] inline tl::unexpected<Error> not_in_pool(const core::InstanceId& target,
                                                       const std::string& pool) {
  return fail(ErrorCode::not_found, escape_for_terminal(target.value) + " is not in " + pool);
}

// All that went wrong in one error: the first one's code, all the texts.
[[nodiscard]] inline Status first_failure(const std::vector<std::optional<Status>>& outcomes) {
  Status result;
  for (const auto& outcome : outcomes) {
    if (!outcome || *outcome) continue;
    if (result) {
      result = *outcome;
    } else {
      result.error().what += "; " + hitless::describe(outcome->error());
    }
  }
  return result;
}

// The steps side by side, each to its own end.
[[nodiscard]] inline Task<Status> all_steps(std::vector<Task<Status>> steps) {
  const auto keep = [](Task<Status> step, std::optional<Status>* out) -> Task<void> {
    out->emplace(co_await std::move(step));
  };
  std::vector<std::optional<Status>> outcomes(steps.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < steps.size(); ++i)
    tasks.push_back(keep(std::move(steps[i]), &outcomes[i]));
  co_await join_all(std::move(tasks));
  co_return first_failure(outcomes);
}

// The same for what can be read; in the order given.
template <class T>
[[nodiscard]] Task<std::vector<T>> all_of(std::vector<Task<T>> reads) {
  const auto keep = [](Task<T> read, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await std::move(read));
  };
  std::vector<std::optional<T>> slots(reads.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < reads.size(); ++i)
    tasks.push_back(keep(std::move(reads[i]), &slots[i]));
  co_await join_all(std::move(tasks));
  std::vector<T> all;
  for (std::optional<T>& slot : slots) all.push_back(std::move(*slot));
  co_return all;
}

}  // namespace hitless::traffic
