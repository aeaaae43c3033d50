// What can call for a rollout without anybody asking: memory of a unit that grows, restarts that
// are pending after an upgrade, configuration that is not what the fleet file says, a renewed
// certificate that nobody loaded, an alert, a schedule. Pure.
//
// Invariants: each finding is a proposal with its evidence, and a command; what may become of it is
// agent/trigger_cases.hpp. Memory is judged by a fitted slope over many samples of one and the same
// process, never by one sample; too few samples say nothing.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ask.hpp"
#include "base/time.hpp"

namespace hitless::agent {

enum class Trigger { memory_growth, pending_restart, drift, certificate, alert, schedule };
[[nodiscard]] std::string_view to_string(Trigger trigger);

struct Finding {
  Trigger trigger = Trigger::drift;
  std::string rule;        // of the fleet file, for alerts and schedules; else empty
  std::string instance;    // web@web01
  std::string evidence;    // one line
  std::string occurrence;  // tells it from the next of its kind: the process, the alert, the time
  Request proposal;        // wish none: it is only said
};
// "memory_growth", "alert leak"
[[nodiscard]] std::string name_of(const Finding& finding);

struct MemorySample {
  TimeMs at = 0;
  std::int64_t kib = 0;
};

// Of one process: a new one starts anew.
struct MemoryHistory {
  std::string process;  // whatever tells one start from the next
  std::vector<MemorySample> samples;
  void add(const std::string& of_process, MemorySample sample);
};
inline constexpr std::size_t kMaxSamples = 300;

struct Growth {
  double mib_per_hour = 0, r2 = 0;
  double from_mib = 0, to_mib = 0;  // on the fitted line
  DurationMs span_ms = 0;
  std::size_t samples = 0;
};
// Empty: it does not grow, or it is too early to say.
[[nodiscard]] std::optional<Growth> growth(const MemoryHistory& history);
[[nodiscard]] std::string describe(const Growth& growth);

// "NEEDRESTART-SVC: nginx.service" lines of `needrestart -b`.
[[nodiscard]] std::vector<std::string> pending_units(std::string_view needrestart);

// Histories as text, for a file between two looks. What is malformed is left out.
struct NamedHistory {
  std::string instance;
  MemoryHistory history;
};
[[nodiscard]] std::string histories_to_text(const std::vector<NamedHistory>& all);
[[nodiscard]] std::vector<NamedHistory> histories_from_text(std::string_view text);

}  // namespace hitless::agent
