#include "core/traffic.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hitless::core {
namespace {

TargetReport report(AdminState admin, LbCheck check, std::optional<std::int64_t> in_flight) {
  TargetReport r;
  r.admin = admin;
  r.check = check;
  r.in_flight = in_flight;
  r.requests = 10;
  r.errors = 0;
  return r;
}

TEST(Merge, OneNodeThatCannotBeAskedMakesItUnknown) {
  const std::vector<TargetReport> reports{
      report(AdminState::drain, LbCheck::pass, 0),
      report(AdminState::unknown, LbCheck::unknown, std::nullopt)};
  const TargetReading reading = merge(reports);
  EXPECT_EQ(reading.state, TargetState::unknown);
  EXPECT_EQ(reading.in_flight, std::nullopt);
  EXPECT_EQ(reading.check, LbCheck::unknown);
}

TEST(Merge, NoReportIsUnknown) {
  EXPECT_EQ(merge({}).state, TargetState::unknown);
}

TEST(Merge, HalfOutIsLeaving) {
  const std::vector<TargetReport> reports{report(AdminState::drain, LbCheck::pass, 0),
                                          report(AdminState::ready, LbCheck::pass, 4)};
  EXPECT_EQ(merge(reports).state, TargetState::leaving);
  EXPECT_EQ(merge(reports).in_flight, 4);
}

// One pool in HAProxy, one in a load balancer that has no check and counts no requests.
TEST(Merge, OutMeansOutOfAllPoolsWhateverTheirKinds) {
  TargetReport haproxy = report(AdminState::drain, LbCheck::pass, 0);
  haproxy.lb = "edge";
  TargetReport other = report(AdminState::ready, LbCheck::none, 0);
  other.lb = "files";
  other.requests.reset();
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::leaving);
  other.admin = AdminState::drain;
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::out);
  other.in_flight.reset();
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::draining);
  other.admin = AdminState::unknown;
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::unknown);
  other.admin = haproxy.admin = AdminState::ready;
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::in);
  haproxy.check = LbCheck::fail;
  EXPECT_EQ(merge(std::vector{haproxy, other}).state, TargetState::in_unhealthy);
  EXPECT_EQ(merge(std::vector{haproxy, other}).requests, std::nullopt) << "one part is unknown";
}

TEST(Merge, OutOnlyWhenNothingIsInFlightAnywhere) {
  std::vector<TargetReport> reports{report(AdminState::drain, LbCheck::pass, 0),
                                    report(AdminState::drain, LbCheck::pass, 1)};
  EXPECT_EQ(merge(reports).state, TargetState::draining);
  reports[1].in_flight = 0;
  EXPECT_EQ(merge(reports).state, TargetState::out);
  reports[1].in_flight.reset();
  EXPECT_EQ(merge(reports).state, TargetState::draining) << "an unknown count is not zero";
}

TEST(Merge, WhoStandsByInOnePoolDoesNotServe) {
  std::vector<TargetReport> reports{report(AdminState::ready, LbCheck::pass, 0),
                                    report(AdminState::ready, LbCheck::pass, 0)};
  EXPECT_TRUE(carries_load(merge(reports)));
  reports[1].standby = true;
  EXPECT_EQ(merge(reports).state, TargetState::in);
  EXPECT_FALSE(carries_load(merge(reports)));
}

TEST(Merge, AFailingCheckOnOneNodeCounts) {
  const std::vector<TargetReport> reports{report(AdminState::ready, LbCheck::pass, 0),
                                          report(AdminState::ready, LbCheck::fail, 0)};
  EXPECT_EQ(merge(reports).state, TargetState::in_unhealthy);
}

TEST(Merge, ALoadBalancerThatCountsNothingAddsNothing) {
  std::vector<TargetReport> reports{report(AdminState::drain, LbCheck::pass, 0),
                                    report(AdminState::drain, LbCheck::none, std::nullopt)};
  reports[1].uncounted = true;
  EXPECT_EQ(merge(reports).state, TargetState::out);
  EXPECT_EQ(merge(reports).requests, 10);
  reports[0].in_flight.reset();
  EXPECT_EQ(merge(reports).state, TargetState::draining) << "this one should have counted";
}

TEST(Merge, WhereNobodyCountsTheHostDecides) {
  std::vector<TargetReport> reports{report(AdminState::drain, LbCheck::none, std::nullopt)};
  reports[0].uncounted = true;
  TargetReading reading = merge(reports);
  EXPECT_EQ(reading.requests, std::nullopt);
  EXPECT_EQ(in_flight(reading, true), std::nullopt) << "the host was not asked";
  reading.host_connections = 7;
  EXPECT_EQ(in_flight(reading, true), 7);
}

TEST(Merge, AbsentAnywhereIsAbsent) {
  const std::vector<TargetReport> reports{
      report(AdminState::ready, LbCheck::pass, 0),
      report(AdminState::absent, LbCheck::unknown, std::nullopt)};
  EXPECT_EQ(merge(reports).state, TargetState::absent);
}

TEST(InFlight, TheLargerOfBothCountsAndUnknownStaysUnknown) {
  struct Case {
    std::optional<std::int64_t> lb, host, idle;
    bool need_host;
    std::optional<std::int64_t> expected;
  };
  const Case cases[] = {
      {0, 0, 0, true, 0},
      {0, 10, 0, true, 10},  // after a reload of the LB: it says 0, the kernel still holds 10
      {0, 10, 10, true, 0},  // the LB keeps them idle
      {3, 1, 0, true, 3},
      {3, 1, 5, true, 3},
      {std::nullopt, 0, 0, true, std::nullopt},
      {0, std::nullopt, 0, true, std::nullopt},
      {0, std::nullopt, 0, false, 0},
      {std::nullopt, std::nullopt, 0, false, std::nullopt},
      {0, 2, std::nullopt, true, 2},
  };
  for (const Case& c : cases) {
    TargetReading reading;
    reading.in_flight = c.lb;
    reading.host_connections = c.host;
    reading.idle = c.idle;
    EXPECT_EQ(in_flight(reading, c.need_host), c.expected);
  }
}

}  // namespace
}  // namespace hitless::core
