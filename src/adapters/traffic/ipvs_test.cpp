// IPVS' traps, on a fake of ipvsadm: the kernel of the machines that test this has none. What every
// driver must do: tests/conformance.
#include "adapters/traffic/ipvs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/traffic/ipvs_table.hpp"
#include "fake_lb.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;

TEST(IpvsTable, WhatIpvsadmPrints) {
  const std::string out =
      "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
      "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
      "TCP  [fd00::1]:80 wlc persistent 360\n"
      "  -> [fd00::11]:80                Route   0      2          17\n"
      "  -> [fd00::12]:80                Route   5      0          0\n"
      "kept [fd00::11]:80 3\nkept [fd00::99]:80 1\nexpires 0\nkeepalived\nend\n";
  const auto view = parse_ipvs_look(out, "tcp:[fd00::1]:80");
  ASSERT_TRUE(view) << describe(view.error());
  EXPECT_TRUE(view->persistent && view->keepalived && !view->expires_templates);
  const IpvsServer& one = view->servers.at("[fd00::11]:80");
  EXPECT_EQ(one.weight, 0);
  EXPECT_EQ(one.active, 2);
  EXPECT_EQ(one.inactive, 17);
  EXPECT_EQ(one.drained_from, 3);
  EXPECT_FALSE(view->servers.at("[fd00::12]:80").drained_from);
  EXPECT_FALSE(parse_ipvs_look(out.substr(0, out.size() - 4), "tcp:[fd00::1]:80")) << "cut";
  EXPECT_EQ(parse_ipvs_look(out, "tcp:[fd00::2]:80").error().code, ErrorCode::not_found);
  EXPECT_EQ(one.forward, "Route");
  EXPECT_EQ(*ipvs_service_words("fwmark:7"), (std::vector<std::string>{"-f", "7"}));
  for (const char* bad :
       {"", "tcp:", "tcp:-C", "fwmark:-1", "fwmark:x", "http:1.2.3.4:80", "tcp:1.2.3.4:80 -C"})
    EXPECT_FALSE(ipvs_service_words(bad)) << bad;
  // Its active connections are always 0: a drain would end at once.
  EXPECT_THAT(describe(ipvs_service_words("udp:10.0.0.1:53").error()), HasSubstr("UDP"));
}

// They take the port that the client asked for.
TEST(IpvsTable, ServersWithoutAPortAreThoseOfMarksAndOfAllPorts) {
  for (const std::string service : {"fwmark:7", "tcp:10.0.0.1:0", "tcp:[fd00::1]:0"}) {
    EXPECT_TRUE(ipvs_service_words(service)) << service;
    EXPECT_TRUE(check_ipvs_server("10.0.0.11:0", service)) << service;
    EXPECT_TRUE(check_ipvs_server("[fd00::11]:0", service)) << service;
    EXPECT_TRUE(check_ipvs_server("10.0.0.11:80", service)) << service;
    for (const char* bad : {":0", "-C:0", "10.0.0.11:00", "10.0.0.11:", "10.0.0.11"})
      EXPECT_FALSE(check_ipvs_server(bad, service)) << bad;
  }
  EXPECT_FALSE(check_ipvs_server("10.0.0.11:0", "tcp:10.0.0.1:80"));
  const auto view = parse_ipvs_look(
      "FWM  7 wlc\n  -> 10.0.0.11:0                  Masq    1      2          0\nend\n",
      "fwmark:7");
  ASSERT_TRUE(view) << describe(view.error());
  EXPECT_EQ(view->servers.at("10.0.0.11:0").active, 2);
}

TEST(IpvsPool, UdpIsAMistakeOfTheConfiguration) {
  IpvsPool pool;
  pool.lb = "director";
  pool.service = "udp:10.0.0.1:53";
  pool.nodes = {{"lvs-1", nullptr}};
  const Status said = check_ipvs(pool);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, ErrorCode::invalid);
  EXPECT_THAT(describe(said.error()), HasSubstr("a UDP service cannot be drained"));
  pool.service = "fwmark:7";
  pool.members = {{core::InstanceId{"web@a"}, "10.0.0.11:0"}};
  EXPECT_TRUE(check_ipvs(pool));
}

class IpvsDriver : public testing::Test {
 protected:
  explicit IpvsDriver(const std::string& more = "")
      : fake_("ipvs", R"({"members":{"a":3,"b":4},"checks":"")" + more + "}") {}
  std::string run(const std::string& words) { return fake_.ask("POST", "/ipvsadm", words); }

  tests::FakeLb fake_;
  std::string ipvsadm_ = fake_.ipvsadm(), server_ = "127.0.0.1:3", service_ = "tcp:127.0.0.1:80";
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    IpvsPool pool;
    pool.lb = "director";
    pool.service = service_;
    pool.binary = ipvsadm_;
    pool.state_folder = fake_.path("state");
    pool.nodes = {{"lvs-1", host}};
    pool.members = {{core::InstanceId{"web@a"}, server_}};
    return make_ipvs(std::move(pool));
  }};
};

class MarkedIpvs : public IpvsDriver {
 protected:
  MarkedIpvs() : IpvsDriver(R"(,"service":["-f","7"])") { service_ = "fwmark:7"; }
};
class PersistentIpvs : public IpvsDriver {
 protected:
  PersistentIpvs() : IpvsDriver(R"(,"flags":" persistent 360")") {}
};
class RoutedIpvs : public IpvsDriver {
 protected:
  RoutedIpvs() : IpvsDriver(R"(,"forward":"Route")") {}
};
class LimitedTunnelIpvs : public IpvsDriver {
 protected:
  LimitedTunnelIpvs() : IpvsDriver(R"(,"forward":"Tunnel","thresholds":{"u":900,"l":600})") {}
};
class GueIpvs : public IpvsDriver {
 protected:
  GueIpvs() : IpvsDriver(R"(,"forward":"Tunnel","tunnel":"gue:6080:csum")") {}
};
class LocalIpvs : public IpvsDriver {
 protected:
  LocalIpvs() : IpvsDriver(R"(,"forward":"Local")") {}
};
class ClosingIpvs : public IpvsDriver {
 protected:
  ClosingIpvs() : IpvsDriver(R"(,"inactive":17)") {}
};

TEST_F(IpvsDriver, TheWeightOfBeforeComesBack) {
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -m -w 7");
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain);
  ASSERT_EQ(driver_.drain("web@a"), "ok") << "twice does not keep the 0";
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("Masq    7 "));
  EXPECT_TRUE(std::filesystem::is_empty(fake_.path("state") + "/_t_127_0_0_1_80"));
}

// `ipvsadm -e` sets what it is not told to its defaults: direct routing, no thresholds.
TEST_F(IpvsDriver, MasqueradingStaysWhatItIs) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("Masq    0 "));
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), testing::Not(HasSubstr("Route")));
}

TEST_F(RoutedIpvs, DirectRoutingStaysWhatItIs) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("Route   0 "));
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("127.0.0.1:3                  Route   3 "));
}

TEST_F(LimitedTunnelIpvs, TunnelAndThresholdsStayWhatTheyAre) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("Tunnel  0 "));
  EXPECT_THAT(run("-Ln --thresholds"), HasSubstr("127.0.0.1:3                  900        600 "));
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("127.0.0.1:3                  Tunnel  3 "));
  EXPECT_THAT(run("-Ln --thresholds"), HasSubstr("127.0.0.1:3                  900        600 "));
}

TEST_F(GueIpvs, ATunnelThatAnEditWouldChangeIsLeftAlone) {
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("a tunnel of type gue:6080:csum"));
  EXPECT_THAT(run("-Ln --tun-info"),
              HasSubstr("127.0.0.1:3                  Tunnel  gue:6080:csum 3"));
  EXPECT_FALSE(std::filesystem::exists(fake_.path("state"))) << "nothing of ours is left";
}

TEST_F(LocalIpvs, AMethodThatCannotBeToldIsRefused) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("forwarded as `Local`"));
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("forwarded as `Local`"));
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready);
}

// What the host counts as established is not among them: nothing may be taken off its count.
TEST_F(ClosingIpvs, ConnectionsThatAreBeingClosedAreNotIdleOnes) {
  EXPECT_EQ(driver_.read("web@a").in_flight, 0);
  EXPECT_EQ(driver_.read("web@a").idle, std::nullopt);
}

TEST_F(IpvsDriver, KeepalivedsHandIsSeen) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -m -w 3");  // its reload sets weights anew
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready);
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -m -w 0");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::maint) << "no weight of ours is left over";
  EXPECT_THAT(driver_.rejoin("web@a"), HasSubstr("not ours"));
}

TEST_F(IpvsDriver, MistakesAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("no certificate"));
  EXPECT_THAT(driver_.capabilities(), testing::Not(HasSubstr("TCP only")));
  server_ = "127.0.0.1:33";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::absent);
  EXPECT_THAT(driver_.capabilities(), HasSubstr("did you mean 127.0.0.1:3?"));
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("no weight of 127.0.0.1:33"));
  ipvsadm_ = "/nowhere/ipvsadm";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::unknown);
}

TEST_F(MarkedIpvs, AMarkMustCarryTcpOnly) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("TCP only"));
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain);
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
}

TEST_F(PersistentIpvs, PersistentClientsAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("expire_quiescent_template"));
}

}  // namespace
}  // namespace hitless::traffic
