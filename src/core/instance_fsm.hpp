// One instance's next step within its phase. Each function looks only at facts in the state.
#pragma once
#include <optional>
#include <string>

#include "core/census.hpp"
#include "core/decide.hpp"
#include "core/state.hpp"

namespace hitless::core {

// What one instance wants now: a phase step, an effect, a halt of the rollout, or to be asked
// again.
struct Step {
  std::optional<Advanced> advance;
  std::optional<Effect> effect;  // id, instance, direction are filled in by decide()
  std::optional<TimeMs> wake_at;
};

[[nodiscard]] Step next_step(const State& state, const Census& census, const Instance& instance,
                             TimeMs now);
[[nodiscard]] inline Step next_step(const State& state, const Instance& instance, TimeMs now) {
  return next_step(state, Census(state), instance, now);
}

// Someone else took it out since its preflight: not ours to work on, and not ours to put back.
[[nodiscard]] bool taken_by_someone_else(const Instance& instance);

// The watches that this instance's phase needs (traffic is the rollout's).
void add_watches(const State& state, const Instance& instance, std::vector<Watch>& watches);

// What reload or restart this instance gets next; a rollback of a dead service always restarts.
[[nodiscard]] Action action_for(const State& state, const Instance& instance);

// "247 → 183 → 91 → 12 → 0": first, last and at most six.
[[nodiscard]] std::string render_samples(const std::vector<std::int64_t>& samples);

}  // namespace hitless::core
