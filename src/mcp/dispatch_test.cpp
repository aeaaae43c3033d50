#include "mcp/dispatch.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "mcp/http.hpp"
#include "mcp/modern.hpp"
#include "mcp/offer_for_tests.hpp"
#include "mcp/server.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;

struct World {
  SmallOffer offer;
  int made = 0;
  Server server{&offer, [this] { return "session-" + std::to_string(++made); }};
  std::vector<json::object> sent;

  Reply post(std::string body, Headers headers) {
    Reply reply;
    run_until_done([&]() -> Task<void> {
      reply = co_await server.handle(
          std::move(body), std::move(headers), nullptr,
          [this](json::object m) { sent.push_back(std::move(m)); }, std::make_shared<Signal>());
    });
    return reply;
  }
  Reply line(std::string body, Session* session) {
    Reply reply;
    run_until_done([&]() -> Task<void> {
      reply = co_await server.handle(
          std::move(body), std::nullopt, session,
          [this](json::object m) { sent.push_back(std::move(m)); }, std::make_shared<Signal>());
    });
    return reply;
  }
};

constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"VERSION","capabilities":{},"clientInfo":{"name":"t","version":"1"}}})";

std::string initialize(const std::string& version) {
  std::string text = kInitialize;
  return text.replace(text.find("VERSION"), 7, version);
}

std::string request(const std::string& method, const std::string& params = "{}") {
  return R"({"jsonrpc":"2.0","id":7,"method":")" + method + R"(","params":)" + params + "}";
}

constexpr const char* kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

Headers modern(const std::string& method, const std::string& name = {}) {
  Headers headers{{{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", method}}};
  if (!name.empty()) headers.all.emplace_back("mcp-name", name);
  return headers;
}

int code_of(const Reply& reply) {
  const json::object* error = object_at(reply.body, "error");
  return error == nullptr ? 0 : static_cast<int>(error->at("code").as_int64());
}

const json::object& result_of(const Reply& reply) {
  return reply.body.at("result").as_object();
}

TEST(Legacy, NegotiatesTheVersionAndOpensASession) {
  World world;
  const Reply same = world.post(initialize("2025-06-18"), {});
  EXPECT_EQ(same.status, 200);
  EXPECT_EQ(same.session, "session-1");
  EXPECT_EQ(result_of(same).at("protocolVersion"), "2025-06-18");
  const Reply other = world.post(initialize("2019-01-01"), {});
  EXPECT_EQ(result_of(other).at("protocolVersion"), "2025-11-25");
}

TEST(Legacy, StatusOfSessionsAndVersions) {
  World world;
  const std::string session = world.post(initialize("2025-11-25"), {}).session;
  const Headers good{{{"mcp-session-id", session}, {"mcp-protocol-version", "2025-11-25"}}};
  EXPECT_EQ(world.post(request("tools/list"), good).status, 200);
  EXPECT_EQ(world.post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", good).status,
            202);
  EXPECT_EQ(world.post(request("tools/list"), {}).status, 400);
  EXPECT_EQ(world.post(request("tools/list"), {{{"mcp-session-id", "other"}}}).status, 404);
  EXPECT_EQ(world
                .post(request("tools/list"),
                      {{{"mcp-session-id", session}, {"mcp-protocol-version", "1999"}}})
                .status,
            400);
  EXPECT_TRUE(world.server.close_session(session));
  EXPECT_EQ(world.post(request("tools/list"), good).status, 404);
}

TEST(Legacy, AtMostSoManySessionsTheLeastUsedGoes) {
  World world;
  const std::string first = world.post(initialize("2025-11-25"), {}).session;
  const std::string second = world.post(initialize("2025-11-25"), {}).session;
  for (std::size_t i = 2; i < kMaxSessions; ++i) (void)world.post(initialize("2025-11-25"), {});
  EXPECT_EQ(world.post(request("ping"), {{{"mcp-session-id", first}}}).status, 200);
  (void)world.post(initialize("2025-11-25"), {});
  EXPECT_EQ(world.post(request("ping"), {{{"mcp-session-id", first}}}).status, 200);
  EXPECT_EQ(world.post(request("ping"), {{{"mcp-session-id", second}}}).status, 404);
}

TEST(Modern, HeadersHaveToAgreeWithTheBody) {
  World world;
  const std::string list = request("tools/list", std::string("{") + kMeta + "}");
  EXPECT_EQ(world.post(list, modern("tools/list")).status, 200);
  const auto refused = [&](const std::string& body, const Headers& headers, int code) {
    const Reply reply = world.post(body, headers);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(code_of(reply), code) << json::serialize(reply.body);
    EXPECT_EQ(reply.body.at("id"), 7);
  };
  refused(list, modern("prompts/list"), kHeaderMismatch);
  refused(list, modern("TOOLS/LIST"), kHeaderMismatch);
  refused(list, {{{"mcp-protocol-version", "2026-07-28"}}}, kHeaderMismatch);
  refused(list, {{{"mcp-method", "tools/list"}}}, kHeaderMismatch);
  refused(list, {{{"mcp-method", "tools/list"}, {"mcp-protocol-version", "2025-11-25"}}},
          kHeaderMismatch);
  refused(request("tools/list"), modern("tools/list"), kInvalidParams);
  refused(request("tools/list",
                  R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}})"),
          modern("tools/list"), kInvalidParams);
  const std::string call = request("tools/call", std::string(R"({"name":"echo",)") + kMeta + "}");
  EXPECT_EQ(world.post(call, modern("tools/call", "echo")).status, 200);
  EXPECT_EQ(world.post(call, modern("tools/call", "=?base64?ZWNobw==?=")).status, 200);
  refused(call, modern("tools/call", "other"), kHeaderMismatch);
  refused(call, modern("tools/call"), kHeaderMismatch);
  refused(call, modern("tools/call", "=?base64?ZWNobw?="), kHeaderMismatch);
  EXPECT_EQ(world.offer.calls, 2);
}

TEST(Modern, UnknownVersionNamesThoseThatAreSupported) {
  World world;
  std::string meta = kMeta;
  meta.replace(meta.find("2026-07-28"), 10, "v999.0.0");
  Headers headers = modern("server/discover");
  headers.all[0].second = "v999.0.0";
  const Reply reply = world.post(request("server/discover", "{" + meta + "}"), headers);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(code_of(reply), kUnsupportedVersion);
  const json::object& data = reply.body.at("error").at("data").as_object();
  EXPECT_EQ(data.at("requested"), "v999.0.0");
  const Reply discovered = world.post(request("server/discover", std::string("{") + kMeta + "}"),
                                      modern("server/discover"));
  EXPECT_EQ(result_of(discovered).at("supportedVersions"), data.at("supported"));
  EXPECT_EQ(result_of(discovered).at("resultType"), "complete");
  EXPECT_EQ(result_of(discovered).at("_meta").at(kMetaServerInfo).at("name"), "small");
  EXPECT_TRUE(result_of(discovered).contains("ttlMs"));
}

TEST(Modern, WhatIsGoneAndWhatIsUnknownIs404) {
  World world;
  for (const char* method :
       {"initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"}) {
    const Reply reply = world.post(request(method, std::string("{") + kMeta + "}"), modern(method));
    EXPECT_EQ(reply.status, 404) << method;
    EXPECT_EQ(code_of(reply), kMethodNotFound) << method;
  }
}

TEST(Both, UnknownToolsAreInvalidParamsAndLegacyStaysAt200) {
  World world;
  const std::string session = world.post(initialize("2025-11-25"), {}).session;
  const Reply legacy =
      world.post(request("tools/call", R"({"name":"rm"})"), {{{"mcp-session-id", session}}});
  EXPECT_EQ(code_of(legacy), kInvalidParams);
  EXPECT_EQ(legacy.status, 200);
  const Reply modern_one =
      world.post(request("tools/call", std::string(R"({"name":"rm",)") + kMeta + "}"),
                 modern("tools/call", "rm"));
  EXPECT_EQ(code_of(modern_one), kInvalidParams);
}

TEST(Both, PagesAreStableAndForeignCursorsRefused) {
  World world;
  world.offer.many = 120;
  Session session;
  (void)world.line(initialize("2025-11-25"), &session);
  std::vector<std::string> names;
  std::string params = "{}";
  for (int page = 0; page < 3; ++page) {
    const Reply reply = world.line(request("tools/list", params), &session);
    for (const json::value& tool : result_of(reply).at("tools").as_array())
      names.emplace_back(tool.at("name").as_string());
    const json::value* next = result_of(reply).if_contains("nextCursor");
    EXPECT_EQ(next != nullptr, page < 2);
    if (next != nullptr) params = R"({"cursor":)" + json::serialize(*next) + "}";
  }
  EXPECT_EQ(names.size(), 120u);
  EXPECT_EQ(names.back(), "tool_119");
  for (const char* bad : {R"({"cursor":"p0"})", R"({"cursor":"p999"})", R"({"cursor":"x5"})",
                          R"({"cursor":5})", R"({"cursor":""})", R"({"cursor":"p-1"})"})
    EXPECT_EQ(code_of(world.line(request("tools/list", bad), &session)), kInvalidParams) << bad;
}

TEST(Both, BadInputIsAnErrorAndNothingElse) {
  World world;
  Session session;
  const auto code = [&](std::string text) {
    return code_of(world.line(std::move(text), &session));
  };
  EXPECT_EQ(code("nonsense"), kParseError);
  EXPECT_EQ(code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}"), kParseError);
  EXPECT_EQ(code("[]"), kInvalidRequest);
  EXPECT_EQ(code("[" + request("ping") + "]"), kInvalidRequest);
  EXPECT_EQ(code("7"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"1.0","id":1,"method":"ping"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":{},"method":"ping"})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":7})"), kInvalidRequest);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[1]})"), kInvalidParams);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1})"), kInvalidRequest);
  EXPECT_EQ(code(std::string(100'000, '[')), kParseError);
  EXPECT_EQ(code(std::string(kMaxMessageBytes + 1, ' ')), kInvalidRequest);
  EXPECT_EQ(code(request("tools/list")), kInvalidRequest) << "not initialized";
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})"), kInvalidParams);
  (void)world.line(initialize("2025-11-25"), &session);
  EXPECT_EQ(code(request("tools/call", R"({"arguments":{}})")), kInvalidParams);
  EXPECT_EQ(world.line(R"({"jsonrpc":"2.0","id":"x","result":{}})", &session).status, 202);
}

TEST(Both, ProgressOnlyWithATokenAndLogsOnlyFromTheLevelAskedFor) {
  World world;
  Session session;
  (void)world.line(initialize("2025-11-25"), &session);
  (void)world.line(request("tools/call", R"({"name":"echo"})"), &session);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].at("method"), "notifications/message");
  world.sent.clear();
  (void)world.line(request("tools/call", R"({"name":"echo","_meta":{"progressToken":"t"}})"),
                   &session);
  ASSERT_EQ(world.sent.size(), 2u);
  EXPECT_EQ(world.sent[0].at("params").at("progressToken"), "t");
  world.sent.clear();
  (void)world.post(request("tools/call", std::string(R"({"name":"echo",)") + kMeta + "}"),
                   modern("tools/call", "echo"));
  EXPECT_TRUE(world.sent.empty()) << "the modern era sends no log line that was not asked for";
}

// A ping may come before initialize, but only as a request: nothing else of that name has a
// session.
TEST(Both, APingThatIsNoRequestBeforeInitializeIsIgnored) {
  World world;
  Session session;
  const Reply reply = world.line(R"({"jsonrpc":"2.0","method":"ping"})", &session);
  EXPECT_EQ(reply.status, 202);
  EXPECT_TRUE(reply.body.empty());
  EXPECT_EQ(world.line(request("ping"), &session).status, 200);
}

// Clients of the modern era share no session, and each numbers its requests from 1.
TEST(Modern, TwoClientsMayUseTheSameIdAtTheSameTime) {
  World world;
  world.offer.takes_ms = 50;
  const std::string call = request("tools/call", std::string(R"({"name":"echo",)") + kMeta + "}");
  std::vector<Reply> replies(2);
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (Reply& reply : replies)
      tasks.push_back([](World* w, std::string body, Reply* out) -> Task<void> {
        *out = co_await w->server.handle(std::move(body), modern("tools/call", "echo"), nullptr, {},
                                         std::make_shared<Signal>());
      }(&world, call, &reply));
    co_await join_all(std::move(tasks));
  });
  for (const Reply& reply : replies) EXPECT_EQ(reply.status, 200) << json::serialize(reply.body);
  for (const Reply& reply : replies) EXPECT_EQ(code_of(reply), 0) << json::serialize(reply.body);
}

TEST(Legacy, TheSameIdTwiceAtOnceIsRefusedAndSaysSo) {
  World world;
  world.offer.takes_ms = 50;
  Session session;
  (void)world.line(initialize("2025-11-25"), &session);
  std::vector<Reply> replies(2);
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (Reply& reply : replies)
      tasks.push_back([](World* w, Session* s, Reply* out) -> Task<void> {
        *out = co_await w->server.handle(request("tools/call", R"({"name":"echo"})"), std::nullopt,
                                         s, {}, std::make_shared<Signal>());
      }(&world, &session, &reply));
    co_await join_all(std::move(tasks));
  });
  EXPECT_EQ(code_of(replies[0]), 0);
  EXPECT_EQ(replies[1].body.at("error").at("message"), "a request with this id is still under way");
}

TEST(Both, ACancelledRequestIsAbandoned) {
  World world;
  world.offer.takes_ms = 60'000;
  Session session;
  (void)world.line(initialize("2025-11-25"), &session);
  Reply reply;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    tasks.push_back([](World* w, Session* s, Reply* out) -> Task<void> {
      *out = co_await w->server.handle(request("tools/call", R"({"name":"echo"})"), std::nullopt, s,
                                       {}, std::make_shared<Signal>());
    }(&world, &session, &reply));
    tasks.push_back([](World* w, Session* s) -> Task<void> {
      co_await sleep_for(20);
      (void)co_await w->server.handle(
          R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})",
          std::nullopt, s, {}, std::make_shared<Signal>());
    }(&world, &session));
    co_await join_all(std::move(tasks));
  });
  EXPECT_EQ(code_of(reply), kInternalError);
  EXPECT_FALSE(world.offer.finished);
}

HttpAsked asked(HttpHeaders headers, std::string method = "POST") {
  HttpAsked made;
  made.method = std::move(method);
  made.target = "/mcp";
  made.headers = std::move(headers);
  made.headers.emplace_back("content-type", "application/json");
  return made;
}

TEST(HttpGate, HostOriginTokenAndTypes) {
  HttpOptions options;
  options.token = "secret";
  const std::pair<std::string, std::string> token{"authorization", "Bearer secret"};
  EXPECT_EQ(gate_of(asked({{"host", "127.0.0.1:80"}, token}), options), 0);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, token}), options), 0);
  EXPECT_EQ(gate_of(asked({{"host", "[::1]:8080"}, token}), options), 0);
  EXPECT_EQ(gate_of(asked({token}), options), 403);
  EXPECT_EQ(gate_of(asked({{"host", "evil.example.com"}, token}), options), 403);
  EXPECT_EQ(gate_of(asked({{"host", "localhost.evil.com"}, token}), options), 403);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, {"host", "evil.com"}, token}), options), 403);
  EXPECT_EQ(
      gate_of(asked({{"host", "localhost"}, {"origin", "http://localhost:3000"}, token}), options),
      0);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, {"origin", "http://evil.com"}, token}), options),
            403);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, {"origin", "null"}, token}), options), 403);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}}), options), 401);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, {"authorization", "Bearer secre"}}), options),
            401);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, {"authorization", "secret"}}), options), 401);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, token}, "GET"), options), 405);
  EXPECT_EQ(gate_of(asked({{"host", "localhost"}, token, {"accept", "text/html"}}), options), 406);
  EXPECT_EQ(
      gate_of(
          asked({{"host", "localhost"}, token, {"accept", "application/json, text/event-stream"}}),
          options),
      0);
}

}  // namespace
}  // namespace hitless::mcp
