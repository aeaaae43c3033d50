// Requests as bytes, and answers as servers send them. The golden bodies are what the official npm
// clients `openai` and `@anthropic-ai/sdk` send for the same question (tests/llm/golden).
#include "llm/protocol.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "llm/repair.hpp"
#include "llm/retry.hpp"
#include "llm/tool_loop.hpp"

namespace hitless::llm {
namespace {

Question question(Form form, bool stream) {
  Question q;
  q.model = "m-1";
  q.system = "You are terse.";
  q.turns = {{false, "How is \"web\"?", {}}};
  q.name = "diagnosis";
  q.about = "What is wrong.";
  q.schema = R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"]})";
  q.max_tokens = 100;
  q.form = form;
  q.stream = stream;
  return q;
}

boost::json::object golden(const std::string& name) {
  const std::filesystem::path here = std::filesystem::path(__FILE__).parent_path();
  std::ifstream file(here / ".." / ".." / "tests" / "llm" / "golden" / (name + ".json"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return boost::json::parse(text).as_object();
}

// Body, path and headers, as JSON: the order of members says nothing.
void expect_as_official(const std::string& name, Api api, const Question& q) {
  const boost::json::object official = golden(name);
  EXPECT_EQ(boost::json::parse(request_body(api, q)), official.at("body")) << name;
  const std::string base = api == Api::openai ? "http://h/v1" : "http://h";
  EXPECT_EQ(request_url(api, base), "http://h" + std::string(official.at("path").as_string()));
  boost::json::object headers;
  for (const std::string& header : request_headers(api, "a-key")) {
    std::string key = header.substr(0, header.find(':'));
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    headers[key] = header.substr(header.find(':') + 2);
  }
  EXPECT_EQ(headers, official.at("headers").as_object()) << name;
}

TEST(Protocol, AsksAsTheOfficialClientsDo) {
  expect_as_official("openai_schema", Api::openai, question(Form::schema, true));
  expect_as_official("openai_tool", Api::openai, question(Form::tool, false));
  Question newer = question(Form::plain, false);
  newer.newer_limit = true;
  expect_as_official("openai_plain", Api::openai, newer);
  expect_as_official("anthropic_tool", Api::anthropic, question(Form::schema, true));
}

// A question with a tool that looks; `looked`: after two looks, and now it has to answer.
Question looking(bool looked) {
  Question q = question(Form::schema, !looked);
  q.tools = {{"service_status", "How it is.",
              R"({"type":"object","properties":{"service":{"type":"string"}},)"
              R"("required":["service"],"additionalProperties":false})"}};
  if (!looked) return q;
  q.must_answer = true;
  const Call web{"c1", "service_status", R"({"service":"web"})", "3 serving", false};
  const Call db{"c2", "service_status", R"({"service":"db"})", "no such service", true};
  q.turns.push_back({true, "I look.", {web, db}});
  q.turns.push_back({false, "", {web, db}});
  return q;
}

TEST(Protocol, LooksAsTheOfficialClientsDo) {
  expect_as_official("openai_looks", Api::openai, looking(false));
  expect_as_official("openai_looked", Api::openai, looking(true));
  expect_as_official("anthropic_looks", Api::anthropic, looking(false));
  expect_as_official("anthropic_looked", Api::anthropic, looking(true));
}

TEST(Protocol, ManyCallsAtOnceStayApart) {
  Stream anthropic(Api::anthropic);
  Stream openai(Api::openai);
  for (int i = 0; i < 12; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_TRUE(anthropic.feed(
        R"(data: {"type":"content_block_start","content_block":{"type":"tool_use","id":"t)" + n +
        R"(","name":"look"}})"
        "\n"
        R"(data: {"type":"content_block_delta","delta":{"partial_json":"{\"n\":)" +
        n + "}\"}}\n"));
    ASSERT_TRUE(openai.feed(
        R"(data: {"choices":[{"delta":{"tool_calls":[{"index":)" + n + R"(,"id":"t)" + n +
        R"(","function":{"name":"look","arguments":"{\"n\":)" + n + "}\"}}]}}]}\n"));
  }
  for (const Stream* stream : {&anthropic, &openai}) {
    ASSERT_EQ(stream->answer().calls.size(), 8u);
    for (std::size_t i = 0; i < 8; ++i)
      EXPECT_EQ(stream->answer().calls[i].arguments, "{\"n\":" + std::to_string(i) + "}");
  }
}

TEST(ToolLoop, TheSameCallIsTheSameHoweverItIsWritten) {
  const auto same = [](const char* a, const char* b) {
    return same_call({"1", "look", a}) == same_call({"2", "look", b});
  };
  EXPECT_TRUE(same(R"({"a":1,"b":{"c":2,"d":3}})", R"( {"b": {"d":3, "c":2}, "a":1} )"));
  EXPECT_FALSE(same(R"({"a":1})", R"({"a":2})"));
  EXPECT_FALSE(same(R"({"a":[1,2]})", R"({"a":[2,1]})"));
  EXPECT_FALSE(same("not JSON", "neither"));
}

TEST(Protocol, RepairTurnsFollowTheProtocol) {
  for (const Api api : {Api::openai, Api::anthropic}) {
    Question q = question(Form::tool, false);
    Answer answer;
    answer.calls = {{"id1", "diagnosis", R"({"a":1})"}};
    add_repair(q, answer, "a is no text");
    const std::string body = request_body(api, q);
    EXPECT_NE(body.find("a is no text"), std::string::npos);
    EXPECT_NE(body.find(api == Api::openai ? R"("role":"tool","tool_call_id":"id1")"
                                           : R"("type":"tool_result","tool_use_id":"id1")"),
              std::string::npos)
        << body;
  }
}

TEST(Protocol, Addresses) {
  EXPECT_EQ(request_url(Api::openai, "http://h/v1/"), "http://h/v1/chat/completions");
  EXPECT_EQ(request_url(Api::anthropic, "https://h"), "https://h/v1/messages");
  EXPECT_EQ(request_headers(Api::openai, "").size(), 2u);
}

TEST(Protocol, WholeAnswers) {
  const auto text = read_answer(
      Api::openai,
      R"({"choices":[{"message":{"role":"assistant","content":"```json\n{\"a\":\"x\"}\n```"},)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3}})");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->json(), R"({"a":"x"})");
  EXPECT_TRUE(text->ended && !text->cut);
  EXPECT_EQ(text->prompt_tokens, 12);
  const auto uncounted =
      read_answer(Api::openai, R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],)"
                               R"("usage":{"prompt_tokens":0,"completion_tokens":0}})");
  ASSERT_TRUE(uncounted);
  EXPECT_EQ(uncounted->prompt_tokens, -1) << "not said, and not a context that was cut";
  const auto tool = read_answer(
      Api::anthropic,
      R"({"content":[{"type":"text","text":"so: "},{"type":"tool_use","id":"t","name":"diagnosis",)"
      R"("input":{"a":"x"}}],"stop_reason":"max_tokens","usage":{"input_tokens":5,)"
      R"("cache_read_input_tokens":7,"output_tokens":2}})");
  ASSERT_TRUE(tool);
  EXPECT_EQ(tool->json(), R"({"a":"x"})");
  EXPECT_TRUE(tool->cut);
  EXPECT_EQ(tool->prompt_tokens, 12);
  for (const char* bad : {"", "null", "[]", "{}", "<html>", R"({"choices":[]})",
                          R"({"choices":[7]})", R"({"content":"x"})"}) {
    EXPECT_FALSE(read_answer(Api::openai, bad)) << bad;
    EXPECT_FALSE(read_answer(Api::anthropic, bad)) << bad;
  }
}

constexpr const char* kOpenAiStream =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
    ": a comment\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"a\\\":\"}}]}\r\n\r\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"1}\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";
constexpr const char* kAnthropicStream =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
    "{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"d\",\"input\":{}}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"{\\\"a\\\":\"}}\n\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"1}\"}}\n\n"
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":"
    "{\"output_tokens\":7}}\n\ndata: {\"type\":\"message_stop\"}\n\n";

// Whatever the pieces that the network makes of it.
TEST(Protocol, StreamsInAnyPieces) {
  for (const auto& [api, all] : {std::pair(Api::openai, std::string_view(kOpenAiStream)),
                                 std::pair(Api::anthropic, std::string_view(kAnthropicStream))}) {
    for (std::size_t size = 1; size < 40; size += 3) {
      Stream stream(api);
      for (std::size_t at = 0; at < all.size(); at += size)
        ASSERT_TRUE(stream.feed(all.substr(at, size))) << stream.error();
      EXPECT_EQ(stream.answer().json(), R"({"a":1})");
      EXPECT_TRUE(stream.answer().ended);
      EXPECT_EQ(stream.answer().prompt_tokens, api == Api::openai ? 4 : 9);
    }
    Stream broken(api);
    EXPECT_TRUE(broken.feed(all.substr(0, all.size() / 3)));
    EXPECT_FALSE(broken.answer().ended);
  }
}

TEST(Protocol, HostileStreamsEnd) {
  Stream error(Api::anthropic);
  EXPECT_FALSE(
      error.feed("data: {\"type\":\"error\",\"error\":{\"message\":\"over\\u001b[31mloaded\"}}\n"));
  EXPECT_EQ(error.error().find('\x1b'), std::string::npos);
  Stream nonsense(Api::openai);
  EXPECT_FALSE(nonsense.feed("data: {\n"));
  Stream many(Api::openai);
  for (int i = 0; i < 20; ++i)
    (void)many.feed("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":" +
                    std::to_string(i * 1'000'000) + ",\"function\":{\"arguments\":\"x\"}}]}}]}\n");
  EXPECT_LE(many.answer().calls.size(), 8u);
  Stream endless(Api::openai);
  const std::string line =
      "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(60'000, 'x') + "\"}}]}\n";
  int rounds = 0;
  while (endless.feed(line) && rounds < 1'000) ++rounds;
  EXPECT_LT(rounds, 100);
}

TEST(Retry, AsTheOfficialClientsDo) {
  EXPECT_EQ(retry_after(429, {{"retry-after-ms", "120"}, {"retry-after", "9"}}, 0, 0), 120);
  EXPECT_EQ(retry_after(429, {{"retry-after", "2"}}, 0, 0.5), 2'000);
  EXPECT_EQ(retry_after(503, {{"retry-after", "soon"}}, 0, 0), 500);
  EXPECT_EQ(retry_after(500, {}, 1, 0), 1'000);
  EXPECT_EQ(retry_after(0, {}, 0, 1), 375);
  EXPECT_EQ(retry_after(500, {}, 2, 0), std::nullopt);
  EXPECT_EQ(retry_after(429, {{"retry-after", "86400"}}, 0, 0), std::nullopt);
  for (const int status : {408, 409, 429, 500, 529}) EXPECT_TRUE(retry_after(status, {}, 0, 0));
  for (const int status : {200, 400, 401, 403, 404, 422})
    EXPECT_FALSE(retry_after(status, {}, 0, 0));
}

}  // namespace
}  // namespace hitless::llm
