#include "adapters/traffic/elbv2_report.hpp"

#include <gtest/gtest.h>

#include "adapters/traffic/elbv2_counters.hpp"

namespace hitless::elbv2 {
namespace {

using core::AdminState;
using core::LbCheck;

TargetHealth health(const std::string& id, int port, const std::string& state,
                    const std::string& reason = "") {
  TargetHealth each;
  each.key = {id, port, ""};
  each.state = state;
  each.reason = reason;
  return each;
}

const Member kOne{core::InstanceId{"web@web01"}, "i-1", 0, ""};

core::TargetReport report_of(const TargetHealth& each) {
  return make_reports({each}, kOne, "web-tg").front();
}

TEST(Elbv2Report, EachStateIsWhatItIsAndUnknownOnesAreUnknown) {
  const auto is = [](const std::string& state, const std::string& reason, AdminState admin,
                     LbCheck check) {
    const core::TargetReport report = report_of(health("i-1", 80, state, reason));
    EXPECT_EQ(report.admin, admin) << state << reason;
    EXPECT_EQ(report.check, check) << state << reason;
    EXPECT_TRUE(report.uncounted);
    EXPECT_FALSE(report.in_flight) << "a timer is no count";
  };
  is("healthy", "", AdminState::ready, LbCheck::pass);
  is("initial", "Elb.RegistrationInProgress", AdminState::ready, LbCheck::unknown);
  is("unhealthy", "Target.Timeout", AdminState::ready, LbCheck::fail);
  is("unhealthy.draining", "Target.Timeout", AdminState::ready, LbCheck::fail);
  is("unavailable", "Target.HealthCheckDisabled", AdminState::ready, LbCheck::none);
  is("unavailable", "Elb.InternalError", AdminState::ready, LbCheck::unknown);
  is("draining", "Target.DeregistrationInProgress", AdminState::drain, LbCheck::none);
  is("unused", "Target.NotRegistered", AdminState::drain, LbCheck::none);
  is("unused", "Target.InvalidState", AdminState::ready, LbCheck::fail);
  is("unused", "Target.NotInUse", AdminState::absent, LbCheck::unknown);
  is("unused", "Target.IpUnusable", AdminState::absent, LbCheck::unknown);
  is("unused", "Something.New", AdminState::unknown, LbCheck::unknown);
  is("paused", "", AdminState::unknown, LbCheck::unknown);
  is("", "", AdminState::unknown, LbCheck::unknown);
}

TEST(Elbv2Report, NotInUseIsCalledAnErrorInTheConfiguration) {
  EXPECT_NE(report_of(health("i-1", 80, "unused", "Target.NotInUse")).note.find("configuration"),
            std::string::npos);
}

TEST(Elbv2Report, EveryPortOfAnInstanceIsATargetOfItsOwn) {
  const std::vector<TargetHealth> all = {
      health("i-1", 80, "draining"), health("i-1", 81, "healthy"), health("i-2", 80, "healthy")};
  const auto reports = make_reports(all, kOne, "web-tg");
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[1].pool, "web-tg:81");
  EXPECT_EQ(reports[1].admin, AdminState::ready) << "out on one port only is not out";
  const Member on_81{kOne.instance, "i-1", 81, ""};
  EXPECT_EQ(make_reports(all, on_81, "web-tg").size(), 1u);
  const Member other{kOne.instance, "i-9", 0, ""};
  EXPECT_EQ(make_reports(all, other, "web-tg").front().admin, AdminState::drain);
}

TEST(Elbv2Report, AZonalShiftIsNotHealth) {
  TargetHealth each = health("i-1", 80, "healthy");
  each.override_state = "zonal_shift_active";
  EXPECT_EQ(report_of(each).check, LbCheck::unknown);
}

TEST(Elbv2Report, NothingHostileReachesTheTerminal) {
  TargetHealth each = health("i-1", 80, "\x1b[31mhealthy");
  each.description = std::string(10'000, 'x');
  const std::string note = report_of(each).note;
  EXPECT_EQ(note.find('\x1b'), std::string::npos);
  EXPECT_LT(note.size(), 600u);
}

TEST(Elbv2Guard, ALeavingTargetMustNotMakeAwsFailOpen) {
  const std::vector<TargetHealth> all = {health("i-1", 80, "healthy"), health("i-2", 80, "healthy"),
                                         health("i-3", 80, "unhealthy"),
                                         health("i-4", 80, "draining")};
  EXPECT_EQ(why_fails_open(all, {kOne}, {}), "");
  const std::string prefix = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.";
  EXPECT_EQ(why_fails_open(all, {kOne}, {{prefix + "count", "1"}}), "");
  EXPECT_NE(why_fails_open(all, {kOne}, {{prefix + "count", "2"}}), "");
  EXPECT_EQ(why_fails_open(all, {kOne}, {{prefix + "percentage", "50"}}), "") << "1 of 2";
  EXPECT_NE(why_fails_open(all, {kOne}, {{prefix + "percentage", "51"}}), "");
  EXPECT_EQ(why_fails_open(all, {kOne}, {{prefix + "percentage", "off"}}), "");
  EXPECT_NE(why_fails_open({health("i-1", 80, "healthy")}, {kOne}, {}), "")
      << "the last healthy one stays";
  EXPECT_NE(
      why_fails_open({health("i-1", 80, "healthy"), health("i-2", 80, "initial")}, {kOne}, {}), "")
      << "not checked yet is not healthy";
}

TEST(Elbv2Restore, OnlyWhatTheFleetFileCanBringBackMayBeTakenAway) {
  TargetGroup group;
  group.port = 80;
  const auto why = [&](const std::vector<TargetHealth>& all, const Member& member) {
    return why_not_restorable(entries_of(all, member), member, group);
  };
  EXPECT_EQ(why({health("i-1", 80, "healthy")}, kOne), "");
  EXPECT_NE(why({health("i-1", 8080, "healthy")}, kOne), "");
  EXPECT_NE(why({health("i-1", 80, "healthy"), health("i-1", 81, "healthy")}, kOne), "");
  Member named = kOne;
  named.port = 8080;
  EXPECT_EQ(why({health("i-1", 8080, "healthy"), health("i-1", 81, "healthy")}, named), "");
  TargetHealth outside = health("i-1", 80, "healthy");
  outside.key.zone = "all";
  EXPECT_NE(why({outside}, kOne), "");
  named = kOne;
  named.zone = "all";
  EXPECT_EQ(why({outside}, named), "");
  EXPECT_EQ(key_from_fleet_file(named, group), (TargetKey{"i-1", 80, "all"}));
}

TEST(Elbv2Settle, LongerForANetworkLoadBalancer) {
  TargetGroup group;
  group.protocol = "HTTP";
  EXPECT_GE(default_settle_ms(group), 20'000);
  group.protocol = "TCP";
  EXPECT_GE(default_settle_ms(group), 180'000);
}

// ---- CloudWatch ---------------------------------------------------------------------------------
constexpr DurationMs kMinute = 60'000;

TEST(CloudWatchTotal, AbsentIsZeroOnlyWhereRequestsArePresent) {
  MetricAnswer answer;
  answer.requests = {{0, 100}, {kMinute, 50}, {3 * kMinute, 70}};
  answer.errors["responses_5xx"] = {{kMinute, 2}, {2 * kMinute, 9}};
  answer.errors["connect_errors"] = {};
  const auto counters = total(answer, true, 10 * kMinute, kMinute);
  EXPECT_EQ(counters.as_of, 2 * kMinute) << "the third minute has no requests: nothing is known";
  EXPECT_EQ(counters.requests, 150);
  EXPECT_EQ(counters.responses_5xx, 2);
  EXPECT_EQ(counters.connect_errors, 0);
  EXPECT_EQ(counters.response_errors, std::nullopt) << "it was not asked for";
}

TEST(CloudWatchTotal, AMinuteThatIsNotWholeYetDoesNotCount) {
  MetricAnswer answer;
  answer.requests = {{0, 100}, {kMinute, 50}};
  EXPECT_EQ(total(answer, true, 2 * kMinute - 1, kMinute).requests, 100);
  EXPECT_NE(total(answer, true, kMinute - 1, kMinute).problem, "");
  EXPECT_NE(total({}, true, kMinute, kMinute).problem, "")
      << "no traffic at all is not zero errors";
}

TEST(CloudWatchTotal, Dimensions) {
  EXPECT_EQ(dimension_of("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc"),
            "app/web/50dc");
  EXPECT_EQ(dimension_of("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web-tg/6d0e"),
            "targetgroup/web-tg/6d0e");
}

}  // namespace
}  // namespace hitless::elbv2
