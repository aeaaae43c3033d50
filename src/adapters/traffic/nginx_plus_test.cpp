// NGINX Plus' traps, on a fake of its API. What every driver must do: tests/conformance.
#include "adapters/traffic/nginx_plus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/traffic/nginx_plus_reply.hpp"
#include "fake_lb.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;

TEST(NginxPlusReply, WhatIsNotThereIsUnknown) {
  const auto peers = parse_nginx_peers(
      R"({"peers":[{"id":0,"server":"a:1","state":"up","active":2},{"id":1,"server":"b:1"}]})");
  ASSERT_TRUE(peers);
  EXPECT_EQ(peers->at("a:1").active, 2);
  EXPECT_EQ(peers->at("a:1").requests, std::nullopt);
  EXPECT_EQ(peers->at("b:1").active, std::nullopt);
  EXPECT_FALSE(parse_nginx_peers(R"({"peers":[{"server":"a:1"}]})"));
  EXPECT_FALSE(parse_nginx_peers(R"({"peers":[{"id":0,"server":"a:1"},{"id":1,"server":"a:1"}]})"))
      << "which of them?";
  EXPECT_FALSE(parse_nginx_peers("<html>"));
  EXPECT_EQ(parse_nginx_time("1970-01-02T00:00:01.5Z"), 86'401);
  for (const char* bad : {"", "yesterday", "2026-13-01T00:00:00Z"})
    EXPECT_EQ(parse_nginx_time(bad), std::nullopt) << bad;
  EXPECT_FALSE(parse_nginx_info(R"({"generation":1,"ppid":2})"));
  EXPECT_EQ(nginx_error(R"({"error":{"code":"UpstreamStatic","text":"it is static"}})"),
            "UpstreamStatic: it is static");
}

class NginxPlusDriver : public testing::Test {
 protected:
  explicit NginxPlusDriver(const std::string& checks = R"("")")
      : fake_("nginx_plus", R"({"members":{"a":3,"b":4},"checks":)" + checks +
                                R"(,"authorization":"Basic aGl0bGVzczpwYSJzc1x3ZA=="})") {}
  tests::FakeLb fake_;
  std::string upstream_ = "web", server_ = "127.0.0.1:3", password_ = "pa\"ss\\wd";
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    NginxPlusPool pool;
    pool.lb = "edge";
    pool.upstream = upstream_;
    pool.nodes = {{"lb-1", host, fake_.url() + "/api/9"}};
    pool.members = {{core::InstanceId{"web@a"}, server_}};
    pool.sockets = {{core::InstanceId{"web@a"}, host, 0}};  // cannot be counted
    pool.user = "hitless";
    pool.password = [this] { return Result<std::string>(password_); };
    return make_nginx_plus(std::move(pool));
  }};
};

TEST_F(NginxPlusDriver, ASecretReachesItAndAWrongOneIsTold) {
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready) << driver_.read("web@a").note;
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain);
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  password_ = "wrong";
  EXPECT_THAT(driver_.read("web@a").note, HasSubstr("401"));
  EXPECT_THAT(driver_.read("web@a").note, testing::Not(HasSubstr("wrong")));
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("401"));
}

// Old workers go on with what the new count does not know, and here no sockets can be counted.
TEST_F(NginxPlusDriver, AfterAReloadItsCountIsNotBelieved) {
  EXPECT_EQ(driver_.read("web@a").in_flight, 0);
  fake_.reload();
  EXPECT_EQ(driver_.read("web@a").in_flight, std::nullopt);
  EXPECT_NE(driver_.read("web@a").epoch, "");
}

class SickNginxPlus : public NginxPlusDriver {
 protected:
  SickNginxPlus() : NginxPlusDriver(R"("/healthz","sick_hides_drain":true)") {}
};

// Only `up` says that it does not drain: a rejoin is told as long as its check fails.
TEST_F(SickNginxPlus, ADrainBehindAFailedCheckIsTakenBack) {
  ASSERT_TRUE(eventually([&] { return driver_.read("web@a").check == core::LbCheck::fail; }));
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("`unhealthy` after it was drained"));
  EXPECT_EQ(driver_.rejoin("web@a"), "ok");
  (void)fake_.ask("POST", "/_fake", R"({"do":"unhide"})");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready) << "still draining";
}

TEST_F(NginxPlusDriver, MistakesOfTheConfigurationAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("sticky"));
  EXPECT_THAT(driver_.capabilities(), HasSubstr("`draining` by somebody else"));
  EXPECT_THAT(driver_.capabilities(), HasSubstr("after 10 minutes"));
  server_ = "127.0.0.1:33";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::absent);
  EXPECT_THAT(driver_.capabilities(), HasSubstr("did you mean 127.0.0.1:3?"));
  upstream_ = "none";
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("404"));
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::unknown);
}

}  // namespace
}  // namespace hitless::traffic
