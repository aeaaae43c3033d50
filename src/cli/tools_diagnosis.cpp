// diagnosis_submit: a diagnosis that somebody else made, checked against the evidence it names.
#include <algorithm>
#include <boost/json/array.hpp>

#include "agent/diagnosis.hpp"
#include "agent/tools/schema.hpp"
#include "base/text.hpp"
#include "cli/claims.hpp"
#include "cli/tools.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

template <class Enum>
json::array names_up_to(Enum last) {
  json::array names;
  for (int i = 0; i <= static_cast<int>(last); ++i)
    names.emplace_back(json::string(agent::to_string(static_cast<Enum>(i))));
  return names;
}

// Verbatim in what was stored, or in what evidence_get shows of it.
bool stands_in(const agent::Evidence& evidence, const std::string& text) {
  if (evidence.body.find(text) != std::string::npos) return true;
  const std::vector<agent::Line> lines = agent::lines_of(evidence);
  return std::any_of(lines.begin(), lines.end(), [&](const agent::Line& line) {
    return line.text.find(text) != std::string::npos;
  });
}

struct Cited {
  std::vector<agent::Source> sources;
  void add(agent::Source source) {
    if (std::find(sources.begin(), sources.end(), source) == sources.end())
      sources.push_back(source);
  }
  // Two independent ones, one of them not writable by clients.
  [[nodiscard]] bool enough() const {
    return sources.size() >= 2 &&
           std::any_of(sources.begin(), sources.end(),
                       [](agent::Source each) { return !agent::client_writable(each); });
  }
};

std::vector<std::string> ids_in(const json::array& hypotheses) {
  std::vector<std::string> ids;
  for (const json::value& each : hypotheses) {
    const json::object& hypothesis = each.get_object();
    for (const char* list : {"supports", "refutes"})
      for (std::string& id : texts_of(hypothesis, list)) ids.push_back(std::move(id));
    if (const json::value* quotes = hypothesis.if_contains("quotes"))
      for (const json::value& quote : quotes->get_array())
        ids.push_back(text_of(quote.get_object(), "evidence_id"));
  }
  return ids;
}

// Empty: every id is known and every quote verbatim. Each quote is told where it stands, for
// readers of later, when the evidence may be gone.
std::string check_hypothesis(const FoundEvidence& found, json::object& hypothesis, Cited& cited) {
  const std::string category = text_of(hypothesis, "category");
  const std::vector<std::string> supports = texts_of(hypothesis, "supports");
  if (supports.empty()) return category + " has no evidence";
  for (const char* list : {"supports", "refutes"}) {
    for (const std::string& id : texts_of(hypothesis, list)) {
      const auto evidence = found.find(id);
      if (evidence == found.end()) return category + " names evidence that does not exist: " + id;
      if (list == std::string_view("supports")) cited.add(evidence->second.source);
    }
  }
  json::value* quotes = hypothesis.if_contains("quotes");
  if (quotes == nullptr) return {};
  for (json::value& each : quotes->get_array()) {
    json::object& quote = each.get_object();
    const std::string id = text_of(quote, "evidence_id");
    const auto evidence = found.find(id);
    if (evidence == found.end()) return category + " quotes evidence that does not exist: " + id;
    if (!stands_in(evidence->second, text_of(quote, "text")))
      return category + " quotes what does not stand in " + id;
    quote["source"] = agent::to_string(evidence->second.source);
    quote["host"] = evidence->second.host;
  }
  return {};
}

Task<Answer> diagnosis_submit(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::string rollout = text_of(arguments, "rollout_id");
  json::array& hypotheses = arguments.at("hypotheses").get_array();
  auto found = find_evidence(*world, ids_in(hypotheses));
  if (!found) co_return tl::unexpected<Error>(found.error());
  Cited cited;
  for (json::value& each : hypotheses) {
    if (std::string problem = check_hypothesis(*found, each.get_object(), cited); !problem.empty())
      co_return fail(ErrorCode::invalid, problem, {},
                     "cite ids that the read tools gave you, and quote verbatim");
  }
  auto journal = open_journal(world->app, true);
  if (!journal) co_return tl::unexpected<Error>(journal.error());
  auto entries = (*journal)->read(rollout);
  if (!entries || entries->empty()) co_return fail(ErrorCode::not_found, "no such rollout");
  arguments["by"] = caller.name + " for " + caller.for_whom;
  arguments["at"] = wall_now_ms();
  const json::value claim = agent::cleaned(json::value(arguments));
  if (Status ok = put_claim(**journal, rollout, claim.get_object()); !ok)
    co_return tl::unexpected<Error>(ok.error());
  co_return json::object{{"rollout_id", rollout},
                         {"accepted", true},
                         {"enough_to_act", cited.enough()},
                         {"independent_sources", cited.sources.size()}};
}

json::object input_schema() {
  json::object schema = agent::schema_of(R"({"type":"object","additionalProperties":false,
    "required":["rollout_id","category","confidence","hypotheses","recommended"],"properties":{
    "rollout_id":{"type":"string","minLength":1,"maxLength":64},
    "category":{"type":"string"},"confidence":{"type":"string"},"recommended":{"type":"string"},
    "component":{"type":"string","maxLength":200},
    "missing_evidence":{"type":"array","maxItems":20,"items":{"type":"string","maxLength":200}},
    "hypotheses":{"type":"array","minItems":1,"maxItems":8,"items":{"type":"object",
      "additionalProperties":false,"required":["category","supports"],"properties":{
      "category":{"type":"string"},"component":{"type":"string","maxLength":200},
      "supports":{"type":"array","maxItems":20,"items":{"type":"string","maxLength":32}},
      "refutes":{"type":"array","maxItems":20,"items":{"type":"string","maxLength":32}},
      "quotes":{"type":"array","maxItems":20,"items":{"type":"object",
        "additionalProperties":false,"required":["evidence_id","text"],"properties":{
        "evidence_id":{"type":"string","maxLength":32},
        "text":{"type":"string","minLength":4,"maxLength":1000}}}}}}}}})");
  json::object& properties = schema["properties"].as_object();
  const json::array categories = names_up_to(agent::Category::undetermined);
  properties["category"].as_object()["enum"] = categories;
  properties["confidence"].as_object()["enum"] = names_up_to(agent::Confidence::high);
  properties["recommended"].as_object()["enum"] =
      names_up_to(agent::Recommendation::stop_at_safe_point);
  properties["hypotheses"]
      .as_object()["items"]
      .as_object()["properties"]
      .as_object()["category"]
      .as_object()["enum"] = categories;
  return schema;
}

}  // namespace

void add_diagnosis_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add(
      {"diagnosis_submit",
       "Hand in a diagnosis",
       "Keep a diagnosis of a rollout beside the one by rules, shown in its incident as your "
       "claim. Every id has to exist (40 at most) and every quote to stand verbatim in "
       "its evidence; else it is refused. It decides nothing.",
       agent::Level::propose,
       {false, false, true, false},
       input_schema(),
       agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
                  "rollout_id":{"type":"string"},"accepted":{"type":"boolean"},
                  "enough_to_act":{"type":"boolean"},"independent_sources":{"type":"integer"}}})"),
       [world](json::object arguments, agent::Caller caller) {
         return diagnosis_submit(world, std::move(arguments), std::move(caller));
       }});
}

}  // namespace hitless::cli
