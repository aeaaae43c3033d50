// How often each POST of the prober was executed, as the application says: a retry that ran twice
// hides a loss by doing the work twice.
//
// The application answers GET executions_url with {"executions": {"<id>": times, …}} (more keys are
// ignored); "{prefix}" in the URL becomes the prober's id prefix. The answer is hostile.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::witness {

inline constexpr std::size_t kMaxExecutions = 200'000;
inline constexpr std::size_t kMaxExecutionsBytes = 16u << 20;

struct Executions {
  std::map<std::string, std::int64_t> times;              // by id, over all that answered
  std::map<std::string, std::vector<std::string>> where;  // of those above one: who executed it
  std::vector<std::string> problems;                      // who could not be asked, and why
};

// Adds one application's answer; ids that do not begin with the prefix are left out.
[[nodiscard]] Status add_executions(Executions* all, const std::string& from, std::string_view json,
                                    std::string_view prefix);

struct ExecutionsSource {
  std::string name;  // "web@web01"
  std::string url;
  std::string ca_file;
  bool verify_tls = true;
};
// Asks all, one after the other, each within timeout_ms. Who fails is a problem in the result.
Task<Executions> ask_executions(std::vector<ExecutionsSource> sources, std::string prefix,
                                DurationMs timeout_ms);

}  // namespace hitless::witness
