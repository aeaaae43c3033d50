// The part of the fixture that needs an answer of the client.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/digest.hpp"
#include "fixture_offer.hpp"
#include "mcp/modern.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr const char* kKey = "of the fixture";

json::object name_question(std::string message, std::string field) {
  return {
      {"method", "elicitation/create"},
      {"params",
       json::object{
           {"message", message},
           {"requestedSchema",
            json::object{{"type", "object"},
                         {"properties", json::object{{field, json::object{{"type", "string"}}}}},
                         {"required", json::array{json::string(field)}}}}}}};
}

json::object sampling(std::string text, int tokens) {
  json::object message{{"role", "user"},
                       {"content", json::object{{"type", "text"}, {"text", text}}}};
  return {{"method", "sampling/createMessage"},
          {"params",
           json::object{{"messages", json::array{std::move(message)}}, {"maxTokens", tokens}}}};
}

json::object roots() {
  return {{"method", "roots/list"}, {"params", json::object()}};
}

std::string sealed(const std::string& state) {
  return state + "." + hmac_sha256_base64(kKey, state);
}

json::object needs(json::object requests, const std::string& state = {}) {
  json::object result{{"resultType", "input_required"}, {"inputRequests", std::move(requests)}};
  if (!state.empty()) result["requestState"] = sealed(state);
  return result;
}

const json::object* response(const Call& call, const std::string& key) {
  const json::object* all = object_at(call.params, "inputResponses");
  return all == nullptr ? nullptr : object_at(*all, key);
}

RpcError invalid(std::string what) {
  return {kInvalidParams, std::move(what)};
}

// Rounds that end when every question of `requests` has its answer.
Outcome rounds(const Call& call, json::object requests, const std::string& state,
               const std::string& done) {
  const std::string given = text_at(call.params, "requestState");
  if (!state.empty() && !given.empty() && given != sealed(state))
    return tl::unexpected<RpcError>(invalid("requestState was altered"));
  bool all = state.empty() || !given.empty();
  for (const auto& each : requests) all = all && response(call, std::string(each.key())) != nullptr;
  if (!all) return needs(std::move(requests), state);
  const json::object* all_given = object_at(call.params, "inputResponses");
  return text_result(done + " " + json::serialize(*all_given));
}

Outcome multi_round(const Call& call) {
  const std::string state = text_at(call.params, "requestState");
  if (state.empty())
    return needs({{"step1", name_question("Step 1: What is your name?", "name")}}, "round-1");
  if (state == sealed("round-1") && response(call, "step1") != nullptr)
    return needs({{"step2", name_question("Step 2: What is your favorite color?", "color")}},
                 "round-2");
  if (state == sealed("round-2") && response(call, "step2") != nullptr)
    return text_result("all rounds");
  return tl::unexpected<RpcError>(invalid("requestState was altered"));
}

Outcome by_capability(const Call& call) {
  json::object requests;
  if (call.client_capabilities.contains("sampling"))
    requests["say"] = sampling("Say something", 50);
  if (call.client_capabilities.contains("elicitation"))
    requests["name"] = name_question("What is your name?", "name");
  if (call.client_capabilities.contains("roots")) requests["roots"] = roots();
  return rounds(call, std::move(requests), {}, "answered");
}

json::object confirm() {
  json::object question = name_question("Please confirm", "ok");
  question["params"].as_object()["requestedSchema"].as_object()["properties"] =
      json::parse(R"({"ok":{"type":"boolean"}})");
  return question;
}

std::optional<Outcome> modern_tool(const std::string& name, const Call& call) {
  if (name == "test_input_required_result_elicitation")
    return rounds(call, {{"user_name", name_question("What is your name?", "name")}}, {}, "Hello");
  if (name == "test_input_required_result_sampling")
    return rounds(call, {{"capital_question", sampling("What is the capital of France?", 100)}}, {},
                  "It said");
  if (name == "test_input_required_result_list_roots")
    return rounds(call, {{"client_roots", roots()}}, {}, "Roots:");
  if (name == "test_input_required_result_request_state")
    return rounds(call, {{"confirm", confirm()}}, "asked", "state-ok");
  if (name == "test_input_required_result_tampered_state")
    return rounds(call, {{"confirm", confirm()}}, "asked", "state-ok");
  if (name == "test_input_required_result_multiple_inputs")
    return rounds(call,
                  {{"user_name", name_question("What is your name?", "name")},
                   {"greeting", sampling("Generate a greeting", 50)},
                   {"client_roots", roots()}},
                  "asked", "all:");
  if (name == "test_input_required_result_multi_round") return multi_round(call);
  if (name == "test_input_required_result_capabilities") return by_capability(call);
  if (name == "test_streaming_elicitation")
    return rounds(call, {{"user_name", name_question("What is your name?", "name")}}, {}, "Hello");
  if (name == "test_missing_capability") {
    if (call.client_capabilities.contains("sampling")) return text_result("sampled");
    return Outcome(tl::unexpected<RpcError>(RpcError{
        kMissingCapability, "this needs sampling",
        json::object{{"requiredCapabilities", json::object{{"sampling", json::object()}}}}}));
  }
  return std::nullopt;
}

json::object elicit(std::string message, std::string_view properties) {
  return {{"message", message},
          {"requestedSchema", json::object{{"type", "object"},
                                           {"properties", json::parse(properties)},
                                           {"required", json::array()}}}};
}

Task<Outcome> elicited(Call call, json::object params, std::string lead) {
  Outcome answer = co_await call.ask_client("elicitation/create", std::move(params));
  if (!answer) co_return answer;
  const json::value* content = answer->if_contains("content");
  co_return text_result(lead + ": action=" + text_at(*answer, "action") +
                        ", content=" + (content == nullptr ? "{}" : json::serialize(*content)));
}

constexpr std::string_view kDefaults = R"({"name":{"type":"string","default":"John Doe"},
  "age":{"type":"integer","default":30},"score":{"type":"number","default":95.5},
  "status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},
  "verified":{"type":"boolean","default":true}})";
constexpr std::string_view kEnums = R"({
  "untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
  "titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},
    {"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
  "legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],
    "enumNames":["Option One","Option Two","Option Three"]},
  "untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
  "titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},
    {"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}})";

Task<Outcome> sampled(Call call, std::string prompt) {
  json::object request = sampling(std::move(prompt), 100);
  Outcome answer =
      co_await call.ask_client("sampling/createMessage", request.at("params").as_object());
  if (!answer) co_return answer;
  const json::object* content = object_at(*answer, "content");
  co_return text_result("LLM response: " + (content == nullptr ? "" : text_at(*content, "text")));
}

}  // namespace

Task<std::optional<Outcome>> call_asking_tool(std::string name, json::object arguments, Call call) {
  if (call.era == Era::modern) co_return modern_tool(name, call);
  if (name == "test_sampling")
    co_return co_await sampled(std::move(call), text_at(arguments, "prompt"));
  if (name == "test_elicitation")
    co_return co_await elicited(
        std::move(call),
        elicit(text_at(arguments, "message"),
               R"({"username":{"type":"string","description":"User's response"},
                   "email":{"type":"string","description":"User's email address"}})"),
        "User response");
  if (name == "test_elicitation_sep1034_defaults")
    co_return co_await elicited(std::move(call), elicit("Fill it in", kDefaults),
                                "Elicitation completed");
  if (name == "test_elicitation_sep1330_enums")
    co_return co_await elicited(std::move(call), elicit("Choose", kEnums), "Elicitation completed");
  co_return std::nullopt;
}

json::array asking_tools() {
  json::array all;
  for (const char* name :
       {"test_input_required_result_elicitation", "test_input_required_result_sampling",
        "test_input_required_result_list_roots", "test_input_required_result_request_state",
        "test_input_required_result_tampered_state", "test_input_required_result_multiple_inputs",
        "test_input_required_result_multi_round", "test_input_required_result_capabilities",
        "test_streaming_elicitation", "test_missing_capability",
        "test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums"})
    all.push_back(tool_entry(name, "Needs the client"));
  all.push_back(tool_entry(
      "test_sampling", "Asks the client's model",
      R"({"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]})"));
  all.push_back(tool_entry(
      "test_elicitation", "Asks the user",
      R"({"type":"object","properties":{"message":{"type":"string"}},"required":["message"]})"));
  return all;
}

Outcome asking_prompt(const Call& call) {
  if (response(call, "user_context") == nullptr)
    return needs(
        {{"user_context", name_question("What context should the prompt use?", "context")}});
  json::object said{{"role", "user"},
                    {"content", json::object{{"type", "text"}, {"text", "With your context."}}}};
  return json::object{{"messages", json::array{std::move(said)}}};
}

}  // namespace hitless::mcp
