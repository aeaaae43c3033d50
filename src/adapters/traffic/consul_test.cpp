// Consul's traps, on a fake of its API. What every driver must do: tests/conformance.
#include "adapters/traffic/consul.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/traffic/consul_reply.hpp"
#include "fake_lb.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;

TEST(ConsulReply, OnlyItsOwnChecksAndItsNodesCount) {
  const auto checks = parse_consul_checks(
      R"({"1":{"CheckID":"service:a","ServiceID":"a","Status":"passing"},
          "2":{"CheckID":"mem","ServiceID":"","Status":"warning"},
          "3":{"CheckID":"service:b","ServiceID":"b","Status":"critical"},
          "4":{"CheckID":"_service_maintenance:ab","ServiceID":"ab","Status":"critical"}})",
      "a");
  ASSERT_TRUE(checks);
  EXPECT_EQ(checks->others, 2);
  EXPECT_EQ(checks->failing, 1);
  EXPECT_FALSE(checks->maintenance);
  EXPECT_FALSE(parse_consul_checks("[]", "a"));
  EXPECT_FALSE(parse_consul_checks("rpc error", "a"));
  const std::string entry =
      R"({"Node":{"Node":"n1"},"Service":{"ID":"a"},"Checks":[{"Status":"passing"}]})";
  EXPECT_TRUE(parse_consul_health("[" + entry + "]", "a", "n1")->passing);
  EXPECT_FALSE(parse_consul_health("[" + entry + "]", "a", "n2")->known) << "another node's";
  EXPECT_FALSE(parse_consul_health(R"([{"Node":{}}])", "a", "n1"));
}

class ConsulDriver : public testing::Test {
 protected:
  tests::FakeLb fake_{"consul", R"({"members":{"web-a":3},"checks":"","token":"t\"1"})"};
  DurationMs spread_ms_ = 10'000;
  std::string token_ = "t\"1", id_ = "web-a";
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    ConsulPool pool;
    pool.lb = "catalogue";
    pool.service = "web";
    pool.url = fake_.url();
    pool.settle_ms = 100;
    pool.spread_ms = spread_ms_;
    pool.token = [this] { return Result<std::string>(token_); };
    pool.members = {{core::InstanceId{"web@a"}, host, id_, 3}};
    return make_consul(std::move(pool));
  }};
};

// The agent says maintenance, but the servers have not heard of it: clients still get it.
TEST_F(ConsulDriver, WhatTheCatalogueStillGivesIsNotOut) {
  fake_.deafen();
  spread_ms_ = 500;
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("still gives web-a as passing"));
  const core::TargetReport report = driver_.read("web@a");
  EXPECT_EQ(report.admin, AdminState::ready);
  EXPECT_THAT(report.note, HasSubstr("still gives"));
}

TEST_F(ConsulDriver, TheReasonSaysWhoseHandItWas) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain);
  fake_.restart();
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain) << "it outlives the agent";
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready);
}

TEST_F(ConsulDriver, MistakesAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("DNS"));
  id_ = "web-x";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::absent);
  EXPECT_THAT(driver_.capabilities(), HasSubstr("no instance web-x"));
  token_ = "other";
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("service:write"));
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::unknown);
  EXPECT_EQ(driver_.read("web@a").in_flight, std::nullopt);
}

}  // namespace
}  // namespace hitless::traffic
