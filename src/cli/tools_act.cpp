// plan_apply; and the safe direction: rollout_pause, rollout_abort, kill_switch_engage.
#include <boost/json/array.hpp>

#include "adapters/journal/service_lock.hpp"
#include "agent/tools/schema.hpp"
#include "base/digest.hpp"
#include "cli/applies.hpp"
#include "cli/approvals.hpp"
#include "cli/control.hpp"
#include "cli/freeze.hpp"
#include "cli/kill_switch.hpp"
#include "cli/permission.hpp"
#include "cli/plan_store.hpp"
#include "cli/rollout_session.hpp"
#include "cli/tools.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

constexpr int kLookBack = 1'000;  // rollouts

std::string actor_of(const agent::Caller& caller) {
  return caller.name + " for " + caller.for_whom;
}

// "agent mcp" is how it is named; the journal adds the word itself.
std::string short_name(const agent::Caller& caller) {
  return caller.name.starts_with(kAgentActor) ? caller.name.substr(kAgentActor.size())
                                              : caller.name;
}

// The services that a plan works on or counts on.
std::vector<std::string> services_of(const core::Plan& plan) {
  std::vector<std::string> services{plan.service};
  for (const core::ServiceFloor& floor : plan.floors) services.push_back(floor.service);
  return services;
}

// Whoever runs one holds its lock, and then the new rollout's process says so.
Status nothing_cut_off(const ToolWorld& world, ports::Journal& journal,
                       const std::vector<std::string>& services) {
  for (const ports::RolloutRow& row : cut_off(journal, services)) {
    if (journal::ServiceLock::is_held(state_dir(world.app), row.service)) continue;
    return fail(ErrorCode::refused,
                row.rollout + " (" + row.intent + " of " + row.service + ") was cut off", {},
                "a person ends it first: hitless resume " + row.rollout);
  }
  return {};
}

// The same questions that the rollout's own process asks again, so that the answer comes at once.
Status may_start(const ToolWorld& world, const fleet::Fleet& fleet, ports::Journal& journal,
                 const SavedPlan& saved) {
  if (Status ok = check_kill_switch(state_dir(world.app)); !ok) return ok;
  const fleet::Autonomy autonomy = autonomy_of(fleet, services_of(saved.plan), saved.plan.intent);
  const Needs needs = needs_of(autonomy, true);
  const std::string service = saved.plan.service;
  if (needs == Needs::person)
    return fail(ErrorCode::refused, "the policy of " + service + " leaves running plans to people",
                {},
                "a person runs: hitless " + std::string(core::to_string(saved.plan.intent)) +
                    " --plan " + plan_id_of(saved.plan));
  const TimeMs now = wall_now_ms();
  if (Status ok = check_freeze(fleet, services_of(saved.plan), now); !ok) return ok;
  if (needs == Needs::nothing) {
    if (Status ok = check_windows(fleet, services_of(saved.plan), now); !ok) return ok;
  }
  if (Status ok = nothing_cut_off(world, journal, services_of(saved.plan)); !ok) return ok;
  if (needs == Needs::approval) return check_approval(journal, saved);
  if (wall_now_ms() - saved.saved_at > kPlanValidMs)
    return fail(ErrorCode::refused, "the plan is stale: it is older than 15 minutes", {},
                "plan_create makes a new one");
  return {};
}

std::optional<ports::RolloutRow> row_of(ports::Journal& journal, const std::string& rollout) {
  const auto rows = journal.rollouts(kLookBack);
  if (!rows) return std::nullopt;
  for (const ports::RolloutRow& row : *rows)
    if (row.rollout == rollout) return row;
  return std::nullopt;
}

json::object started(const std::string& rollout, const char* state) {
  return {{"rollout_id", rollout},
          {"state", state},
          {"next", "rollout_get and rollout_events say how it goes"}};
}

Task<Answer> plan_apply(ToolWorld* world, json::object arguments, agent::Caller caller) {
  auto saved = find_plan(world->app, text_of(arguments, "plan_id"));
  if (!saved) co_return tl::unexpected<Error>(saved.error());
  const std::string& rollout = saved->plan.rollout;
  if (text_of(arguments, "plan_hash") != saved->plan.hash)
    co_return fail(ErrorCode::invalid, "plan_hash is not the hash of this plan", {},
                   "take it from plan_create's answer");
  // Before the journal is opened: a slow inventory must not keep it from others.
  auto fleet = co_await world->fleets.get(&world->app, FleetCache::Age::new_read);
  if (!fleet) co_return tl::unexpected<Error>(fleet.error());
  auto journal = open_journal(world->app, true);
  if (!journal) co_return tl::unexpected<Error>(journal.error());
  const std::string key = "apply:" + sha256_hex(text_of(arguments, "idempotency_key"));
  auto known = (*journal)->get_fact(key);
  if (!known) co_return tl::unexpected<Error>(known.error());
  if (!known->empty() && *known != rollout)
    co_return fail(ErrorCode::invalid, "this idempotency_key was used for " + *known);
  if (!known->empty() || row_of(**journal, rollout) || apply_status(world->app, rollout))
    co_return started(rollout, "started_before");
  if (Status ok = may_start(*world, **fleet, **journal, *saved); !ok)
    co_return tl::unexpected<Error>(ok.error());
  // First the key: a crash in between starts nothing twice, and rollout_get says that it is
  // unknown.
  if (Status ok = (*journal)->put_fact(key, rollout); !ok)
    co_return tl::unexpected<Error>(ok.error());
  if (Status ok = (*journal)->close(); !ok) co_return tl::unexpected<Error>(ok.error());
  journal->reset();
  if (Status ok = start_apply(world->app, *saved, short_name(caller)); !ok)
    co_return tl::unexpected<Error>(ok.error());
  co_return started(rollout, "starting");
}

Answer wish(const ToolWorld& world, const std::string& rollout, core::OperatorWish what,
            const agent::Caller& caller, const char* effect) {
  // It still listens while its certificate and notifications are under way.
  auto journal = open_journal(world.app, false);
  const auto row = journal ? row_of(**journal, rollout) : std::nullopt;
  if (row && !row->result.empty())
    return fail(ErrorCode::refused, rollout + " has ended: " + row->result);
  if (Status sent = send_wish(state_dir(world.app), rollout, what, actor_of(caller)); !sent) {
    Error error = sent.error();
    error.help =
        "`hitless status` says what runs; a rollout that was cut off is ended by a person "
        "with `hitless resume` or `hitless abort`";
    return tl::unexpected<Error>(error);
  }
  return json::object{{"rollout_id", rollout}, {"effect", effect}};
}

Task<Answer> rollout_pause(ToolWorld* world, json::object arguments, agent::Caller caller) {
  co_return wish(*world, text_of(arguments, "rollout_id"), core::OperatorWish::pause, caller,
                 "it takes no further instance; what is in work comes back first");
}

Task<Answer> rollout_abort(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::string rollout = text_of(arguments, "rollout_id");
  if (text_of(arguments, "how") == "rollback")
    co_return wish(*world, rollout, core::OperatorWish::abort, caller,
                   "it stops and rolls back what it changed");
  co_return wish(*world, rollout, core::OperatorWish::stop, caller,
                 "the instance in work is finished, then it ends; what is done stays");
}

Task<Answer> engage(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::string folder = state_dir(world->app);
  if (Status ok = engage_kill_switch(folder, actor_of(caller), text_of(arguments, "reason")); !ok)
    co_return tl::unexpected<Error>(ok.error());
  co_return json::object{{"engaged", true},
                         {"by", read_kill_switch(folder).by},
                         {"next", "only a person releases it: hitless kill-switch release"}};
}

constexpr std::string_view kWishOutput = R"({"type":"object","additionalProperties":false,
  "properties":{"rollout_id":{"type":"string"},"effect":{"type":"string"}}})";

agent::Tool apply_tool(ToolWorld* world) {
  return {"plan_apply",
          "Run a plan",
          "Start the rollout of a plan in a process of its own and answer at once. Refused without "
          "the approval that the policy wants, when the plan is stale, or with the kill switch "
          "engaged. The same idempotency_key starts it once.",
          agent::Level::act,
          {false, true, true, true},
          agent::schema_of(R"({"type":"object","additionalProperties":false,
            "required":["plan_id","plan_hash","idempotency_key"],"properties":{
            "plan_id":{"type":"string","minLength":1,"maxLength":32},
            "plan_hash":{"type":"string","minLength":64,"maxLength":64},
            "idempotency_key":{"type":"string","minLength":8,"maxLength":128}}})"),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "rollout_id":{"type":"string"},
            "state":{"type":"string","enum":["starting","started_before"]},
            "next":{"type":"string"}}})"),
          [world](json::object arguments, agent::Caller caller) {
            return plan_apply(world, std::move(arguments), std::move(caller));
          }};
}

}  // namespace

void add_act_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add(apply_tool(world));
  registry.add({"rollout_pause",
                "Pause a rollout",
                "A running rollout takes no further instance. A person resumes it.",
                agent::Level::safe,
                {false, false, true, true},
                agent::schema_of(R"({"type":"object","additionalProperties":false,
                  "required":["rollout_id"],"properties":{
                  "rollout_id":{"type":"string","minLength":1,"maxLength":64}}})"),
                agent::schema_of(kWishOutput),
                [world](json::object arguments, agent::Caller caller) {
                  return rollout_pause(world, std::move(arguments), std::move(caller));
                }});
  registry.add({"rollout_abort",
                "End a rollout early",
                "hold: at the next safe point, what is done stays. rollback: what it changed goes "
                "back, under the capacity floor.",
                agent::Level::safe,
                {false, true, true, true},
                agent::schema_of(R"({"type":"object","additionalProperties":false,
                  "required":["rollout_id","how"],"properties":{
                  "rollout_id":{"type":"string","minLength":1,"maxLength":64},
                  "how":{"type":"string","enum":["hold","rollback"]}}})"),
                agent::schema_of(kWishOutput),
                [world](json::object arguments, agent::Caller caller) {
                  return rollout_abort(world, std::move(arguments), std::move(caller));
                }});
  registry.add({"kill_switch_engage",
                "Engage the kill switch",
                "Every rollout stops at its next safe point and no new one begins, until a person "
                "releases it.",
                agent::Level::safe,
                {false, false, true, false},
                agent::schema_of(R"({"type":"object","additionalProperties":false,
                  "required":["reason"],"properties":{
                  "reason":{"type":"string","minLength":1,"maxLength":500}}})"),
                agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
                  "engaged":{"type":"boolean"},"by":{"type":"string"},"next":{"type":"string"}}})"),
                [world](json::object arguments, agent::Caller caller) {
                  return engage(world, std::move(arguments), std::move(caller));
                }});
}

}  // namespace hitless::cli
