// freeze, windows, schedules and alerts in the fleet file: what is read, and where errors are.
#include <gmock/gmock.h>

#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

// `more` begins on line 6.
std::string with(const std::string& more, const std::string& policy = "{}") {
  return "version: 1\nhosts: { a: {}, b: {} }\nservices:\n  w: { kind: systemd, unit: w.service, "
         "hosts: [a, b], health: { tcp: \"{address}:80\" }, policy: " +
         policy + " }\n" + "# end of services\n" + more;
}

TEST(CalendarFile, Freezes) {
  const auto result = load_text(with(
      "freeze:\n"
      "  - { name: year end, from: 2026-12-18 18:00, to: 2027-01-03, time_zone: Europe/Berlin }\n"
      "  - { from: 08:00, to: 18:00, days: [mon-thu, sun], services: w }\n"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  ASSERT_EQ(result.fleet->freezes.size(), 2u);
  const Freeze& once = result.fleet->freezes[0];
  EXPECT_TRUE(once.range.once);
  EXPECT_TRUE(once.services.empty());
  EXPECT_EQ(wall_clock(once.range.from, "Europe/Berlin"), "2026-12-18 18:00 Europe/Berlin");
  EXPECT_EQ(wall_clock(once.range.to, "Europe/Berlin"), "2027-01-04 00:00 Europe/Berlin")
      << "the whole last day";
  EXPECT_EQ(result.fleet->freezes[1].range.days, 0b1001111u);
  EXPECT_EQ(result.fleet->freezes[1].services, std::vector<std::string>{"w"});
}

TEST(CalendarFile, WindowsSchedulesAndAlerts) {
  const auto result = load_text(with(
      "schedules:\n"
      "  - { name: weekly, service: w, intent: restart, at: \"sun 03:00\", hosts: a }\n"
      "alerts:\n"
      "  - { name: leak, match: { alertname: Leak, job: \"w\" }, service: w, intent: restart,\n"
      "      host_label: instance }\n",
      "{ windows: [ { from: 22:00, to: 04:00, days: sat } ], certificate_days: 10 }"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const Service& w = *result.fleet->service("w");
  ASSERT_EQ(w.policy.windows.size(), 1u);
  EXPECT_EQ(w.policy.windows[0].days, 0b100000u);
  EXPECT_EQ(w.policy.windows[0].time_zone, "UTC");
  EXPECT_EQ(w.policy.certificate_days, 10);
  ASSERT_EQ(result.fleet->schedules.size(), 1u);
  EXPECT_EQ(result.fleet->schedules[0].hosts, std::vector<std::string>{"a"});
  EXPECT_EQ(result.fleet->schedules[0].at.minutes, 180);
  EXPECT_EQ(result.fleet->schedules[0].within_ms, 3'600'000);
  ASSERT_EQ(result.fleet->alerts.size(), 1u);
  EXPECT_EQ(result.fleet->alerts[0].match.at("alertname"), "Leak");
  EXPECT_EQ(result.fleet->alerts[0].host_label, "instance");
}

TEST(CalendarFile, Gates) {
  const auto result = load_text(with("",
                                     "{ gates: [ { name: errors, url: \"http://p:9090/\", "
                                     "promql: \"rate(x[5m]) / 2\", below: 0.01 } ] }"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const Gate& gate = result.fleet->service("w")->policy.gates.at(0);
  EXPECT_EQ(gate.url, "http://p:9090");
  EXPECT_EQ(gate.below, 0.01);
  EXPECT_EQ(gate.above, std::nullopt);
  for (const char* bounds : {"", ", below: 1, above: 2", ", below: \"1\"", ", below: x"})
    EXPECT_FALSE(load_text(with("", std::string("{ gates: [ { name: e, url: \"http://p\", "
                                                "promql: up") +
                                        bounds + " } ] }"))
                     .fleet)
        << bounds;
}

TEST(CalendarFile, ErrorsSayWhere) {
  const auto codes = [](const std::string& more, const std::string& policy = "{}") {
    return codes_of(load_text(with(more, policy)));
  };
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 18:00, time_zone: Europe/Berlim } ]\n"),
            "HL0250@6:48");
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 25:00 } ]\n"), "HL0250@6:30");
  EXPECT_EQ(codes("freeze: [ { from: 2026-02-30, to: 2026-03-01 } ]\n"), "HL0250@6:19");
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 2026-03-01 } ]\n"), "HL0251@6:30");
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 08:00 } ]\n"), "HL0251@6:30");
  EXPECT_EQ(codes("freeze: [ { from: 2026-03-02, to: 2026-03-01 } ]\n"), "HL0251@6:35");
  EXPECT_EQ(codes("freeze: [ { from: 2026-03-02, to: 2026-03-03, days: mon } ]\n"), "HL0251@6:53");
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 18:00, days: monday } ]\n"), "HL0250@6:43");
  EXPECT_EQ(codes("freeze: [ { from: 08:00, to: 18:00, services: [x] } ]\n"), "HL0252@6:37");
  EXPECT_EQ(codes("freeze: [ { from: 08:00 } ]\n"), "HL0102@6:11");
  EXPECT_EQ(codes("", "{ windows: [ { from: 08:00, to: 18:00, dayz: mon } ] }"), "HL0104@4:135");
  EXPECT_EQ(codes("schedules: [ { name: n, service: w, intent: restart, at: \"sun 3:00\" } ]\n"),
            "HL0250@6:58");
  EXPECT_EQ(
      codes("schedules: [ { name: n, service: w, intent: stop, at: \"03:00\", hosts: c } ]\n"),
      "HL0107@6:45 HL0253@6:71");
  EXPECT_EQ(codes("alerts: [ { name: n, match: {}, service: v, intent: restart } ]\n"),
            "HL0116@6:22 HL0252@6:42");
  EXPECT_EQ(codes("alerts: [ { name: n, match: { a: b }, service: w, intent: reload },\n"
                  "          { name: n, match: { a: c }, service: w, intent: reload } ]\n"),
            "HL0210@7:19");
}

}  // namespace
}  // namespace hitless::fleet
