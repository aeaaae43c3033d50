#include <gmock/gmock.h>

#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

std::string fleet_with(const std::string& lb, const std::string& pools,
                       const std::string& more = "") {
  return "version: 1\nhosts: { a: { address: 10.0.0.1 }, b: { address: 10.0.0.2 } }\n"
         "load_balancers:\n  alb: { kind: elbv2" +
         lb +
         " }\nservices:\n  web:\n    kind: systemd\n    unit: web.service\n    hosts: [a, b]\n"
         "    port: 80\n    health: { tcp: \"{address}:80\" }\n    pools: " +
         pools + "\n" + more;
}

TEST(Elbv2InTheFleetFile, KeysAndPlaceholders) {
  const auto result = load_text(fleet_with(
      ", region: eu-west-1, profile: ops, settle: 30s, counters: cloudwatch",
      "[ { lb: alb, target_group: web-tg }, { lb: alb, target_group: \"arn:aws:elb:x:1:t/w/6\", "
      "target: \"tag:Name={host}\", port: \"{port}\", availability_zone: all } ]"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const LoadBalancer& alb = result.fleet->load_balancers.at("alb");
  EXPECT_EQ(alb.kind, LbKind::elbv2);
  const auto& options = std::get<Elbv2Lb>(alb.options);
  EXPECT_EQ(options.region, "eu-west-1");
  EXPECT_EQ(options.settle_ms, 30'000);
  EXPECT_EQ(options.poll_ms, 5'000);
  EXPECT_TRUE(options.cloudwatch);
  const auto& targets = result.fleet->service("web")->instances[1].targets;
  EXPECT_EQ(targets[0].pool, "web-tg");
  EXPECT_EQ(targets[0].member, "");
  EXPECT_TRUE(targets[0].extras.empty());
  EXPECT_EQ(targets[1].member, "tag:Name=b");
  EXPECT_EQ(targets[1].extras.at("port"), "80");
  EXPECT_EQ(targets[1].extras.at("availability_zone"), "all");
}

TEST(Elbv2InTheFleetFile, SettleIsLeftToTheKindOfLoadBalancer) {
  const auto result = load_text(fleet_with("", "[ { lb: alb, target_group: w } ]"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  EXPECT_FALSE(std::get<Elbv2Lb>(result.fleet->load_balancers.at("alb").options).settle_ms);
}

TEST(Elbv2InTheFleetFile, MistakesAreToldWithTheirPlace) {
  const auto wrong = [](const std::string& lb, const std::string& pools, const char* code,
                        const std::string& more = "") {
    const auto result = load_text(fleet_with(lb, pools, more));
    EXPECT_NE(find(result, code), nullptr) << pools << codes_of(result);
  };
  const std::string pool = "[ { lb: alb, target_group: w } ]";
  wrong(", poll: 1ms", pool, "HL0108");
  wrong(", endpoint: nonsense", pool, "HL0112");
  wrong("", "[ { lb: alb, target_group: w, target: web01 } ]", "HL0230");
  wrong("", "[ { lb: alb, target_group: w, target: \"--help\" } ]", "HL0230");
  wrong("", "[ { lb: alb, target_group: w, port: \"70000\" } ]", "HL0108");
  wrong("", "[ { lb: alb, target_group: w, server: x } ]", "HL0114");
  wrong("", "[ { lb: alb } ]", "HL0102");
  wrong("", pool, "HL0220", "    policy: { drain: { host_count: false } }\n");
  wrong("", pool, "HL0231", "    policy: { drain: { on_deadline: force } }\n");
}

}  // namespace
}  // namespace hitless::fleet
