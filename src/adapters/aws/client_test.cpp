#include "adapters/aws/client.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <ctime>

#include "adapters/aws/account.hpp"
#include "adapters/aws/providers.hpp"
#include "adapters/aws/sigv4.hpp"
#include "tiny_server.hpp"

namespace hitless::aws {
namespace {

using tests::TinyServer;

const std::string kGood = "<XResponse><XResult><A>1</A></XResult><ResponseMetadata/></XResponse>";

std::string error_xml(const std::string& code, const std::string& message = "no") {
  return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message +
         "</Message></Error><RequestId>r</RequestId></ErrorResponse>";
}

// Gives key number 1, 2, … after each forget().
class Numbered final : public CredentialSource {
 public:
  [[nodiscard]] std::string describe() const override { return "test"; }
  Task<Result<Credentials>> get() override {
    co_return Credentials{"AKID" + std::to_string(number), Secret("SECRETKEY"),
                          Secret("TOKENTOKEN"), std::nullopt, "test"};
  }
  void forget() override { ++number; }
  int number = 1;
};

struct World {
  explicit World(TinyServer::Handler handler) : server(std::move(handler)) {}
  TinyServer server;
  std::shared_ptr<Numbered> keys = std::make_shared<Numbered>();
  DurationMs offset_ms = 0;

  ApiResult<Xml> call(CallLimits limits = {}) {
    Client client({kElbv2, "http://127.0.0.1:" + std::to_string(server.port()), "eu-west-1", {}},
                  keys);
    ApiResult<Xml> result = tl::unexpected(ApiError{});
    const auto run = [&]() -> Task<void> {
      Params params;
      params.add("P", "v");
      result = co_await client.call("X", std::move(params), limits);
    };
    run_until_done([&] { return run(); });
    offset_ms = client.clock_offset_ms();
    return result;
  }
};

TEST(AwsClient, TheResultIsParsedAndTheRequestSigned) {
  std::string head;
  World world([&](const std::string&, const std::string& h) {
    head = h;
    return TinyServer::Answer{200, kGood, "", false, false};
  });
  const auto result = world.call();
  ASSERT_TRUE(result) << describe(result.error().error);
  EXPECT_EQ(result->value("A"), "1");
  EXPECT_NE(head.find("Credential=AKID1/"), std::string::npos) << head;
  EXPECT_NE(head.find("/eu-west-1/elasticloadbalancing/aws4_request"), std::string::npos);
  EXPECT_NE(head.find("Host: 127.0.0.1:" + std::to_string(world.server.port())), std::string::npos);
}

TEST(AwsClient, WhatPassesIsTriedAgainAndWhatDoesNotIsNot) {
  const std::vector<std::pair<TinyServer::Answer, int>> cases = {
      {{400, error_xml("Throttling"), "", false, false}, 2},
      {{500, error_xml("HealthUnavailable"), "", false, false}, 2},
      {{503, "<html>busy</html>", "", false, false}, 2},
      {{200, "", "", false, true}, 2},
      {{400, error_xml("TargetGroupNotFound"), "", false, false}, 1},
      {{403, error_xml("AccessDenied"), "", false, false}, 1},
      {{200, "no xml", "", false, false}, 1},
      {{200, "<!DOCTYPE a><a/>", "", false, false}, 1},
      {{404, "", "", false, false}, 1}};
  for (const auto& [answer, requests] : cases) {
    World world([&](const std::string&, const std::string&) { return answer; });
    const auto result = world.call({10'000, 2'000, 2});
    EXPECT_FALSE(result);
    EXPECT_EQ(world.server.requests(), requests) << answer.body;
  }
}

TEST(AwsClient, ErrorsAreToldByCodeNotByStatus) {
  World throttled([](const std::string&, const std::string&) {
    return TinyServer::Answer{400, error_xml("Throttling"), "", false, false};
  });
  const auto slow = throttled.call({2'000, 2'000, 1});
  EXPECT_TRUE(slow.error().throttled);
  EXPECT_EQ(slow.error().error.code, ErrorCode::unavailable);
  World missing([](const std::string&, const std::string&) {
    return TinyServer::Answer{400, error_xml("TargetGroupNotFound"), "", false, false};
  });
  const auto none = missing.call();
  EXPECT_EQ(none.error().code, "TargetGroupNotFound");
  EXPECT_EQ(none.error().error.code, ErrorCode::not_found);
  EXPECT_NE(none.error().error.what.find("X: TargetGroupNotFound: no"), std::string::npos);
}

// EC2's way of saying it.
TEST(AwsClient, AnErrorInAListIsReadToo) {
  World world([](const std::string&, const std::string&) {
    return TinyServer::Answer{400,
                              "<Response><Errors><Error><Code>RequestLimitExceeded</Code>"
                              "<Message>slow down</Message></Error></Errors>"
                              "<RequestID>r</RequestID></Response>",
                              "", false, false};
  });
  const auto result = world.call({2'000, 2'000, 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "RequestLimitExceeded");
  EXPECT_TRUE(result.error().throttled);
}

TEST(AwsClient, ThePauseThatTheServerAsksForIsKept) {
  int asked = 0;
  World world([&](const std::string&, const std::string&) {
    if (++asked > 1) return TinyServer::Answer{200, kGood, "", false, false};
    return TinyServer::Answer{503, error_xml("Throttling"), "x-amz-retry-after: 1500\r\n", false,
                              false};
  });
  const TimeMs began = steady_now_ms();
  EXPECT_TRUE(world.call({20'000, 10'000, 3}));
  EXPECT_GE(steady_now_ms() - began, 1'500);
  EXPECT_EQ(asked, 2);
}

TEST(AwsClient, NoKeyTokenOrQuotedRequestIsEverShown) {
  World world([](const std::string&, const std::string&) {
    return TinyServer::Answer{403,
                              error_xml("SignatureDoesNotMatch",
                                        "It does not match TOKENTOKEN SECRETKEY.\nThe Canonical "
                                        "String was\nx-amz-security-token:TOKENTOKEN"),
                              "", false, false};
  });
  const auto result = world.call();
  const std::string text = describe(result.error().error);
  EXPECT_EQ(text.find("TOKENTOKEN"), std::string::npos) << text;
  EXPECT_EQ(text.find("SECRETKEY"), std::string::npos) << text;
  EXPECT_NE(text.find("It does not match"), std::string::npos) << text;
}

TEST(AwsClient, AWrongClockIsCorrectedOnce) {
  char date[64];
  const std::time_t ahead = std::time(nullptr) + 3'600;
  std::tm parts{};
  ::gmtime_r(&ahead, &parts);
  std::strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
  const std::string wanted = amz_date(static_cast<TimeMs>(ahead) * 1000).substr(0, 11);
  World world([&](const std::string&, const std::string& head) {
    const bool right = head.find("X-Amz-Date: " + wanted) != std::string::npos;
    return right ? TinyServer::Answer{200, kGood, date, false, false}
                 : TinyServer::Answer{403, error_xml("SignatureDoesNotMatch", "Signature expired"),
                                      date, false, false};
  });
  const auto result = world.call();
  EXPECT_TRUE(result) << describe(result.error().error);
  EXPECT_EQ(world.server.requests(), 2);
  EXPECT_NEAR(static_cast<double>(world.offset_ms), 3'600'000.0, 60'000.0);
}

TEST(AwsClient, AWrongSecretIsNotMistakenForAWrongClock) {
  World world([](const std::string&, const std::string&) {
    return TinyServer::Answer{403, error_xml("SignatureDoesNotMatch"), "", false, false};
  });
  EXPECT_FALSE(world.call());
  EXPECT_EQ(world.server.requests(), 1);
}

TEST(AwsClient, ExpiredKeysAreFetchedAnewOnce) {
  World world([](const std::string&, const std::string& head) {
    const bool fresh = head.find("Credential=AKID2/") != std::string::npos;
    return fresh ? TinyServer::Answer{200, kGood, "", false, false}
                 : TinyServer::Answer{403, error_xml("ExpiredToken"), "", false, false};
  });
  EXPECT_TRUE(world.call());
  EXPECT_EQ(world.server.requests(), 2);
}

TEST(AwsMetadata, VersionTwoOnlyWithATokenAndTheRoleOfTheInstance) {
  const TinyServer::Handler handler = [](const std::string& path, const std::string& head) {
    if (path == "/latest/api/token")
      return head.starts_with("PUT") ? TinyServer::Answer{200, "tok", "", false, false}
                                     : TinyServer::Answer{405, "", "", false, false};
    if (head.find("X-aws-ec2-metadata-token: tok") == std::string::npos)
      return TinyServer::Answer{401, "", "", false, false};
    if (path.ends_with("/security-credentials/"))
      return TinyServer::Answer{200, "r1\n", "", false, false};
    if (path.ends_with("/r1"))
      return TinyServer::Answer{
          200, R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T"})", "",
          false, false};
    return TinyServer::Answer{200, "eu-north-1", "", false, false};
  };
  TinyServer server(handler);
  std::map<std::string, std::string> variables = {
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:" + std::to_string(server.port())}};
  const Environment env = [&](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
  Result<Credentials> keys = fail(ErrorCode::internal, "");
  Result<std::string> region = fail(ErrorCode::internal, "");
  const auto run = [&]() -> Task<void> {
    keys = co_await fetch_from_metadata(env);
    region = co_await region_from_metadata(env);
  };
  run_until_done([&] { return run(); });
  ASSERT_TRUE(keys) << describe(keys.error());
  EXPECT_EQ(keys->source, "instance role r1");
  EXPECT_EQ(region, "eu-north-1");
  variables["AWS_EC2_METADATA_DISABLED"] = "true";
  const int before = server.requests();
  run_until_done([&] { return run(); });
  EXPECT_FALSE(keys);
  EXPECT_EQ(server.requests(), before) << "nothing may be asked";
}

TEST(AwsContainer, TheTokenGoesAlongAndLineBreaksDoNot) {
  TinyServer server([](const std::string&, const std::string& head) {
    const bool right = head.find("Authorization: Basic x\r\n") != std::string::npos;
    return TinyServer::Answer{right ? 200 : 403,
                              R"({"AccessKeyId":"A","SecretAccessKey":"S","Token":"T"})", "", false,
                              false};
  });
  std::map<std::string, std::string> variables = {
      {"AWS_CONTAINER_CREDENTIALS_FULL_URI",
       "http://127.0.0.1:" + std::to_string(server.port()) + "/c"},
      {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic x"}};
  const Environment env = [&](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
  Result<Credentials> keys = fail(ErrorCode::internal, "");
  const auto run = [&]() -> Task<void> { keys = co_await fetch_from_container(env); };
  run_until_done([&] { return run(); });
  EXPECT_TRUE(keys);
  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Basic x\r\nHost: evil";
  run_until_done([&] { return run(); });
  EXPECT_FALSE(keys);
  EXPECT_EQ(server.requests(), 1);
}

TEST(AwsProcess, KeysByAProgramAndItsOutputIsNeverShown) {
  Result<Credentials> keys = fail(ErrorCode::internal, "");
  std::string command;
  const auto run = [&]() -> Task<void> { keys = co_await fetch_from_process(command); };
  command = R"(printf '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S"}')";
  run_until_done([&] { return run(); });
  EXPECT_TRUE(keys) << describe(keys.error());
  command = "sh -c 'echo SECRETOUTPUT; exit 3'";
  run_until_done([&] { return run(); });
  ASSERT_FALSE(keys);
  EXPECT_NE(keys.error().what.find("exit code 3"), std::string::npos);
  EXPECT_EQ(describe(keys.error()).find("SECRETOUTPUT"), std::string::npos);
  command = "/nonexistent/keys";
  run_until_done([&] { return run(); });
  EXPECT_FALSE(keys);
}

}  // namespace
}  // namespace hitless::aws
