// fleet_list, service_status, lb_state, policy_explain.
#include <algorithm>
#include <boost/json/array.hpp>

#include "adapters/journal/service_lock.hpp"
#include "agent/tools/schema.hpp"
#include "cli/approvals.hpp"
#include "cli/freeze.hpp"
#include "cli/hands.hpp"
#include "cli/kill_switch.hpp"
#include "cli/permission.hpp"
#include "cli/probing.hpp"
#include "cli/tools.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "engine/traffic_ops.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

constexpr const char* kIntents[] = {"restart", "reload", "apply", "reboot", "patch"};

json::object autonomies(const fleet::Fleet& fleet, const std::string& service) {
  json::object levels;
  for (const char* intent : kIntents)
    levels[intent] = name_of(autonomy_of(fleet, {service}, core::intent_named(intent)));
  return levels;
}

Task<Answer> fleet_list(ToolWorld* world) {
  auto read = co_await world->fleets.get(&world->app);
  if (!read) co_return tl::unexpected<Error>(read.error());
  const fleet::Fleet& fleet = **read;
  json::array services, hosts;
  for (const auto& [name, service] : fleet.services) {
    std::vector<std::string> lbs;
    for (const fleet::PoolRef& pool : service.pools)
      if (std::find(lbs.begin(), lbs.end(), pool.lb) == lbs.end()) lbs.push_back(pool.lb);
    services.push_back(json::object{{"service", name},
                                    {"hosts", list_of(service.hosts)},
                                    {"unit", service.unit},
                                    {"floor", service.policy.floor},
                                    {"load_balancers", list_of(lbs)},
                                    {"has_configuration", !service.config.empty()},
                                    {"autonomy", autonomies(fleet, name)}});
  }
  for (const auto& [name, host] : fleet.hosts)
    hosts.push_back(json::object{{"host", name}, {"zone", host.zone}});
  co_return json::object{{"services", std::move(services)},
                         {"hosts", std::move(hosts)},
                         {"kill_switch", read_kill_switch(state_dir(world->app)).engaged}};
}

json::value count_of(const std::optional<std::int64_t>& count) {
  return count ? json::value(*count) : json::value(nullptr);
}

json::array rollouts_of(const App& app, const Hands& hands) {
  json::array rows;
  for (const ports::RolloutRow& row : hands.unfinished) {
    const bool runs = journal::ServiceLock::is_held(state_dir(app), row.service);
    rows.push_back(
        json::object{{"rollout_id", row.rollout}, {"state", runs ? "running" : "cut_off"}});
  }
  return rows;
}

Task<Answer> service_status(ToolWorld* world, json::object arguments) {
  const std::string name = text_of(arguments, "service");
  auto reached = co_await reach(world, name);
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  const engine::ServiceParts& parts = reached->wiring->parts;
  const engine::FullReading reading = co_await engine::read_traffic(&parts);
  std::vector<core::HealthReading> health(parts.instances.size());
  std::vector<Task<void>> probes;
  for (std::size_t i = 0; i < parts.instances.size(); ++i)
    probes.push_back(probe_into(parts.instances[i].health, &health[i]));
  co_await join_all(std::move(probes));
  Hands hands;
  if (auto journal = open_journal(world->app, false)) hands = find_hands(**journal, name);
  json::array instances;
  std::int64_t serving = 0;
  for (std::size_t i = 0; i < parts.instances.size(); ++i) {
    const core::InstanceId& id = parts.instances[i].id;
    const core::TargetReading& target = reading.merged.at(id);
    const auto hand = hands.out.find(id);
    serving += core::carries_load(target) ? 1 : 0;
    const std::string seen =
        id.value + " " + health_word(health[i].status) + " " + health[i].evidence;
    instances.push_back(json::object{
        {"instance", id.value},
        {"host", parts.instances[i].host_name},
        {"load_balancer_state", core::to_string(target.state)},
        {"in_flight", count_of(target.in_flight)},
        {"note", target.note},
        {"out_by", hand == hands.out.end() ? "" : hand->second.text},
        {"health", health_word(health[i].status)},
        {"health_evidence",
         remember(*world, agent::Source::health, parts.instances[i].host_name, seen)}});
  }
  co_return json::object{{"service", name},
                         {"serving", serving},
                         {"floor", parts.policy.capacity.floor},
                         {"instances", std::move(instances)},
                         {"unfinished_rollouts", rollouts_of(world->app, hands)}};
}

Task<void> counters_into(ports::Traffic* pool, std::vector<ports::PoolCounters>* out) {
  *out = co_await pool->counters();
}

const char* admin_word(core::AdminState state) {
  switch (state) {
    case core::AdminState::ready:
      return "ready";
    case core::AdminState::drain:
      return "drain";
    case core::AdminState::maint:
      return "maint";
    case core::AdminState::absent:
      return "absent";
    case core::AdminState::unknown:
      break;
  }
  return "unknown";
}

const char* check_word(core::LbCheck check) {
  switch (check) {
    case core::LbCheck::pass:
      return "pass";
    case core::LbCheck::fail:
      return "fail";
    case core::LbCheck::none:
      return "none";
    case core::LbCheck::unknown:
      break;
  }
  return "unknown";
}

Task<Answer> lb_state(ToolWorld* world, json::object arguments) {
  auto reached = co_await reach(world, text_of(arguments, "service"));
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  const engine::ServiceParts& parts = reached->wiring->parts;
  const engine::FullReading reading = co_await engine::read_traffic(&parts);
  std::vector<std::vector<ports::PoolCounters>> counters(parts.pools.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < parts.pools.size(); ++i)
    if (parts.pools[i]->has_counters())
      tasks.push_back(counters_into(parts.pools[i], &counters[i]));
  co_await join_all(std::move(tasks));
  json::array targets, pools;
  std::string seen;
  for (const core::TargetReport& report : reading.reports) {
    targets.push_back(json::object{{"instance", report.instance.value},
                                   {"pool", report.pool},
                                   {"node", report.node},
                                   {"admin", admin_word(report.admin)},
                                   {"check", check_word(report.check)},
                                   {"in_flight", count_of(report.in_flight)},
                                   {"requests", count_of(report.requests)},
                                   {"errors", count_of(report.errors)},
                                   {"note", report.note}});
    seen += report.instance.value + " " + report.pool + "@" + report.node + " " +
            admin_word(report.admin) + " check=" + check_word(report.check) + " " + report.note +
            "\n";
  }
  for (std::size_t i = 0; i < parts.pools.size(); ++i) {
    for (const ports::PoolCounters& each : counters[i])
      pools.push_back(json::object{{"pool", parts.pools[i]->describe()},
                                   {"node", each.node},
                                   {"requests", count_of(each.requests)},
                                   {"responses_5xx", count_of(each.responses_5xx)},
                                   {"connect_errors", count_of(each.connect_errors)},
                                   {"response_errors", count_of(each.response_errors)},
                                   {"problem", each.problem}});
  }
  co_return json::object{{"service", parts.name},
                         {"evidence_id", remember(*world, agent::Source::lb_state, {}, seen)},
                         {"targets", std::move(targets)},
                         {"counters", std::move(pools)}};
}

Task<Answer> policy_explain(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::string name = text_of(arguments, "service");
  const core::Intent intent = core::intent_named(text_of(arguments, "intent"));
  auto reached = co_await reach(world, name, intent);
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  const fleet::Policy& policy = reached->fleet->service(name)->policy;
  const fleet::Autonomy level =
      autonomy_of(*reached->fleet, reached->wiring->service_names(), intent);
  const Needs needs = needs_of(level, true);
  json::array limits;
  const auto limit = [&](std::string text) { limits.emplace_back(json::string(text)); };
  const KillSwitch killed = read_kill_switch(state_dir(world->app));
  if (killed.engaged) limit("the kill switch is " + describe(killed));
  if (needs == Needs::approval) limit("a person other than who asks has to approve each plan");
  if (needs == Needs::person) limit("only a person runs plans of this service");
  if (level == fleet::Autonomy::observe) limit("agents make no plans for this service");
  if (caller.allow != agent::Allow::act)
    limit("this connection is --allow " + std::string(to_string(caller.allow)));
  const std::vector<std::string> services = reached->wiring->service_names();
  if (Status ok = check_freeze(*reached->fleet, services, wall_now_ms()); !ok)
    limit(ok.error().what);
  if (Status ok = check_windows(*reached->fleet, services, wall_now_ms());
      !ok && needs == Needs::nothing)
    limit(ok.error().what);
  auto journal = open_journal(world->app, false);
  for (const std::string& each : services) {
    const fleet::Service* service = reached->fleet->service(each);
    if (service == nullptr || service->policy.actions_per_hour == 0) continue;
    const std::int64_t used =
        journal ? agent_actions_of_last_hour(**journal, each, wall_now_ms()) : 0;
    limit("agents have used " + std::to_string(used) + " of " +
          std::to_string(service->policy.actions_per_hour) + " rollouts on " + each +
          " in the last hour");
  }
  co_return json::object{{"service", name},
                         {"intent", core::to_string(intent)},
                         {"autonomy", name_of(level)},
                         {"limits", std::move(limits)},
                         {"floor", policy.floor},
                         {"at_once", policy.at_once},
                         {"max_failures", policy.max_failures},
                         {"canaries", list_of(policy.canaries)}};
}

constexpr std::string_view kService = R"({"type":"object","additionalProperties":false,
  "required":["service"],"properties":{
  "service":{"type":"string","minLength":1,"maxLength":128,"description":"Its name in fleet_list"}}})";

agent::Tool fleet_list_tool(ToolWorld* world) {
  return {"fleet_list",
          "List the fleet",
          "Services, their hosts, capacity floors, load balancers and how far agents may go. From "
          "the fleet file; asks no host.",
          agent::Level::read,
          {true, false, true, false},
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{}})"),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "kill_switch":{"type":"boolean"},
            "hosts":{"type":"array","items":{"type":"object","additionalProperties":false,
              "properties":{"host":{"type":"string"},"zone":{"type":"string"}}}},
            "services":{"type":"array","items":{"type":"object","additionalProperties":false,
              "properties":{"service":{"type":"string"},"unit":{"type":"string"},
              "floor":{"type":"integer"},"has_configuration":{"type":"boolean"},
              "hosts":{"type":"array","items":{"type":"string"}},
              "load_balancers":{"type":"array","items":{"type":"string"}},
              "autonomy":{"type":"object","additionalProperties":false,"properties":{
                "restart":{"type":"string"},"reload":{"type":"string"},"apply":{"type":"string"},
                "reboot":{"type":"string"},"patch":{"type":"string"}}}}}}}})"),
          [world](json::object, agent::Caller) { return fleet_list(world); }};
}

agent::Tool service_status_tool(ToolWorld* world) {
  return {"service_status",
          "Status of a service",
          "What is in rotation and healthy now, what is not and by whose hand, and rollouts that "
          "have not ended. Asks load balancers and health checks.",
          agent::Level::read,
          {true, false, true, true},
          agent::schema_of(kService),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "service":{"type":"string"},"serving":{"type":"integer"},"floor":{"type":"integer"},
            "instances":{"type":"array","items":{"type":"object","additionalProperties":false,
              "properties":{"instance":{"type":"string"},"host":{"type":"string"},
              "load_balancer_state":{"type":"string"},"in_flight":{"type":["integer","null"]},
              "note":{"type":"string"},"out_by":{"type":"string"},
              "health":{"type":"string","enum":["pass","fail","unknown"]},
              "health_evidence":{"type":"string"}}}},
            "unfinished_rollouts":{"type":"array","items":{"type":"object",
              "additionalProperties":false,"properties":{"rollout_id":{"type":"string"},
              "state":{"type":"string","enum":["running","cut_off"]}}}}}})"),
          [world](json::object arguments, agent::Caller) {
            return service_status(world, std::move(arguments));
          }};
}

agent::Tool lb_state_tool(ToolWorld* world) {
  return {"lb_state",
          "What the load balancers say",
          "Each target of a service on each load balancer node, and the counters of its pools.",
          agent::Level::read,
          {true, false, true, true},
          agent::schema_of(kService),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "service":{"type":"string"},"evidence_id":{"type":"string"},
            "targets":{"type":"array","items":{"type":"object","additionalProperties":false,
              "properties":{"instance":{"type":"string"},"pool":{"type":"string"},
              "node":{"type":"string"},"admin":{"type":"string"},"check":{"type":"string"},
              "in_flight":{"type":["integer","null"]},"requests":{"type":["integer","null"]},
              "errors":{"type":["integer","null"]},"note":{"type":"string"}}}},
            "counters":{"type":"array","items":{"type":"object","additionalProperties":false,
              "properties":{"pool":{"type":"string"},"node":{"type":"string"},
              "requests":{"type":["integer","null"]},"responses_5xx":{"type":["integer","null"]},
              "connect_errors":{"type":["integer","null"]},
              "response_errors":{"type":["integer","null"]},"problem":{"type":"string"}}}}}})"),
          [world](json::object arguments, agent::Caller) {
            return lb_state(world, std::move(arguments));
          }};
}

agent::Tool policy_explain_tool(ToolWorld* world) {
  return {"policy_explain",
          "What the policy allows",
          "How far you may go with a service and intent, and what limits it.",
          agent::Level::read,
          {true, false, true, false},
          agent::schema_of(R"({"type":"object","additionalProperties":false,
            "required":["service","intent"],"properties":{
            "service":{"type":"string","minLength":1,"maxLength":128},
            "intent":{"type":"string","enum":["restart","reload","apply","reboot","patch"]}}})"),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "service":{"type":"string"},"intent":{"type":"string"},
            "autonomy":{"type":"string","enum":["unset","observe","propose","approve","auto"]},
            "limits":{"type":"array","items":{"type":"string"}},"floor":{"type":"integer"},
            "at_once":{"type":"integer"},"max_failures":{"type":"integer"},
            "canaries":{"type":"array","items":{"type":"string"}}}})"),
          [world](json::object arguments, agent::Caller caller) {
            return policy_explain(world, std::move(arguments), std::move(caller));
          }};
}

}  // namespace

void add_fleet_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add(fleet_list_tool(world));
  registry.add(service_status_tool(world));
  registry.add(lb_state_tool(world));
  registry.add(policy_explain_tool(world));
}

}  // namespace hitless::cli
