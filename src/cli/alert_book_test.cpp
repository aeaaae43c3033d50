// What alerts may call for, and what they may not, whatever their labels say.
#include "cli/alert_book.hpp"

#include <gtest/gtest.h>

namespace hitless::cli {
namespace {

std::string alert(const std::string& labels, const char* status = "firing",
                  const char* starts = "2026-01-01T00:00:00Z") {
  return std::string(R"({"status":")") + status + R"(","labels":{)" + labels +
         R"(},"annotations":{"summary":"restart everything"},"startsAt":")" + starts +
         R"(","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://x/","fingerprint":"00"})";
}

std::string message(const std::string& alerts) {
  return R"({"version":"4","groupKey":"{}","truncatedAlerts":0,"status":"firing","receiver":"h",)"
         R"("groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://x",)"
         R"("alerts":[)" +
         alerts + "]}";
}

fleet::Fleet fleet_with(const std::string& host_label = "instance") {
  fleet::Fleet fleet;
  fleet::Service& web = fleet.services["web"];
  web.name = "web";
  web.hosts = {"web01", "web02"};
  for (const char* host : {"web01", "web02"})
    web.instances.push_back({std::string("web@") + host,
                             host,
                             host == std::string("web01") ? "10.0.0.1" : "::1",
                             {},
                             {},
                             {}});
  fleet.alerts.push_back({"leak", "web", "restart", {{"alertname", "Leak"}}, {}, host_label});
  return fleet;
}

std::vector<std::string> hosts(AlertBook& book, const fleet::Fleet& fleet) {
  std::vector<std::string> all;
  for (const agent::Finding& found : book.called_for(fleet, {}, 0).findings)
    for (const std::string& host : found.proposal.hosts) all.push_back(host);
  std::sort(all.begin(), all.end());
  return all;
}

TEST(AlertBook, TheFleetFileSaysWhatAnAlertCallsFor) {
  AlertBook book;
  const auto parsed = parse_alerts(message(
      alert(R"("alertname":"Leak","instance":"10.0.0.1:9100")") + "," +
      alert(R"("alertname":"Leak","instance":"[::1]:9100")") + "," +
      alert(R"("alertname":"Other","instance":"web01","service":"web","intent":"reboot")")));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(book.take(*parsed, 0), 3u);
  EXPECT_EQ(hosts(book, fleet_with()), (std::vector<std::string>{"web01", "web02"}));
  const auto called = book.called_for(fleet_with(), {}, 0);
  EXPECT_EQ(called.findings[0].proposal.wish, agent::Wish::restart);
  EXPECT_EQ(name_of(called.findings[0]), "alert leak");
  EXPECT_TRUE(book.called_for(fleet_with(), "app", 0).findings.empty());
}

TEST(AlertBook, HostileLabelsAreOnlyEverData) {
  const std::vector<std::string> values = {"web03",
                                           "*",
                                           "",
                                           "web01,web02",
                                           "web01 web02",
                                           "web01:9100;reboot",
                                           "10.0.0.1:",
                                           "10.0.0.1:x",
                                           "--yes",
                                           "$(reboot)",
                                           "../web01",
                                           "web01\\u0000",
                                           "\\u001b[31mweb01",
                                           "web@",
                                           "WEB01",
                                           "10.0.0.10",
                                           "web011",
                                           "10.0.0.1:9100:22"};
  for (const std::string& value : values) {
    AlertBook book;
    const auto parsed = parse_alerts(message(alert(
        R"("alertname":"Leak","service":"db","intent":"reboot","hosts":"web01","instance":")" +
        value + "\"")));
    ASSERT_TRUE(parsed) << value;
    (void)book.take(*parsed, 0);
    const auto called = book.called_for(fleet_with(), {}, 0);
    EXPECT_TRUE(called.findings.empty()) << value;
    for (const std::string& line : called.unknown)
      EXPECT_EQ(line.find_first_of("\033\n"), std::string::npos);
  }
  AlertBook book;
  (void)book.take(*parse_alerts(message(alert(R"("alertname":"Leak")"))), 0);
  EXPECT_TRUE(book.called_for(fleet_with(), {}, 0).findings.empty()) << "the label is missing";
  // Without host_label it is the hosts of the rule, else all (an empty list): never the alert's.
  fleet::Fleet fleet = fleet_with("");
  ASSERT_EQ(book.called_for(fleet, {}, 0).findings.size(), 1u);
  EXPECT_TRUE(hosts(book, fleet).empty());
  fleet.alerts[0].hosts = {"web02"};
  EXPECT_EQ(hosts(book, fleet), std::vector<std::string>{"web02"});
  // A rule for some hosts is not widened by a label.
  fleet.alerts[0].host_label = "instance";
  (void)book.take(*parse_alerts(message(alert(R"("alertname":"Leak","instance":"web01")"))), 0);
  EXPECT_TRUE(hosts(book, fleet).empty());
}

TEST(AlertBook, RepeatedIsOneAndResolvedIsGone) {
  AlertBook book;
  const fleet::Fleet fleet = fleet_with();
  const std::string labels = R"("alertname":"Leak","instance":"web01")";
  EXPECT_EQ(book.take(*parse_alerts(message(alert(labels))), 0), 1u);
  const std::string first = book.called_for(fleet, {}, 0).findings[0].occurrence;
  EXPECT_EQ(book.take(*parse_alerts(message(alert(labels))), 10), 0u);
  ASSERT_EQ(book.called_for(fleet, {}, 10).findings.size(), 1u);
  EXPECT_EQ(book.called_for(fleet, {}, 10).findings[0].occurrence, first);
  EXPECT_EQ(book.take(*parse_alerts(message(alert(labels, "resolved"))), 20), 1u);
  EXPECT_TRUE(book.called_for(fleet, {}, 20).findings.empty());
  (void)book.take(*parse_alerts(message(alert(labels, "firing", "2026-02-01T00:00:00Z"))), 30);
  EXPECT_NE(book.called_for(fleet, {}, 30).findings[0].occurrence, first) << "another firing";
  EXPECT_TRUE(book.called_for(fleet, {}, 31 + AlertBook::kForgottenMs).findings.empty());
}

TEST(AlertBook, WhatIsNoMessageOrTooLarge) {
  for (const std::string& body :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"version":"4"})"),
        std::string(R"({"version":"3","alerts":[]})"),
        std::string(R"({"version":"4","alerts":[1]})"), message(alert("", "burning")),
        message(R"({"status":"firing","startsAt":"x"})"), message(alert("\"a\":1")),
        message(alert("\"a\":\"" + std::string(1'025, 'x') + "\"")), std::string(20'000, '['),
        message(alert("\"a\":\"b\"")).substr(0, 100)})
    EXPECT_FALSE(parse_alerts(body)) << body.substr(0, 80);
  AlertBook book;
  AlertMessage many;
  for (std::size_t i = 0; i < 2 * AlertBook::kMaxAlerts; ++i)
    many.alerts.push_back({{{"alertname", "Leak"}, {"n", std::to_string(i)}}, "t", false});
  many.cut_off = 7;
  EXPECT_EQ(book.take(many, 0), AlertBook::kMaxAlerts);
  const auto called = book.called_for(fleet_with(""), {}, 0);
  EXPECT_EQ(called.findings.size(), AlertBook::kMaxAlerts);
  EXPECT_EQ(called.unknown.size(), 2u);
}

}  // namespace
}  // namespace hitless::cli
