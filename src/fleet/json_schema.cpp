// The key tables as JSON Schema draft-07, for editors.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "fleet/fleet.hpp"
#include "fleet/schema.hpp"

namespace hitless::fleet {
namespace {

namespace json = boost::json;

// Tables are referred to by name and written once, under definitions.
class SchemaWriter {
 public:
  json::object run() {
    json::object root = table(root_table());
    while (!pending_.empty()) {
      const Table* next = pending_.back();
      pending_.pop_back();
      definitions_[next->name] = table(*next);
    }
    json::object out;
    out["$schema"] = "http://json-schema.org/draft-07/schema#";
    out["$id"] = "https://hitless.invalid/schema/fleet-1.json";
    out["title"] = "hitless.yaml";
    for (auto& member : root) out[member.key()] = std::move(member.value());
    out["definitions"] = std::move(definitions_);
    return out;
  }

 private:
  json::object reference(const Table& to) {
    if (seen_.insert(to.name).second) pending_.push_back(&to);
    return {{"$ref", "#/definitions/" + to.name}};
  }

  json::array words(const std::vector<std::string>& list) {
    json::array out;
    for (const auto& word : list) out.emplace_back(word);
    return out;
  }

  json::object table(const Table& of) {
    json::object out;
    out["description"] = of.about;
    if (of.kind_key.empty()) {
      fill(out, of, "");
      return out;
    }
    if (!of.kind_map.empty()) {
      fill_any_kind(out, of);
      return out;
    }
    const Key* kind = of.find(of.kind_key);
    out["type"] = "object";
    out["required"] = json::array{of.kind_key};
    json::object properties;
    properties[of.kind_key] = key(*kind);
    out["properties"] = std::move(properties);
    json::array branches;
    for (const auto& value : kind->type.choices) {
      json::object branch;
      branch["title"] = fmt::format("{} {}", of.name, value);
      fill(branch, of, value);
      branches.push_back(std::move(branch));
    }
    out["oneOf"] = std::move(branches);
    return out;
  }

  // The keys that are legal for one kind (all of them when the table has no kinds).
  void fill(json::object& out, const Table& of, const std::string& kind) {
    json::object properties;
    json::array required;
    bool all_optional = true;
    for (const auto& one : of.keys) {
      if (!of.legal_for(one, kind)) continue;
      if (one.name == of.kind_key)
        properties[one.name] = json::object{{"const", kind}};
      else
        properties[one.name] = key(one);
      if (one.required) required.emplace_back(one.name);
      all_optional = all_optional && !one.required;
    }
    if (all_optional && of.exactly_one.empty())
      out["type"] = json::array{"object", "null"};
    else
      out["type"] = "object";
    out["additionalProperties"] = false;
    out["properties"] = std::move(properties);
    if (!required.empty()) out["required"] = std::move(required);
    if (of.exactly_one.empty()) return;
    json::array options;
    for (const auto& name : of.exactly_one)
      options.push_back(json::object{{"required", json::array{name}}});
    out["oneOf"] = std::move(options);
  }

  // The kind stands elsewhere, where a schema cannot look: the keys of all kinds. `check` knows.
  void fill_any_kind(json::object& out, const Table& of) {
    json::object properties;
    json::array required;
    for (const auto& one : of.keys) {
      json::object made = key(one);
      if (const auto* known = properties.if_contains(one.name)) {
        const std::string both = std::string(known->at("description").as_string()) +
                                 " Or: " + std::string(made.at("description").as_string());
        json::object merged{{"anyOf", json::array{*known, std::move(made)}}};
        merged["description"] = both;
        made = std::move(merged);
      }
      properties[one.name] = std::move(made);
      if (one.required && one.only_for.empty()) required.emplace_back(one.name);
    }
    out["type"] = "object";
    out["additionalProperties"] = false;
    out["properties"] = std::move(properties);
    out["required"] = std::move(required);
  }

  json::object key(const Key& of) {
    json::object out = type(of.type);
    // draft-07 ignores what stands beside a $ref.
    if (out.contains("$ref")) out = json::object{{"allOf", json::array{out}}};
    out["description"] = of.about;
    if (!of.fallback.empty()) out["default"] = default_value(of);
    return out;
  }

  static json::value default_value(const Key& of) {
    if (of.type.form == Form::boolean) return of.fallback == "true";
    if (auto whole = parse_integer(of.fallback)) return *whole;
    if (auto number = parse_number(of.fallback)) return *number;
    if (of.type.form != Form::list) return json::value(json::string(of.fallback));
    json::array all;
    for (const auto& choice : of.type.parts.front().choices) all.emplace_back(choice);
    return all;
  }

  json::object type(const Type& of) {
    switch (of.form) {
      case Form::text:
        return text(of);
      case Form::integer:
        return {{"type", "integer"}, {"minimum", of.min}, {"maximum", of.max}};
      case Form::number:
        return {{"type", "number"}, {"minimum", of.min}, {"maximum", of.max}};
      case Form::boolean:
        return {{"type", "boolean"}};
      case Form::choice:
        return {{"enum", words(of.choices)}};
      case Form::command:
        return {{"type", "array"},
                {"minItems", 1},
                {"items", json::object{{"type", json::array{"string", "number", "boolean"}}}}};
      case Form::list:
        return {{"type", "array"},
                {"minItems", of.min},
                {"maxItems", of.max},
                {"items", type(of.parts.front())}};
      case Form::object:
        return reference(*of.table);
      case Form::map:
        return map(of);
      case Form::one_of:
        break;
    }
    json::array alternatives;
    for (const auto& part : of.parts) alternatives.push_back(type(part));
    return {{"anyOf", std::move(alternatives)}};
  }

  // A value with {placeholders} need not look like its format yet.
  static json::object text(const Type& of) {
    json::object out{{"type", "string"}};
    const char* pattern = info_of(of.format).pattern;
    const bool fixed = of.placeholders.empty();
    if (fixed && *pattern != '\0') out["pattern"] = pattern;
    if (*pattern == '\0' || !fixed) out["minLength"] = 1;
    return out;
  }

  json::object map(const Type& of) {
    json::object names{{"pattern", info_of(of.format).pattern}};
    return {{"type", "object"},
            {"propertyNames", std::move(names)},
            {"additionalProperties", type(of.parts.front())}};
  }

  json::object definitions_;
  std::set<std::string> seen_;
  std::vector<const Table*> pending_;
};

void write(std::string& out, const json::value& value, std::size_t indent) {
  const std::string inner(indent + 2, ' '), outer(indent, ' ');
  const auto* object = value.if_object();
  const auto* array = value.if_array();
  if ((object == nullptr || object->empty()) &&
      (array == nullptr || array->empty() || !array->front().is_object())) {
    out += json::serialize(value);
    return;
  }
  const char* separator = "\n";
  out += object != nullptr ? "{" : "[";
  if (object != nullptr) {
    for (const auto& member : *object) {
      out += separator + inner + json::serialize(member.key()) + ": ";
      write(out, member.value(), indent + 2);
      separator = ",\n";
    }
  } else {
    for (const auto& item : *array) {
      out += separator + inner;
      write(out, item, indent + 2);
      separator = ",\n";
    }
  }
  out += "\n" + outer + (object != nullptr ? "}" : "]");
}

}  // namespace

std::string json_schema() {
  std::string out;
  write(out, SchemaWriter().run(), 0);
  return out + "\n";
}

}  // namespace hitless::fleet
