// Carrying out one effect through the ports. Every effect has an outcome: ok, failed, or unknown
// when its deadline passed or the connection broke; exceptions of drivers become unknown too.
#pragma once
#include "base/time.hpp"
#include "core/controller.hpp"
#include "core/event.hpp"
#include "core/state.hpp"
#include "engine/guard.hpp"
#include "engine/parts.hpp"
#include "engine/preflight.hpp"
#include "ports/journal.hpp"

namespace hitless::engine {

struct EffectContext {
  const ServiceParts* parts = nullptr;
  ports::Journal* journal = nullptr;
  const core::Plan* plan = nullptr;   // the rollout's own; it outlives its effects
  std::vector<core::Backup> backups;  // of the effect's instance, from its preflight
  const RecentPreflights* preflights = nullptr;
  Guard* guard = nullptr;
  core::RolloutClock clock;                   // deadlines are told by it
  DurationMs drain_left_ms = 0;               // until the drain's own deadline
  std::vector<core::InstanceId> quarantined;  // open_incident, finish: left out on purpose
  [[nodiscard]] TimeMs now() const { return clock.at(steady_now_ms()); }
};

Task<core::Outcome> carry_out(EffectContext context, core::Effect effect);

}  // namespace hitless::engine
