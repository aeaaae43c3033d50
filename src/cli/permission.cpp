#include "cli/permission.hpp"

#include "base/text.hpp"
#include "cli/approvals.hpp"
#include "cli/freeze.hpp"
#include "cli/hands.hpp"
#include "cli/kill_switch.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

constexpr int kLookBack = 200;  // rollouts
constexpr DurationMs kHourMs = 3'600'000;
constexpr std::size_t kMaxFreezeReason = 200;

tl::unexpected<Error> no_approval(const PlannedRun& wanted) {
  const std::string intent(core::to_string(wanted.options.intent));
  return fail(ErrorCode::refused,
              "the policy of " + wanted.service + " wants an approval for " + intent, {},
              "`hitless plan " + wanted.service + " --for " + intent +
                  "`, somebody else runs `hitless approve " + wanted.service +
                  ".plan`, then `hitless " + intent + " --plan " + wanted.service + ".plan`");
}

// Of each service that it works on: a reboot uses up the budgets of all that live on the host.
Status within_budget(RolloutSession& session) {
  for (const std::string& service : session.wiring->service_names()) {
    const fleet::Service* found = session.fleet->service(service);
    const std::int64_t limit = found != nullptr ? found->policy.actions_per_hour : 0;
    if (limit == 0) continue;
    if (agent_actions_of_last_hour(*session.journal, service, wall_now_ms()) < limit) continue;
    return fail(ErrorCode::refused,
                "agents have started " + std::to_string(limit) + " rollouts on " + service +
                    " in the last hour: that is all that its policy gives them",
                {}, "a person can run the plan, or wait (actions_per_hour)");
  }
  return {};
}

// A person may begin something during a freeze, and says why; nobody and nothing else may.
// What the journal then says of it; empty: none holds.
Result<std::string> freeze_note(const RolloutSession& session) {
  const Status free = check_freeze(*session.fleet, session.wiring->service_names(), wall_now_ms());
  if (free) return std::string();
  const Options& options = session.app->options;
  const std::string reason =
      truncate_utf8(escape_for_terminal(redact(trim(options.during_freeze))), kMaxFreezeReason);
  if (!options.agent.empty() || reason.empty()) return tl::unexpected<Error>(free.error());
  return " (during a freeze: " + reason + ")";
}

std::string actor_of(const App& app, const PlannedRun& wanted, const std::string& approver) {
  std::string actor = app.options.agent.empty()
                          ? actor_name()
                          : std::string(kAgentActor) + app.options.agent + " for " +
                                (wanted.saved ? wanted.saved->for_whom : actor_name());
  if (!approver.empty()) actor += " (approved by " + approver + ")";
  return actor;
}

}  // namespace

std::int64_t agent_actions_of_last_hour(ports::Journal& journal, const std::string& service,
                                        TimeMs now) {
  const auto rows = journal.rollouts(kLookBack);
  if (!rows) return kLookBack;  // unknown is never good
  std::int64_t count = 0;
  for (const ports::RolloutRow& row : *rows) {
    if (row.started_at <= now - kHourMs || !row.actor.starts_with(kAgentActor)) continue;
    if (row.service != service) {
      if (!core::works_on_hosts(core::intent_named(row.intent))) continue;
      const auto of_hosts = replay(journal, row.rollout);
      if (of_hosts && !concerns(of_hosts->state.plan, service)) continue;
    }
    ++count;
  }
  // So many in an hour that the rest is not seen.
  const bool more = rows->size() == kLookBack && rows->back().started_at > now - kHourMs;
  return more ? kLookBack : count;
}

Result<Permission> permission_of(RolloutSession& session, const PlannedRun& wanted) {
  const App& app = *session.app;
  if (Status ok = check_kill_switch(state_dir(app)); !ok) return tl::unexpected<Error>(ok.error());
  if (wanted.safe_direction) return Permission{false, actor_of(app, wanted, {})};
  const bool agent = !app.options.agent.empty();
  const fleet::Autonomy autonomy =
      autonomy_of(*session.fleet, session.wiring->service_names(), wanted.options.intent);
  const Needs needs = needs_of(autonomy, agent);
  if (needs == Needs::person)
    return fail(ErrorCode::refused,
                "the policy of " + wanted.service + " (autonomy: " +
                    std::string(name_of(autonomy)) + ") leaves running plans to people",
                {},
                "a person runs `hitless " + std::string(core::to_string(wanted.options.intent)) +
                    " --plan …`");
  const auto note = freeze_note(session);
  if (!note) return tl::unexpected<Error>(note.error());
  if (agent) {
    Status ok = within_budget(session);
    if (ok && needs == Needs::nothing)
      ok = check_windows(*session.fleet, session.wiring->service_names(), wall_now_ms());
    if (!ok) return tl::unexpected<Error>(ok.error());
  }
  if (needs == Needs::nothing) return Permission{false, actor_of(app, wanted, {}) + *note};
  if (!wanted.saved) return no_approval(wanted);
  if (Status ok = check_approval(*session.journal, *wanted.saved); !ok)
    return tl::unexpected<Error>(ok.error());
  const auto approval = find_approval(*session.journal, wanted.saved->plan.hash);
  return Permission{true,
                    actor_of(app, wanted, approval ? approval->approver : std::string()) + *note};
}

}  // namespace hitless::cli
