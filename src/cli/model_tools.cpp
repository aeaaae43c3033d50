#include "cli/model_tools.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cli/approvals.hpp"
#include "runtime/timeout.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

// The incident itself is in the question already; the fleet's names and its policy say nothing of
// what is wrong.
constexpr const char* kForOpinions[] = {
    "config_diff", "config_validate", "error_log_search", "evidence_get", "journal_search",
    "lb_state",    "metrics_query",   "rollout_events",   "rollout_get",  "service_status"};

agent::Caller model_caller() {
  return {"agent model", person_name(), agent::Allow::read};
}

const agent::Tool* readable(const agent::Registry& registry, std::string_view name) {
  const agent::Tool* tool = registry.find(name);
  return tool != nullptr && tool->level == agent::Level::read ? tool : nullptr;
}

llm::OfferedTool offered(const agent::Tool& tool) {
  return {tool.name, tool.description, json::serialize(tool.input)};
}

Task<agent::Answer> call(const agent::Registry* registry, std::string name, std::string arguments,
                         DurationMs left_ms) {
  if (readable(*registry, name) == nullptr)
    co_return fail(ErrorCode::refused, "this tool does more than look");
  boost::system::error_code error;
  const json::value given = json::parse(arguments.empty() ? "{}" : arguments, error);
  if (error || !given.is_object())
    co_return fail(ErrorCode::invalid, "the arguments are no JSON object");
  co_return co_await with_timeout(registry->call(name, given.get_object(), model_caller()), left_ms,
                                  name);
}

// Of the strings in it those that are ids of evidence, wherever they stand.
void collect_ids(const json::value& value, std::vector<std::string>& ids) {
  if (const json::array* list = value.if_array())
    for (const json::value& each : *list) collect_ids(each, ids);
  if (const json::object* object = value.if_object())
    for (const auto& each : *object) collect_ids(each.value(), ids);
  if (value.is_string() && std::string_view(value.get_string()).starts_with("ev_") &&
      ids.size() < kMaxIdsInCall)
    ids.emplace_back(value.get_string());
}

Task<Result<llm::Seen>> look(const agent::Registry* registry, ToolWorld* world, std::string name,
                             std::string arguments, DurationMs left_ms) {
  auto answer = co_await call(registry, std::move(name), std::move(arguments), left_ms);
  if (!answer) {
    Error error = answer.error();
    error.what = std::string(without_client_text(json::value(error.what)).get_string());
    error.where.clear();
    co_return tl::unexpected<Error>(error);
  }
  llm::Seen seen;
  std::vector<std::string> ids;
  collect_ids(json::value(*answer), ids);
  if (const auto found = find_evidence(*world, ids))
    for (const auto& [id, evidence] : *found) seen.evidence.push_back(evidence);
  seen.text = json::serialize(without_client_text(json::value(std::move(*answer))));
  co_return seen;
}

Task<Result<llm::ToolResult>> read_states(const agent::Registry* registry, llm::Call made,
                                          DurationMs left_ms) {
  auto answer = co_await call(registry, made.name, made.arguments, left_ms);
  // No words of an error either: it may hold what a host or load balancer said.
  if (!answer) co_return llm::ToolResult{"it could not be read", true};
  co_return llm::ToolResult{json::serialize(states_only(*answer)), false};
}

void keep(const json::object& from, std::initializer_list<const char*> keys, json::object& to) {
  for (const char* key : keys)
    if (const json::value* found = from.if_contains(key)) to[key] = *found;
}

}  // namespace

json::value without_client_text(const json::value& value) {
  if (const json::array* list = value.if_array()) {
    json::array out;
    for (const json::value& each : *list) out.push_back(without_client_text(each));
    return out;
  }
  if (const json::object* object = value.if_object()) {
    json::object out;
    for (const auto& each : *object) out[each.key()] = without_client_text(each.value());
    return out;
  }
  if (!value.is_string()) return value;
  // As the lines of an error log, which clients can write into.
  agent::Evidence as_log;
  as_log.source = agent::Source::error_log;
  as_log.body = std::string(value.get_string());
  std::string text;
  for (const agent::Line& line : agent::lines_of(as_log))
    text += (text.empty() ? "" : "\n") + line.text;
  return json::value(text);
}

json::object states_only(const json::object& status) {
  json::object out;
  keep(status, {"service", "serving", "floor"}, out);
  json::array instances;
  const json::value* list = status.if_contains("instances");
  if (list != nullptr && list->is_array()) {
    for (const json::value& each : list->get_array()) {
      if (!each.is_object()) continue;
      json::object one;
      keep(each.get_object(), {"instance", "host", "load_balancer_state", "in_flight", "health"},
           one);
      instances.push_back(std::move(one));
    }
  }
  out["instances"] = std::move(instances);
  return out;
}

llm::OpinionTools opinion_tools(const agent::Registry* registry, ToolWorld* world) {
  llm::OpinionTools tools;
  for (const char* name : kForOpinions)
    if (const agent::Tool* tool = readable(*registry, name))
      tools.offered.push_back(offered(*tool));
  tools.look = [registry, world](std::string name, std::string arguments, DurationMs left_ms) {
    return look(registry, world, std::move(name), std::move(arguments), left_ms);
  };
  return tools;
}

llm::ToolBox reading_tools(const agent::Registry* registry) {
  llm::ToolBox box;
  if (const agent::Tool* tool = readable(*registry, "service_status"))
    box.tools.push_back(offered(*tool));
  box.run = [registry](llm::Call made, DurationMs left_ms) {
    return read_states(registry, std::move(made), left_ms);
  };
  return box;
}

}  // namespace hitless::cli
