#include "engine/dispatch.hpp"

#include <algorithm>

#include "core/names.hpp"
#include "core/traffic.hpp"
#include "core/verdict.hpp"
#include "engine/config_ops.hpp"
#include "engine/package_ops.hpp"
#include "engine/preflight.hpp"
#include "engine/shared_reading.hpp"
#include "engine/traffic_ops.hpp"
#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

using core::EffectKind;
using core::Outcome;
using core::OutcomeStatus;

constexpr DurationMs kShortestDeadlineMs = 100;

// A refusal or failure is known; what broke off or ran out of time is not.
Outcome outcome_of(const Error& error) {
  Outcome outcome;
  const bool unknown = error.code == ErrorCode::timed_out ||
                       error.code == ErrorCode::transport_lost ||
                       error.code == ErrorCode::unavailable || error.code == ErrorCode::internal;
  outcome.status = unknown ? OutcomeStatus::unknown : OutcomeStatus::failed;
  outcome.detail = describe(error);
  return outcome;
}

Outcome outcome_of(const Status& status) {
  if (!status) return outcome_of(status.error());
  Outcome outcome;
  outcome.status = OutcomeStatus::ok;
  return outcome;
}

bool passes(const PreflightResult& result) {
  return std::ranges::none_of(result.report.checks, [](const core::Check& check) {
    return check.status == core::CheckStatus::fail || check.status == core::CheckStatus::unknown;
  });
}

// The plan's, when it is just made and passed. `apply` has its backups to write.
const PreflightResult* just_done(const EffectContext& context, const core::InstanceId& id) {
  const bool fresh = context.preflights != nullptr &&
                     steady_now_ms() - context.preflights->at <= kPreflightFreshMs;
  if (!fresh || context.plan->intent == core::Intent::apply) return nullptr;
  const auto found = context.preflights->results.find(id);
  if (found == context.preflights->results.end() || !passes(found->second)) return nullptr;
  return &found->second;
}

Task<Outcome> do_preflight(const EffectContext* context, const InstanceParts* instance) {
  PreflightOptions options;
  options.intent = context->plan->intent;
  options.rollout = context->plan->rollout;
  options.planned = context->plan->packages;
  options.without_way_back = context->plan->without_way_back;
  PreflightResult result;
  if (const PreflightResult* recent = just_done(*context, instance->id); recent != nullptr) {
    result = *recent;
  } else {
    result = co_await preflight(context->parts, instance, options);
  }
  Outcome outcome;
  outcome.status = OutcomeStatus::ok;
  const bool needs_more =
      result.action == core::Action::restart && context->plan->action == core::Action::reload;
  if (needs_more && result.report.skip_reason.empty()) {
    result.report.checks.push_back({"Plan still fits", core::CheckStatus::fail,
                                    "this change now needs a restart, the plan says reload",
                                    "make a new plan"});
  }
  outcome.preflight = std::move(result.report);
  co_return outcome;
}

Task<void> look_into(const ServiceParts* parts, const InstanceParts* instance, bool host_count,
                     InstanceReading* out) {
  *out = co_await look_at(parts, instance, host_count);
}

Task<void> identify_into(ports::Service* service, Result<core::ServiceIdentity>* out) {
  *out = co_await service->identity();
}

// The last look before acting: every node read anew, the host's sockets counted, who runs now.
Task<Outcome> confirm_out(const EffectContext* context, const InstanceParts* instance) {
  const bool host_count = context->plan->policy.drain.host_count;
  for (ports::Traffic* pool : context->parts->pools) pool->expire();
  // Asked at the same time: what was seen first must not grow old while the other is asked.
  InstanceReading reading;
  Result<core::ServiceIdentity> identity = fail(ErrorCode::internal, "not asked");
  std::vector<Task<void>> looks;
  looks.push_back(look_into(context->parts, instance, host_count, &reading));
  looks.push_back(identify_into(instance->service, &identity));
  co_await join_all(std::move(looks));
  if (!identity) co_return outcome_of(identity.error());
  const core::TargetReading& mine = reading.mine;
  const auto left = core::in_flight(mine, host_count);
  Outcome outcome;
  outcome.reading = mine;
  outcome.before = std::move(*identity);
  if (mine.state == core::TargetState::out && left == 0) {
    outcome.status = OutcomeStatus::ok;
    outcome.detail = "0 in flight on " +
                     std::to_string(reading.all->reports.size() /
                                    std::max<std::size_t>(context->parts->instances.size(), 1)) +
                     " load balancer node(s)" + (host_count ? ", 0 busy sockets on the host" : "");
  } else {
    outcome.status = left ? OutcomeStatus::failed : OutcomeStatus::unknown;
    outcome.detail = "last look: " + std::string(core::to_string(mine.state)) +
                     (left ? ", " + std::to_string(*left) + " in flight" : ", count unknown") +
                     (mine.note.empty() ? "" : " (" + mine.note + ")");
  }
  co_return outcome;
}

Task<Outcome> do_install(const EffectContext* context, const InstanceParts* instance,
                         const core::Effect* effect) {
  if (context->plan->intent == core::Intent::patch) {
    ports::InstallOrder order;
    order.operation_id = effect->id;
    order.deadline_ms = std::max<DurationMs>(effect->deadline - context->now(), 1'000);
    if (context->guard->fences())
      order.fence = {context->parts->name, instance->port, effect->epoch};
    auto installed = co_await install_packages(instance, context->plan->packages, effect->direction,
                                               std::move(order));
    if (!installed) co_return outcome_of(installed.error());
    co_return std::move(*installed);
  }
  std::string note;
  if (effect->direction == core::Direction::backward) {
    WayBack way{context->parts, instance, context->backups, context->plan->files,
                context->plan->rollout};
    auto restored = co_await install_previous(std::move(way), wall_now_ms());
    if (!restored) co_return outcome_of(restored.error());
    note = std::move(*restored);
  } else {
    Status installed = co_await install_new(instance, context->plan->files, context->backups);
    if (!installed) co_return outcome_of(installed);
  }
  // Who runs now has not read it: only who comes after proves anything.
  auto identity = co_await instance->service->identity();
  if (!identity) co_return outcome_of(identity.error());
  Outcome outcome;
  outcome.status = OutcomeStatus::ok;
  outcome.before = std::move(*identity);
  outcome.detail = std::move(note);
  co_return outcome;
}

Task<void> check_into(Guard* guard, core::InstanceId id, Status* out) {
  *out = co_await guard->check(std::move(id));
}

Task<void> arm_into(Guard* guard, Guard::Out what, Status* out) {
  *out = co_await guard->arm(std::move(what));
}

// The timer first: from the moment the load balancer is told, somebody must be able to put it back.
Task<Outcome> do_drain(const EffectContext* context, const InstanceParts* instance) {
  Status ours, armed;
  std::vector<Task<void>> before;
  before.push_back(check_into(context->guard, instance->id, &ours));
  before.push_back(arm_into(context->guard, {instance->id, context->drain_left_ms}, &armed));
  co_await join_all(std::move(before));
  if (!ours) co_return outcome_of(ours);
  if (!armed) {
    Error error = armed.error();
    error.what = "the watchdog could not be armed: " + error.what;
    error.help += " (or set `watchdog: false` in the policy)";
    co_return outcome_of(error);
  }
  co_return outcome_of(co_await drain_everywhere(context->parts, instance->id));
}

Task<Outcome> do_rejoin(const EffectContext* context, const InstanceParts* instance) {
  Status status = co_await rejoin_everywhere(context->parts, instance->id);
  if (status) context->guard->disarm_soon(instance->id);
  co_return outcome_of(status);
}

Task<Outcome> do_act(const EffectContext* context, const InstanceParts* instance,
                     const core::Effect* effect) {
  ports::ActOrder order;
  order.action = effect->action;
  order.operation_id = effect->id;
  order.expected = effect->expected;
  order.deadline_ms = std::max<DurationMs>(effect->deadline - context->now(), 1'000);
  if (context->guard->fences()) order.fence = {context->parts->name, instance->port, effect->epoch};
  auto outcome = co_await instance->service->act(order);
  // A host that was rebooted in its turn has forgotten our claim, and refuses; unlike a claim that
  // somebody else has, that is no reason to leave the instance out.
  const bool refused = outcome && outcome->status == OutcomeStatus::failed;
  if (refused && context->guard->fences() && co_await context->guard->takes_anew(instance->id))
    outcome = co_await instance->service->act(std::move(order));
  if (!outcome) co_return outcome_of(outcome.error());
  co_return std::move(*outcome);
}

Task<void> probe_into(ports::Health* health, core::HealthReading* out) {
  *out = co_await health->probe();
}

// Is it the instance, or something that all depend on? Asks the dependencies, and the instances
// that this rollout has not changed.
Task<Outcome> diagnose(const EffectContext* context, const InstanceParts* instance) {
  std::vector<core::HealthReading> dependencies(context->parts->dependencies.size());
  std::vector<core::HealthReading> peers;
  std::vector<ports::Health*> peer_checks;
  for (const InstanceParts& other : context->parts->instances) {
    if (other.id != instance->id && other.health != nullptr) peer_checks.push_back(other.health);
  }
  peers.resize(peer_checks.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    tasks.push_back(probe_into(context->parts->dependencies[i].check, &dependencies[i]));
  }
  for (std::size_t i = 0; i < peers.size(); ++i)
    tasks.push_back(probe_into(peer_checks[i], &peers[i]));
  co_await join_all(std::move(tasks));
  Outcome outcome;
  outcome.status = OutcomeStatus::ok;
  outcome.diagnosis = core::Diagnosis{};
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    if (dependencies[i].status != core::HealthStatus::fail) continue;
    if (context->parts->dependencies[i].gate) continue;  // our change may be what has moved it
    outcome.diagnosis->dependency_down = context->parts->dependencies[i].name;
    outcome.detail = context->parts->dependencies[i].name + ": " + dependencies[i].evidence;
  }
  outcome.diagnosis->peers_checked = static_cast<std::int64_t>(peers.size());
  for (const core::HealthReading& peer : peers) {
    outcome.diagnosis->peers_failing += peer.status == core::HealthStatus::fail ? 1 : 0;
  }
  co_return outcome;
}

// Would a controller that was paused past its lease do harm here? The host itself fences `act`, and
// `drain` asks while it arms.
bool asks_first(EffectKind kind) {
  return kind == EffectKind::close_remaining || kind == EffectKind::install_config ||
         kind == EffectKind::rejoin;
}

Task<Outcome> on_instance(const EffectContext* context, const InstanceParts* instance,
                          const core::Effect* effect) {
  if (asks_first(effect->kind)) {
    if (Status ours = co_await context->guard->check(instance->id); !ours)
      co_return outcome_of(ours);
  }
  switch (effect->kind) {
    case EffectKind::preflight:
      co_return co_await do_preflight(context, instance);
    case EffectKind::recheck:
      co_return co_await recheck(context->parts, instance);
    case EffectKind::drain:
      co_return co_await do_drain(context, instance);
    case EffectKind::confirm_out:
      co_return co_await confirm_out(context, instance);
    case EffectKind::close_remaining:
      co_return outcome_of(co_await close_remaining_everywhere(context->parts, instance->id));
    case EffectKind::install_config:
      co_return co_await do_install(context, instance, effect);
    case EffectKind::act:
      co_return co_await do_act(context, instance, effect);
    case EffectKind::rejoin:
      co_return co_await do_rejoin(context, instance);
    case EffectKind::diagnose:
      co_return co_await diagnose(context, instance);
    case EffectKind::open_incident:
    case EffectKind::finish:
      break;
  }
  co_return outcome_of(Error{ErrorCode::internal, "not an effect on an instance", {}, {}});
}

Task<Result<Outcome>> route(const EffectContext* context, const core::Effect* effect) {
  if (effect->kind == EffectKind::open_incident || effect->kind == EffectKind::finish) {
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    if (effect->kind == EffectKind::open_incident) {
      auto id = context->journal->next_incident_id();
      if (!id) co_return outcome_of(id.error());
      outcome.incident = *id;
      outcome.detail = effect->reason;
    }
    // What stays out stays out on purpose, with an incident: no timer may undo that.
    for (const core::InstanceId& id : context->quarantined) co_await context->guard->disarm(id);
    if (effect->kind == EffectKind::finish) co_await context->guard->settle();
    co_return outcome;
  }
  const InstanceParts* instance = context->parts->instances.find(effect->instance);
  if (instance == nullptr) {
    co_return outcome_of(
        Error{ErrorCode::internal, "unknown instance " + effect->instance.value, {}, {}});
  }
  co_return co_await on_instance(context, instance, effect);
}

}  // namespace

Task<core::Outcome> carry_out(EffectContext context, core::Effect effect) {
  std::string problem;
  try {
    const DurationMs left = std::max(effect.deadline - context.now(), kShortestDeadlineMs);
    const std::string what(core::to_string(effect.kind));
    auto outcome = co_await with_timeout(route(&context, &effect), left,
                                         what + " of " + effect.instance.value);
    if (!outcome) co_return outcome_of(outcome.error());
    co_return std::move(*outcome);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  co_return outcome_of(Error{ErrorCode::internal, "driver error: " + problem, {}, {}});
}

}  // namespace hitless::engine
