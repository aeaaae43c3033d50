// decide(): what to do next, from the state alone. Pure: no clock, no chance, no I/O.
//
// records   decisions (phase steps, a halt). The engine journals and applies them, then asks again
//           before it dispatches anything, so that effects are always decided from the latest
//           state.
// effects   to be journaled as intended and then dispatched; given only when there are no records
// watches   what should be observed now, and how often; the engine keeps exactly these running
// wake_at   ask again then at the latest, even if nothing was observed
//
// At most one instance is chosen for its turn per call: the next choice must see this one's intent.
#pragma once
#include <optional>
#include <vector>

#include "core/census.hpp"
#include "core/state.hpp"

namespace hitless::core {

enum class WatchKind { traffic, service, health };

struct Watch {
  WatchKind kind = WatchKind::traffic;
  InstanceId instance;  // empty for traffic, which reads the whole pool at once
  DurationMs interval_ms = 1'000;
  std::vector<InstanceId> host_counts;  // traffic: also count sockets on these hosts
  bool counters = false;                // traffic: request counters matter now, not only states
  Action action = Action::none;         // service: what must be proven
  ServiceIdentity before;               // service: against whom
};

struct Decision {
  std::vector<Event> records;
  std::vector<Effect> effects;
  std::vector<Watch> watches;
  std::optional<TimeMs> wake_at;
};

[[nodiscard]] Decision decide(const State& state, const Census& census, TimeMs now);
[[nodiscard]] inline Decision decide(const State& state, TimeMs now) {
  return decide(state, Census(state), now);
}

}  // namespace hitless::core
