#include "agent/tools/schema.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"

namespace hitless::agent {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxShown = 60;

constexpr std::array<std::string_view, 15> kKeywords = {
    "type",      "properties",  "required", "additionalProperties",
    "enum",      "items",       "minItems", "maxItems",
    "minLength", "maxLength",   "minimum",  "maximum",
    "title",     "description", "default"};

std::string at(std::string_view path, std::string_view what) {
  return path.empty() ? std::string(what) : std::string(path) + ": " + std::string(what);
}

std::string shown(const json::value& value) {
  return escape_for_terminal(truncate_utf8(json::serialize(value), kMaxShown));
}

bool is_type(const json::value& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  return type == "number" && value.is_number();
}

bool known_type(std::string_view type) {
  constexpr std::array<std::string_view, 7> kTypes = {"object",  "array", "string", "boolean",
                                                      "integer", "null",  "number"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

// The names in `type`, one or several.
std::vector<std::string> types_of(const json::object& schema) {
  std::vector<std::string> types;
  const json::value* type = schema.if_contains("type");
  if (type == nullptr) return types;
  if (type->is_string()) types.emplace_back(type->get_string());
  if (type->is_array()) {
    for (const json::value& each : type->get_array())
      types.emplace_back(each.is_string() ? std::string(each.get_string()) : std::string());
  }
  return types;
}

std::optional<std::int64_t> limit(const json::object& schema, std::string_view key) {
  const json::value* value = schema.if_contains(key);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string check(const json::value& value, const json::object& schema, const std::string& path,
                  int depth);

std::string check_size(std::size_t size, const json::object& schema, std::string_view least,
                       std::string_view most, std::string_view unit) {
  const auto low = limit(schema, least), high = limit(schema, most);
  if (low && size < static_cast<std::size_t>(*low))
    return "at least " + std::to_string(*low) + " " + std::string(unit);
  if (high && size > static_cast<std::size_t>(*high))
    return "at most " + std::to_string(*high) + " " + std::string(unit) + ", not " +
           std::to_string(size);
  return {};
}

std::string check_number(const json::value& value, const json::object& schema) {
  const double number = value.to_number<double>();
  if (const auto low = limit(schema, "minimum"); low && number < static_cast<double>(*low))
    return shown(value) + " is less than " + std::to_string(*low);
  if (const auto high = limit(schema, "maximum"); high && number > static_cast<double>(*high))
    return shown(value) + " is more than " + std::to_string(*high);
  return {};
}

std::string names_of(const json::object& properties) {
  std::string names;
  for (const auto& each : properties)
    names += (names.empty() ? "" : ", ") + std::string(each.key());
  return names.empty() ? "none" : names;
}

std::string check_object(const json::object& object, const json::object& schema,
                         const std::string& path, int depth) {
  const json::value* listed = schema.if_contains("properties");
  static const json::object kNone;
  const json::object& properties = listed != nullptr ? listed->get_object() : kNone;
  if (const json::value* required = schema.if_contains("required"); required != nullptr) {
    for (const json::value& name : required->get_array()) {
      if (!object.contains(name.get_string()))
        return at(path, "`" + std::string(name.get_string()) + "` is missing");
    }
  }
  for (const auto& each : object) {
    const json::value* known = properties.if_contains(each.key());
    const std::string key = escape_for_terminal(truncate_utf8(std::string(each.key()), kMaxShown));
    if (known == nullptr)
      return at(path, "there is no `" + key + "` here, but: " + names_of(properties));
    std::string problem =
        check(each.value(), known->get_object(), path.empty() ? key : path + "." + key, depth + 1);
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string check_array(const json::array& array, const json::object& schema,
                        const std::string& path, int depth) {
  if (std::string problem = check_size(array.size(), schema, "minItems", "maxItems", "items");
      !problem.empty())
    return at(path, problem);
  const json::value* items = schema.if_contains("items");
  for (std::size_t i = 0; items != nullptr && i < array.size(); ++i) {
    std::string problem =
        check(array[i], items->get_object(), path + "[" + std::to_string(i) + "]", depth + 1);
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string check(const json::value& value, const json::object& schema, const std::string& path,
                  int depth) {
  if (depth > kMaxDepth) return at(path, "it is nested too deeply");
  const std::vector<std::string> types = types_of(schema);
  if (std::none_of(types.begin(), types.end(),
                   [&](const std::string& type) { return is_type(value, type); }))
    return at(path, "has to be " + join(types, " or ") + ", not " + shown(value));
  if (const json::value* allowed = schema.if_contains("enum"); allowed != nullptr) {
    const json::array& list = allowed->get_array();
    if (std::find(list.begin(), list.end(), value) == list.end())
      return at(path, shown(value) + " is none of " + json::serialize(list));
  }
  if (value.is_object()) return check_object(value.get_object(), schema, path, depth);
  if (value.is_array()) return check_array(value.get_array(), schema, path, depth);
  std::string problem;
  if (value.is_string())
    problem = check_size(characters(std::string_view(value.get_string())), schema, "minLength",
                         "maxLength", "characters");
  else if (value.is_number())
    problem = check_number(value, schema);
  return problem.empty() ? problem : at(path, problem);
}

Status bad(const std::string& path, const std::string& what) {
  return fail(ErrorCode::internal, "schema " + at(path, what));
}

Status check_schema_at(const json::object& schema, const std::string& path, int depth);

Status check_parts(const json::object& schema, const std::string& path, int depth) {
  if (const json::value* properties = schema.if_contains("properties"); properties != nullptr) {
    if (!properties->is_object()) return bad(path, "properties is no object");
    for (const auto& each : properties->get_object()) {
      const std::string below = path + "." + std::string(each.key());
      if (!each.value().is_object()) return bad(below, "is no object");
      if (Status ok = check_schema_at(each.value().get_object(), below, depth + 1); !ok) return ok;
    }
  }
  if (const json::value* required = schema.if_contains("required"); required != nullptr) {
    if (!required->is_array()) return bad(path, "required is no list");
    for (const json::value& name : required->get_array()) {
      const json::value* properties = schema.if_contains("properties");
      if (!name.is_string() || properties == nullptr ||
          !properties->get_object().contains(name.get_string()))
        return bad(path, "requires what it does not have");
    }
  }
  if (const json::value* items = schema.if_contains("items"); items != nullptr) {
    if (!items->is_object()) return bad(path, "items is no object");
    return check_schema_at(items->get_object(), path + "[]", depth + 1);
  }
  return {};
}

Status check_schema_at(const json::object& schema, const std::string& path, int depth) {
  if (depth > kMaxDepth) return bad(path, "is nested too deeply");
  for (const auto& each : schema) {
    if (std::find(kKeywords.begin(), kKeywords.end(), std::string_view(each.key())) ==
        kKeywords.end())
      return bad(path, "uses " + std::string(each.key()) + ", which nobody checks");
  }
  const std::vector<std::string> types = types_of(schema);
  if (types.empty() || !std::all_of(types.begin(), types.end(), known_type))
    return bad(path, "has no type that is known");
  const json::value* additional = schema.if_contains("additionalProperties");
  const bool closed = additional != nullptr && additional->is_bool() && !additional->get_bool();
  if (std::find(types.begin(), types.end(), "object") != types.end() && !closed)
    return bad(path, "has to say additionalProperties: false");
  if (const json::value* allowed = schema.if_contains("enum");
      allowed != nullptr && (!allowed->is_array() || allowed->get_array().empty()))
    return bad(path, "enum is no list");
  return check_parts(schema, path, depth);
}

}  // namespace

Status check_schema(const json::object& schema) {
  return check_schema_at(schema, {}, 0);
}

std::string what_does_not_fit(const json::value& value, const json::object& schema) {
  return check(value, schema, {}, 0);
}

json::object schema_of(std::string_view text) {
  return json::parse(text).as_object();
}

}  // namespace hitless::agent
