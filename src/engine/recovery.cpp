#include "engine/recovery.hpp"

#include <algorithm>

#include "core/controller.hpp"
#include "engine/traffic_ops.hpp"
#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kZombieMarginMs = 5'000;  // the host kills it at its deadline, and then some
constexpr DurationMs kShortestWaitMs = 2'000;  // to be told at all
constexpr DurationMs kLongestWaitMs = 10 * 60'000;
constexpr DurationMs kRetryMs = 1'000;  // of a host that cannot be asked
constexpr DurationMs kPutBackDeadlineMs = 15'000;

// `wait`: by how long the host itself bounds every act of this rollout, and not by the effect's
// deadline, because the wall clock may have been set between the two controllers.
Task<void> ask_one(const InstanceParts* instance, core::Effect effect, DurationMs wait,
                   std::vector<core::Event>* events) {
  const DurationMs end = steady_now_ms() + wait;
  while (true) {
    const DurationMs left = std::max<DurationMs>(end - steady_now_ms(), kShortestWaitMs);
    auto outcome = co_await with_timeout(instance->service->await_act(effect.id, left),
                                         left + kZombieMarginMs, "asking for " + effect.id);
    if (outcome) events->push_back(core::EffectFinished{effect.id, std::move(*outcome)});
    const bool answered = outcome || outcome.error().code == ErrorCode::not_found;
    if (answered || steady_now_ms() + kRetryMs >= end) co_return;
    co_await sleep_for(kRetryMs);
  }
}

}  // namespace

Task<std::vector<core::Event>> outcomes_left_behind(const ServiceParts* parts, core::State state) {
  const DurationMs wait = std::min(
      std::max(state.plan.policy.verify.deadline_ms, state.plan.install_ms) + kZombieMarginMs,
      kLongestWaitMs);
  std::vector<core::Event> events;
  std::vector<Task<void>> tasks;
  for (const core::Instance& each : state.instances) {
    if (!each.pending) continue;
    const core::EffectKind kind = each.pending->effect.kind;
    const bool installs =
        kind == core::EffectKind::install_config && state.plan.intent == core::Intent::patch;
    if (kind != core::EffectKind::act && !installs) continue;
    const InstanceParts* instance = parts->instances.find(each.plan.id);
    if (instance != nullptr)
      tasks.push_back(ask_one(instance, each.pending->effect, wait, &events));
  }
  co_await join_all(std::move(tasks));
  co_return events;
}

Task<std::vector<core::InstanceId>> put_back_unjournaled(const ServiceParts* parts, Guard* guard,
                                                         core::State state) {
  std::vector<core::InstanceId> back;
  for (const core::InstanceId& id : core::safe_to_put_back(state)) {
    if (Status ours = co_await guard->check(id); !ours) continue;
    auto done = co_await with_timeout(rejoin_everywhere(parts, id), kPutBackDeadlineMs,
                                      "putting back " + id.value);
    if (!done) continue;
    co_await guard->disarm(id);
    back.push_back(id);
  }
  co_return back;
}

}  // namespace hitless::engine
