#include "agent/tools/registry.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "agent/tools/schema.hpp"
#include "base/text.hpp"

namespace hitless::agent {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxStringBytes = 16u << 10;
constexpr std::size_t kMaxAnswerBytes = 512u << 10;
constexpr std::size_t kMaxArgumentBytes = 64u << 10;

bool is_snake_case(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool is_object_schema(const json::object& schema) {
  const json::value* type = schema.if_contains("type");
  return type != nullptr && type->is_string() && type->get_string() == "object";
}

std::string rule_broken(const Tool& tool) {
  if (!is_snake_case(tool.name)) return "its name is not snake_case of at most 64 characters";
  if (tool.title.empty() || tool.description.empty()) return "it does not say what it is for";
  if (!tool.handle) return "nothing handles it";
  for (const json::object* schema : {&tool.input, &tool.output}) {
    if (!is_object_schema(*schema)) return "its schemas have to be objects";
    if (Status ok = check_schema(*schema); !ok) return ok.error().what;
  }
  if (tool.hints.read_only != (tool.level == Level::read))
    return "its read-only hint and its level do not agree";
  if (tool.level == Level::act && !tool.hints.destructive) return "who acts has to say destructive";
  return {};
}

std::string clean(std::string_view text) {
  return truncate_utf8(escape_for_terminal(redact(text), true), kMaxStringBytes);
}

Answer checked_answer(const Tool& tool, json::object raw) {
  json::value value = cleaned(json::value(std::move(raw)));
  if (json::serialize(value).size() > kMaxAnswerBytes)
    return fail(ErrorCode::invalid, "the answer is longer than 512 KiB", tool.name,
                "ask for less: a smaller limit, one host, a page");
  if (std::string problem = what_does_not_fit(value, tool.output); !problem.empty())
    return fail(ErrorCode::internal, "the answer does not fit the tool's own schema: " + problem,
                tool.name);
  return std::move(value.get_object());
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::read:
      return "read";
    case Level::propose:
      return "propose";
    case Level::act:
      return "act";
    case Level::safe:
      break;
  }
  return "safe";
}

std::string_view to_string(Allow allow) {
  switch (allow) {
    case Allow::read:
      return "read";
    case Allow::propose:
      return "propose";
    case Allow::act:
      break;
  }
  return "act";
}

void Registry::add(Tool tool) {
  if (std::string problem = rule_broken(tool); !problem.empty())
    throw std::logic_error("tool " + tool.name + ": " + problem);
  const auto at =
      std::lower_bound(tools_.begin(), tools_.end(), tool.name,
                       [](const Tool& each, const std::string& name) { return each.name < name; });
  if (at != tools_.end() && at->name == tool.name)
    throw std::logic_error("tool " + tool.name + " is there twice");
  tools_.insert(at, std::move(tool));
}

const Tool* Registry::find(std::string_view name) const {
  const auto at = std::find_if(tools_.begin(), tools_.end(),
                               [&](const Tool& each) { return each.name == name; });
  return at == tools_.end() ? nullptr : &*at;
}

bool Registry::offered(const Tool& tool, Allow allow) const {
  switch (tool.level) {
    case Level::read:
    case Level::safe:
      return true;
    case Level::propose:
      return allow != Allow::read;
    case Level::act:
      break;
  }
  return allow == Allow::act;
}

std::vector<const Tool*> Registry::list(Allow allow) const {
  std::vector<const Tool*> listed;
  for (const Tool& tool : tools_)
    if (offered(tool, allow)) listed.push_back(&tool);
  return listed;
}

Task<Answer> Registry::call(std::string name, json::object arguments, Caller caller) const {
  const Tool* tool = find(name);
  if (tool == nullptr)
    co_return fail(ErrorCode::not_found,
                   "no tool `" + escape_for_terminal(truncate_utf8(name, kMaxNameBytes)) + "`");
  if (!offered(*tool, caller.allow))
    co_return fail(ErrorCode::not_found,
                   "`" + tool->name + "` is not offered here: it needs --allow " +
                       std::string(to_string(tool->level)) + ", and this is --allow " +
                       std::string(to_string(caller.allow)));
  const json::value given(std::move(arguments));
  if (json::serialize(given).size() > kMaxArgumentBytes)
    co_return fail(ErrorCode::invalid, "the arguments are longer than 64 KiB", tool->name);
  if (std::string problem = what_does_not_fit(given, tool->input); !problem.empty())
    co_return fail(ErrorCode::invalid, problem, tool->name);
  Answer answer = co_await tool->handle(given.get_object(), std::move(caller));
  if (!answer) co_return answer;
  co_return checked_answer(*tool, std::move(*answer));
}

json::value cleaned(const json::value& value) {
  if (value.is_string()) return json::value(clean(std::string_view(value.get_string())));
  if (value.is_array()) {
    json::array array;
    for (const json::value& each : value.get_array()) array.push_back(cleaned(each));
    return array;
  }
  if (!value.is_object()) return value;
  json::object object;
  for (const auto& each : value.get_object())
    object[clean(std::string_view(each.key()))] = cleaned(each.value());
  return object;
}

}  // namespace hitless::agent
