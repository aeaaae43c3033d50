// plan_create, plan_simulate: what would happen, and whether it may.
#include <algorithm>
#include <boost/json/array.hpp>

#include "adapters/journal/codec.hpp"
#include "agent/tools/schema.hpp"
#include "cli/approvals.hpp"
#include "cli/freeze.hpp"
#include "cli/hands.hpp"
#include "cli/kill_switch.hpp"
#include "cli/plan_store.hpp"
#include "cli/tools.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "engine/planner.hpp"
#include "runtime/timeout.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

constexpr DurationMs kPlanMs = 90'000;

Task<Result<engine::PlanDraft>> draft_of(ToolWorld* world, Wiring* wiring,
                                         engine::PlanOptions options) {
  if (auto journal = open_journal(world->app, false)) add_left_out(**journal, *wiring);
  auto draft = co_await with_timeout(engine::make_plan(&wiring->parts, std::move(options)), kPlanMs,
                                     "making the plan");
  if (draft) draft->plan.hash = journal::hash_plan(draft->plan);
  co_return draft;
}

std::int64_t serving(const engine::PlanDraft& draft) {
  return std::count_if(draft.instances.begin(), draft.instances.end(),
                       [](const auto& each) { return core::carries_load(each.reading); });
}

std::vector<std::string> touched(const core::Plan& plan) {
  std::vector<std::string> hosts;
  for (const core::InstancePlan& instance : plan.instances)
    if (instance.skip_reason.empty()) hosts.push_back(instance.host);
  return hosts;
}

// Why it would not start now, by the engine's own checks.
std::vector<std::string> blocking(const engine::PlanDraft& draft) {
  std::vector<std::string> reasons;
  if (touched(draft.plan).empty()) {
    reasons.emplace_back("there is nothing to do");
    for (const core::InstancePlan& instance : draft.plan.instances)
      reasons.push_back(instance.id.value + ": " + instance.skip_reason);
    return reasons;
  }
  for (const engine::InstanceDraft& each : draft.instances) {
    if (!each.preflight.report.skip_reason.empty()) continue;
    for (const core::Check& check : each.preflight.report.checks)
      if (check.status == core::CheckStatus::fail || check.status == core::CheckStatus::unknown)
        reasons.push_back(each.id.value + ": " + check.name + ": " + check.evidence);
  }
  if (draft.no_room)
    reasons.push_back("the floor of " + std::to_string(draft.plan.policy.capacity.floor) +
                      " leaves no instance to be taken out now");
  return reasons;
}

json::object blast_radius(const engine::PlanDraft& draft, const Wiring& wiring) {
  const core::Plan& plan = draft.plan;
  const std::vector<std::string> hosts = touched(plan);
  const std::int64_t now = serving(draft);
  const auto at_once =
      std::min<std::int64_t>(plan.policy.capacity.at_once, static_cast<std::int64_t>(hosts.size()));
  return {{"hosts", list_of(hosts)},
          {"of_instances", plan.instances.size()},
          {"services", list_of(wiring.service_names())},
          {"at_once", at_once},
          {"serving_now", now},
          {"lowest_serving", std::max(plan.policy.capacity.floor, now - at_once)},
          {"floor", plan.policy.capacity.floor}};
}

// `tighten` can only narrow what the policy gives.
Result<engine::PlanOptions> options_of(const json::object& arguments, const fleet::Policy& policy) {
  engine::PlanOptions options;
  options.intent = core::intent_named(text_of(arguments, "intent"));
  options.limit = texts_of(arguments, "hosts");
  const json::value* tighten = arguments.if_contains("tighten");
  if (tighten == nullptr) return options;
  const std::int64_t at_once = number_of(tighten->as_object(), "at_once", 0);
  if (at_once > policy.at_once)
    return fail(ErrorCode::invalid, "tighten only narrows: the policy gives " +
                                        std::to_string(policy.at_once) + " at once");
  if (at_once > 0) options.at_once = at_once;
  return options;
}

struct Verdict {
  std::string word;  // auto, needs_approval, denied
  std::string next;
  std::vector<std::string> deny_reasons;
};

Verdict verdict_of(const ToolWorld& world, const engine::PlanDraft& draft, const Reached& reached,
                   fleet::Autonomy autonomy) {
  Verdict verdict;
  const std::vector<std::string> services = reached.wiring->service_names();
  const TimeMs now = wall_now_ms();
  if (Status ok = check_freeze(*reached.fleet, services, now); !ok)
    verdict.deny_reasons.push_back(ok.error().what);
  if (needs_of(autonomy, true) == Needs::nothing) {
    if (Status ok = check_windows(*reached.fleet, services, now); !ok)
      verdict.deny_reasons.push_back(ok.error().what);
  }
  if (Status ok = check_kill_switch(state_dir(world.app)); !ok)
    verdict.deny_reasons.push_back(ok.error().what);
  if (autonomy == fleet::Autonomy::observe)
    verdict.deny_reasons.emplace_back("the policy lets agents only look (autonomy: observe)");
  for (std::string& reason : blocking(draft)) verdict.deny_reasons.push_back(std::move(reason));
  if (!verdict.deny_reasons.empty()) {
    verdict.word = "denied";
    verdict.next = "mend the cause; nothing was touched and no plan was kept";
    return verdict;
  }
  const std::string id = plan_id_of(draft.plan);
  switch (needs_of(autonomy, true)) {
    case Needs::nothing:
      return {"auto", "plan_apply", {}};
    case Needs::approval:
      return {"needs_approval", "a person runs: hitless approve " + id + ", then plan_apply", {}};
    case Needs::person:
      break;
  }
  return {
      "needs_approval",
      "a person runs: hitless " + std::string(core::to_string(draft.plan.intent)) + " --plan " + id,
      {}};
}

json::object created(const engine::PlanDraft& draft, const Verdict& verdict, const Wiring& wiring,
                     TimeMs now) {
  const bool denied = verdict.word == "denied";
  const DurationMs valid = verdict.word == "auto" ? kPlanValidMs : kAwaitingApprovalMs;
  return {{"plan_id", denied ? "" : plan_id_of(draft.plan)},
          {"plan_hash", denied ? "" : draft.plan.hash},
          {"verdict", verdict.word},
          {"approvals_needed", verdict.word == "needs_approval" ? 1 : 0},
          {"deny_reasons", list_of(verdict.deny_reasons)},
          {"change", draft.plan.change_summary},
          {"action", core::to_string(draft.plan.action)},
          {"blast_radius", blast_radius(draft, wiring)},
          {"expires_at", denied ? "" : format_timestamp(now + valid)},
          {"next", verdict.next}};
}

// First who asked for it: a plan that nobody asked for cannot be approved.
Status keep(const App& app, const SavedPlan& saved) {
  auto journal = open_journal(app, true);
  if (!journal) return tl::unexpected<Error>(journal.error());
  if (Status ok = note_proposal(**journal, saved); !ok) return ok;
  if (Status ok = (*journal)->close(); !ok) return ok;
  return keep_plan(app, saved);
}

Task<Answer> plan_create(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::vector<std::string> evidence = texts_of(arguments, "evidence_ids");
  if (Status ok = check_evidence_ids(*world, evidence); !ok)
    co_return tl::unexpected<Error>(ok.error());
  const std::string service = text_of(arguments, "service");
  const core::Intent intent = core::intent_named(text_of(arguments, "intent"));
  auto reached = co_await reach(world, service, intent, FleetCache::Age::new_read);
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  auto options = options_of(arguments, reached->fleet->service(service)->policy);
  if (!options) co_return tl::unexpected<Error>(options.error());
  auto draft = co_await draft_of(world, reached->wiring.get(), *options);
  if (!draft) co_return tl::unexpected<Error>(draft.error());
  const fleet::Autonomy autonomy =
      autonomy_of(*reached->fleet, reached->wiring->service_names(), intent);
  const Verdict verdict = verdict_of(*world, *draft, *reached, autonomy);
  const TimeMs now = wall_now_ms();
  if (verdict.word != "denied") {
    const SavedPlan saved{draft->plan,     draft->fingerprint,           now,     caller.name,
                          caller.for_whom, text_of(arguments, "reason"), evidence};
    if (Status ok = keep(world->app, saved); !ok) co_return tl::unexpected<Error>(ok.error());
  }
  co_return created(*draft, verdict, *reached->wiring, now);
}

json::array steps_of(const core::Plan& plan) {
  json::array steps;
  for (const core::InstancePlan& instance : plan.instances) {
    if (!instance.skip_reason.empty()) continue;
    std::vector<std::string> phases = {"preflight", "drain"};
    if (plan.changes_config) phases.emplace_back("install");
    phases.emplace_back(core::to_string(plan.action));
    for (const char* phase : {"verify", "rejoin", "soak"}) phases.emplace_back(phase);
    steps.push_back(json::object{
        {"instance", instance.id.value}, {"canary", instance.canary}, {"phases", list_of(phases)}});
  }
  return steps;
}

Task<Answer> plan_simulate(ToolWorld* world, json::object arguments) {
  auto saved = find_plan(world->app, text_of(arguments, "plan_id"));
  if (!saved) co_return tl::unexpected<Error>(saved.error());
  auto reached =
      co_await reach(world, saved->plan.service, saved->plan.intent, FleetCache::Age::new_read);
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  auto draft = co_await draft_of(world, reached->wiring.get(), engine::options_of(saved->plan));
  if (!draft) co_return tl::unexpected<Error>(draft.error());
  const std::vector<std::string> moved = engine::what_moved(saved->fingerprint, draft->fingerprint);
  const std::vector<std::string> reasons = blocking(*draft);
  draft->plan = saved->plan;  // what would run is this one, on what is seen now
  co_return json::object{{"plan_id", plan_id_of(saved->plan)},
                         {"stale", !moved.empty()},
                         {"moved", list_of(moved)},
                         {"would_start", moved.empty() && reasons.empty()},
                         {"blocking", list_of(reasons)},
                         {"steps", steps_of(saved->plan)},
                         {"blast_radius", blast_radius(*draft, *reached->wiring)}};
}

#define HITLESS_BLAST_RADIUS \
  R"("blast_radius":{"type":"object","additionalProperties":false,"properties":{
      "hosts":{"type":"array","items":{"type":"string"}},"of_instances":{"type":"integer"},
      "services":{"type":"array","items":{"type":"string"}},"at_once":{"type":"integer"},
      "serving_now":{"type":"integer"},"lowest_serving":{"type":"integer"},
      "floor":{"type":"integer"}}})"

constexpr std::string_view kCreateInput = R"({"type":"object","additionalProperties":false,
  "required":["service","intent","reason"],"properties":{
  "service":{"type":"string","minLength":1,"maxLength":128},
  "intent":{"type":"string","enum":["restart","reload","apply","reboot","patch"]},
  "hosts":{"type":"array","maxItems":200,"items":{"type":"string","minLength":1,"maxLength":253},
    "description":"Only these; without it, all"},
  "reason":{"type":"string","minLength":1,"maxLength":500,"description":"Why, for who approves it"},
  "evidence_ids":{"type":"array","maxItems":40,"items":{"type":"string","maxLength":32}},
  "tighten":{"type":"object","additionalProperties":false,"properties":{
    "at_once":{"type":"integer","minimum":1,"maximum":10000}}}}})";
constexpr std::string_view kCreateOutput = R"({"type":"object","additionalProperties":false,
  "properties":{"plan_id":{"type":"string"},"plan_hash":{"type":"string"},
  "verdict":{"type":"string","enum":["auto","needs_approval","denied"]},
  "approvals_needed":{"type":"integer"},"deny_reasons":{"type":"array","items":{"type":"string"}},
  "change":{"type":"string"},"action":{"type":"string"},"expires_at":{"type":"string"},
  "next":{"type":"string"},)" HITLESS_BLAST_RADIUS "}}";
constexpr std::string_view kSimulateInput = R"({"type":"object","additionalProperties":false,
  "required":["plan_id"],"properties":{"plan_id":{"type":"string","minLength":1,"maxLength":32}}})";
constexpr std::string_view kSimulateOutput = R"({"type":"object","additionalProperties":false,
  "properties":{"plan_id":{"type":"string"},"stale":{"type":"boolean"},
  "moved":{"type":"array","items":{"type":"string"}},"would_start":{"type":"boolean"},
  "blocking":{"type":"array","items":{"type":"string"}},
  "steps":{"type":"array","items":{"type":"object","additionalProperties":false,"properties":{
    "instance":{"type":"string"},"canary":{"type":"boolean"},
    "phases":{"type":"array","items":{"type":"string"}}}}},)" HITLESS_BLAST_RADIUS "}}";
#undef HITLESS_BLAST_RADIUS

}  // namespace

void add_plan_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add({"plan_create",
                "Make a plan",
                "Look at everything that a rollout stands on and keep a plan of it. Touches "
                "nothing. The verdict says whether plan_apply may run it, or what it needs first.",
                agent::Level::propose,
                {false, false, false, true},
                agent::schema_of(kCreateInput),
                agent::schema_of(kCreateOutput),
                [world](json::object arguments, agent::Caller caller) {
                  return plan_create(world, std::move(arguments), std::move(caller));
                }});
  registry.add({"plan_simulate",
                "Try a plan on the present",
                "What the plan would do now, step by step, and what has moved since it was made. "
                "Touches nothing.",
                agent::Level::propose,
                {false, false, true, true},
                agent::schema_of(kSimulateInput),
                agent::schema_of(kSimulateOutput),
                [world](json::object arguments, agent::Caller) {
                  return plan_simulate(world, std::move(arguments));
                }});
}

}  // namespace hitless::cli
