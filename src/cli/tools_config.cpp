// config_diff, config_validate.
#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/tools/schema.hpp"
#include "cli/load.hpp"
#include "cli/narrate.hpp"
#include "cli/tools.hpp"
#include "engine/planner.hpp"
#include "runtime/timeout.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

constexpr DurationMs kPlanMs = 90'000;
constexpr DurationMs kTestMs = 30'000;

// The same change on several hosts is said once.
struct Changes {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;  // diff, hosts
  void add(const std::string& diff, const std::string& host) {
    if (diff.empty()) return;
    for (auto& [text, hosts] : all) {
      if (text != diff) continue;
      hosts.push_back(host);
      return;
    }
    all.push_back({diff, {host}});
  }
};

json::object answer_of(ToolWorld& world, const Changes& changes, const std::string& summary) {
  json::array list;
  for (const auto& [diff, hosts] : changes.all)
    list.push_back(json::object{
        {"hosts", list_of(hosts)},
        {"diff", diff},
        {"evidence_id", remember(world, agent::Source::config_diff, hosts.front(), diff)}});
  return {{"summary", summary}, {"changes", std::move(list)}};
}

Task<Answer> of_rollout(ToolWorld* world, std::string id) {
  auto journal = open_journal(world->app, false);
  if (!journal) co_return tl::unexpected<Error>(journal.error());
  auto found = replay(**journal, id);
  if (!found) co_return tl::unexpected<Error>(found.error());
  Changes changes;
  for (const core::Instance& instance : found->state.instances)
    if (instance.report) changes.add(instance.report->diff, host_part(instance.plan.id));
  co_return answer_of(*world, changes, found->state.plan.change_summary);
}

Task<Answer> of_service(ToolWorld* world, std::string service) {
  auto reached = co_await reach(world, service, core::Intent::apply);
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  engine::PlanOptions options;
  options.intent = core::Intent::apply;
  auto draft = co_await with_timeout(engine::make_plan(&reached->wiring->parts, options), kPlanMs,
                                     "comparing the configuration");
  if (!draft) co_return tl::unexpected<Error>(draft.error());
  Changes changes;
  for (const engine::InstanceDraft& each : draft->instances)
    changes.add(each.preflight.report.diff, host_part(each.id));
  co_return answer_of(*world, changes, draft->plan.change_summary);
}

Task<Answer> config_diff(ToolWorld* world, json::object arguments) {
  const std::string rollout = text_of(arguments, "rollout_id");
  const std::string service = text_of(arguments, "service");
  if (rollout.empty() == service.empty())
    co_return fail(ErrorCode::invalid, "give either service or rollout_id");
  if (!rollout.empty()) co_return co_await of_rollout(world, rollout);
  co_return co_await of_service(world, service);
}

const char* word(core::CheckStatus status) {
  switch (status) {
    case core::CheckStatus::pass:
      return "pass";
    case core::CheckStatus::warn:
      return "warn";
    case core::CheckStatus::fail:
      return "fail";
    case core::CheckStatus::unknown:
      break;
  }
  return "unknown";
}

Task<Result<core::Check>> checked(ports::Service* service, ports::Files files) {
  co_return co_await service->test_config(std::move(files));
}

Task<void> test_into(const engine::InstanceParts* instance, bool with_new,
                     Result<core::Check>* out) {
  ports::Files files;
  if (with_new)
    for (const engine::ConfigFile& file : instance->files) files[file.dest] = file.content;
  *out = co_await with_timeout(checked(instance->service, std::move(files)), kTestMs,
                               "the configuration check");
}

Task<Answer> config_validate(ToolWorld* world, json::object arguments) {
  const bool with_new = text_of(arguments, "which") == "new";
  auto reached = co_await reach(world, text_of(arguments, "service"));
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  const engine::ServiceParts& parts = reached->wiring->parts;
  std::vector<Result<core::Check>> results(parts.instances.size(),
                                           fail(ErrorCode::internal, "not asked"));
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < parts.instances.size(); ++i)
    tasks.push_back(test_into(&parts.instances[i], with_new, &results[i]));
  co_await join_all(std::move(tasks));
  json::array instances;
  for (std::size_t i = 0; i < parts.instances.size(); ++i) {
    const std::string status = results[i] ? word(results[i]->status) : "unknown";
    const std::string said = results[i] ? results[i]->evidence : describe(results[i].error());
    const std::string host = parts.instances[i].host_name;
    instances.push_back(
        json::object{{"host", host},
                     {"status", status},
                     {"evidence", said},
                     {"evidence_id", remember(*world, agent::Source::config_test, host,
                                              (status == "pass" ? "passes: " : "") + said)}});
  }
  co_return json::object{{"service", parts.name}, {"instances", std::move(instances)}};
}

agent::Tool diff_tool(ToolWorld* world) {
  return {"config_diff",
          "What a configuration changes",
          "The difference that `apply` would make now (service), or that a rollout made "
          "(rollout_id). Values that look secret are left out.",
          agent::Level::read,
          {true, false, true, true},
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "service":{"type":"string","minLength":1,"maxLength":128},
            "rollout_id":{"type":"string","minLength":1,"maxLength":64}}})"),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "summary":{"type":"string"},"changes":{"type":"array","items":{"type":"object",
            "additionalProperties":false,"properties":{"evidence_id":{"type":"string"},
            "diff":{"type":"string"},"hosts":{"type":"array","items":{"type":"string"}}}}}}})"),
          [world](json::object arguments, agent::Caller) {
            return config_diff(world, std::move(arguments));
          }};
}

agent::Tool validate_tool(ToolWorld* world) {
  return {"config_validate",
          "Test a configuration",
          "The service's own check (nginx -t and the like) on every host: of what is on disk there "
          "(current), or as it would be with the new files (new). Installs nothing.",
          agent::Level::read,
          {true, false, true, true},
          agent::schema_of(R"({"type":"object","additionalProperties":false,
            "required":["service"],"properties":{
            "service":{"type":"string","minLength":1,"maxLength":128},
            "which":{"type":"string","enum":["current","new"],"default":"current"}}})"),
          agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
            "service":{"type":"string"},"instances":{"type":"array","items":{"type":"object",
            "additionalProperties":false,"properties":{"host":{"type":"string"},
            "status":{"type":"string","enum":["pass","warn","fail","unknown"]},
            "evidence":{"type":"string"},"evidence_id":{"type":"string"}}}}}})"),
          [world](json::object arguments, agent::Caller) {
            return config_validate(world, std::move(arguments));
          }};
}

}  // namespace

void add_config_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add(diff_tool(world));
  registry.add(validate_tool(world));
}

}  // namespace hitless::cli
