#include "fixture_offer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg"
    "==";
constexpr const char* kWav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

RpcError invalid(std::string what, json::value data = nullptr) {
  return {kInvalidParams, std::move(what), std::move(data)};
}

json::object image() {
  return {{"type", "image"}, {"data", kPng}, {"mimeType", "image/png"}};
}
json::object text(std::string what) {
  return {{"type", "text"}, {"text", what}};
}
json::object embedded(std::string uri, std::string type, std::string what) {
  return {{"type", "resource"},
          {"resource", json::object{{"uri", uri}, {"mimeType", type}, {"text", what}}}};
}
json::object content(json::array blocks) {
  return {{"content", std::move(blocks)}};
}
json::object says(json::object block) {
  return {{"role", "user"}, {"content", std::move(block)}};
}

Task<json::object> with_logging(Call call) {
  call.log("info", "Tool execution started");
  co_await sleep_for(50);
  call.log("info", "Tool processing data");
  co_await sleep_for(50);
  call.log("info", "Tool execution completed");
  co_return text_result("logged");
}

Task<json::object> with_progress(Call call) {
  for (const double done : {0.0, 50.0, 100.0}) {
    call.progress(done, 100, {});
    if (done < 100) co_await sleep_for(50);
  }
  co_return text_result("done");
}

class Fixture : public Offer {
 public:
  json::object info() const override { return {{"name", "hitless-fixture"}, {"version", "1"}}; }
  std::string instructions() const override { return "For the conformance suite."; }
  json::object capabilities(Era era) const override {
    json::object all{{"tools", json::object()},
                     {"prompts", json::object()},
                     {"resources", json::object()},
                     {"completions", json::object()}};
    if (era == Era::legacy) {
      all["logging"] = json::object();
      all["resources"].as_object()["subscribe"] = true;
    }
    return all;
  }
  json::array tools() override {
    json::array all{tool_entry("test_simple_text", "Says something"),
                    tool_entry("test_image_content", "An image"),
                    tool_entry("test_audio_content", "A sound"),
                    tool_entry("test_embedded_resource", "A resource"),
                    tool_entry("test_multiple_content_types", "All of them"),
                    tool_entry("test_tool_with_logging", "Logs"),
                    tool_entry("test_logging_tool", "Logs"),
                    tool_entry("test_tool_with_progress", "Tells how far it is"),
                    tool_entry("test_error_handling", "Fails")};
    for (json::value& each : asking_tools()) all.push_back(std::move(each));
    return all;
  }
  json::array prompts() override {
    return json::parse(R"([
      {"name":"test_simple_prompt","description":"Simple"},
      {"name":"test_prompt_with_arguments","description":"Arguments","arguments":[
        {"name":"arg1","description":"First","required":true},
        {"name":"arg2","description":"Second","required":true}]},
      {"name":"test_prompt_with_embedded_resource","description":"Resource","arguments":[
        {"name":"resourceUri","description":"Which","required":true}]},
      {"name":"test_prompt_with_image","description":"Image"},
      {"name":"test_input_required_result_prompt","description":"Asks first"}])")
        .as_array();
  }
  json::array resource_templates() override {
    return json::parse(R"([{"uriTemplate":"test://template/{id}/data","name":"template",
      "description":"By id","mimeType":"application/json"}])")
        .as_array();
  }
  Task<Outcome> resources() override {
    co_return json::object{{"resources", json::parse(R"([
      {"uri":"test://static-text","name":"text","description":"Text","mimeType":"text/plain"},
      {"uri":"test://static-binary","name":"binary","description":"Image","mimeType":"image/png"},
      {"uri":"test://watched-resource","name":"watched","description":"Watched","mimeType":"text/plain"}])")}};
  }

  Task<Outcome> call_tool(std::string name, json::object arguments, Call call) override {
    if (name == "test_simple_text")
      co_return text_result("This is a simple text response for testing.");
    if (name == "test_image_content") co_return content({image()});
    if (name == "test_audio_content")
      co_return content(
          {json::object{{"type", "audio"}, {"data", kWav}, {"mimeType", "audio/wav"}}});
    if (name == "test_embedded_resource")
      co_return content({embedded("test://embedded-resource", "text/plain",
                                  "This is an embedded resource content.")});
    if (name == "test_multiple_content_types")
      co_return content({text("Multiple content types test:"), image(),
                         embedded("test://mixed-content-resource", "application/json",
                                  R"({"test":"data","value":123})")});
    if (name == "test_tool_with_logging" || name == "test_logging_tool")
      co_return co_await with_logging(std::move(call));
    if (name == "test_tool_with_progress") co_return co_await with_progress(std::move(call));
    if (name == "test_error_handling") {
      json::object result = text_result("This tool intentionally returns an error for testing");
      result["isError"] = true;
      co_return result;
    }
    auto asked = co_await call_asking_tool(name, std::move(arguments), std::move(call));
    if (asked) co_return std::move(*asked);
    co_return tl::unexpected<RpcError>(invalid("no tool " + name));
  }

  Task<Outcome> read_resource(std::string uri, Call) override {
    json::object found{{"uri", uri}, {"mimeType", "text/plain"}};
    const std::string begin = "test://template/", end = "/data";
    if (uri == "test://static-text") {
      found["text"] = "This is the content of the static text resource.";
    } else if (uri == "test://watched-resource") {
      found["text"] = "watched";
    } else if (uri == "test://static-binary") {
      found["mimeType"] = "image/png";
      found["blob"] = kPng;
    } else if (uri.starts_with(begin) && uri.ends_with(end) &&
               uri.size() > begin.size() + end.size()) {
      const std::string id = uri.substr(begin.size(), uri.size() - begin.size() - end.size());
      found["mimeType"] = "application/json";
      found["text"] = json::serialize(
          json::object{{"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}});
    } else {
      co_return tl::unexpected<RpcError>(invalid("Resource not found", json::object{{"uri", uri}}));
    }
    co_return json::object{{"contents", json::array{std::move(found)}}};
  }

  Task<Outcome> get_prompt(std::string name, json::object arguments, Call call) override {
    json::array messages;
    if (name == "test_simple_prompt") {
      messages = {says(text("This is a simple prompt for testing."))};
    } else if (name == "test_prompt_with_arguments") {
      messages = {says(text("Prompt with arguments: arg1='" + text_at(arguments, "arg1") +
                            "', arg2='" + text_at(arguments, "arg2") + "'"))};
    } else if (name == "test_prompt_with_embedded_resource") {
      messages = {says(embedded(text_at(arguments, "resourceUri"), "text/plain",
                                "Embedded resource content for testing.")),
                  says(text("Please process the embedded resource above."))};
    } else if (name == "test_prompt_with_image") {
      messages = {says(image()), says(text("Please analyze the image above."))};
    } else if (name == "test_input_required_result_prompt") {
      co_return asking_prompt(call);
    } else {
      co_return tl::unexpected<RpcError>(invalid("no prompt " + name));
    }
    co_return json::object{{"messages", std::move(messages)}};
  }

  Outcome complete(const json::object&) override {
    return json::parse(R"({"completion":{"values":[],"total":0,"hasMore":false}})").as_object();
  }
  Outcome other(const std::string& method, const json::object& params) override {
    if (method == "resources/subscribe" || method == "resources/unsubscribe") {
      if (text_at(params, "uri").empty())
        return tl::unexpected<RpcError>(invalid("uri is missing"));
      return json::object();
    }
    return tl::unexpected<RpcError>(RpcError{kMethodNotFound, "no method " + method});
  }
};

}  // namespace

json::object text_result(std::string what) {
  return content({text(std::move(what))});
}

json::object tool_entry(std::string name, std::string about, std::string_view input) {
  return {
      {"name", name},
      {"description", about},
      {"inputSchema", json::parse(input.empty() ? R"({"type":"object","properties":{}})" : input)}};
}

std::unique_ptr<Offer> make_fixture_offer() {
  return std::make_unique<Fixture>();
}

}  // namespace hitless::mcp
