// What the caller told the prober about the rollout: which window it is in, and which instance is
// in which phase since when. Each mark also holds the prober's counts at that moment, so the
// requests of any stretch between two marks are exact.
//
// Pure values and functions. Marks are in the order in which they were told; their times come from
// the prober's clock. After a crash there are none, and no certificate is given.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/event.hpp"

namespace hitless::witness {

enum class Window {
  baseline,  // nothing of ours goes on; what fails here is not ours
  rollout,   // from just before the first instance is touched
  soak,      // after the last one; counts like the rollout
  after,     // over: what is still in flight is judged, nothing more is needed
};
[[nodiscard]] const char* name_of(Window window);

struct Mark {
  TimeMs at_ms = 0;
  std::optional<Window> window;  // set: a window began; otherwise an instance entered a phase
  std::string instance;
  core::PhaseName phase = core::PhaseName::waiting;
  std::int64_t sent = 0, ok = 0, answered_4xx = 0;  // until then
  std::int64_t http_answers = 0;  // below 500, until then: what a load balancer counts as requests
  std::int64_t in_flight = 0;     // at that moment
  std::int64_t arrivals = 0;      // due until then; the number in a POST's id
  std::int64_t longest_gap_ms = 0;  // without a request, since the mark before
};
inline constexpr std::size_t kMaxMarks = 20'000;

// Being taken out, worked on, or watched while it takes traffic again.
[[nodiscard]] bool in_work(core::PhaseName phase);

struct Where {
  std::string instance;
  core::PhaseName phase = core::PhaseName::waiting;
  bool operator==(const Where&) const = default;
};
// The instances in work at that moment, each with its phase.
[[nodiscard]] std::vector<Where> in_work_at(const std::vector<Mark>& marks, TimeMs moment);
// Whether the instance was in work at any time from..to.
[[nodiscard]] bool was_in_work(const std::vector<Mark>& marks, const std::string& instance,
                               TimeMs from, TimeMs to);
struct Span {
  TimeMs from = 0, to = 0;
};
// Each time that the instance was out of rotation on every node with nothing in flight, until it
// was put back. One that came back by any other hand is not among them.
[[nodiscard]] std::vector<Span> drained_spans(const std::vector<Mark>& marks,
                                              const std::string& instance);
// When the window began; empty when it never did.
[[nodiscard]] std::optional<TimeMs> start_of(const std::vector<Mark>& marks, Window window);
[[nodiscard]] Window window_at(const std::vector<Mark>& marks, TimeMs moment);

struct Stretch {
  std::int64_t sent = 0, ok = 0, answered_4xx = 0, http_answers = 0, longest_gap_ms = 0;
};
// Counts of each window; `end` closes the last one.
[[nodiscard]] std::map<Window, Stretch> by_window(const std::vector<Mark>& marks, const Mark& end);
// Requests sent while any instance was in the phase, from the rollout's start on.
[[nodiscard]] std::map<core::PhaseName, std::int64_t> sent_by_phase(const std::vector<Mark>& marks,
                                                                    const Mark& end);
// Requests sent while the instance was in work, for each that ever was.
[[nodiscard]] std::map<std::string, std::int64_t> sent_by_instance(const std::vector<Mark>& marks,
                                                                   const Mark& end);

}  // namespace hitless::witness
