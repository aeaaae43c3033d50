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
  EXPECT_EQ(parse_ipvs_look(out, "udp:[fd00::1]:80").error().code, ErrorCode::not_found);
  EXPECT_EQ(*ipvs_service_words("fwmark:7"), (std::vector<std::string>{"-f", "7"}));
  for (const char* bad :
       {"", "tcp:", "tcp:-C", "fwmark:-1", "fwmark:x", "http:1.2.3.4:80", "tcp:1.2.3.4:80 -C"})
    EXPECT_FALSE(ipvs_service_words(bad)) << bad;
}

class IpvsDriver : public testing::Test {
 protected:
  explicit IpvsDriver(const std::string& flags = "")
      : fake_("ipvs", R"({"members":{"a":3,"b":4},"checks":"","flags":")" + flags + "\"}") {}
  std::string run(const std::string& words) { return fake_.ask("POST", "/ipvsadm", words); }

  tests::FakeLb fake_;
  std::string ipvsadm_ = fake_.ipvsadm(), server_ = "127.0.0.1:3";
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    IpvsPool pool;
    pool.lb = "director";
    pool.service = "tcp:127.0.0.1:80";
    pool.binary = ipvsadm_;
    pool.state_folder = fake_.path("state");
    pool.nodes = {{"lvs-1", host}};
    pool.members = {{core::InstanceId{"web@a"}, server_}};
    return make_ipvs(std::move(pool));
  }};
};

class PersistentIpvs : public IpvsDriver {
 protected:
  PersistentIpvs() : IpvsDriver(" persistent 360") {}
};

TEST_F(IpvsDriver, TheWeightOfBeforeComesBack) {
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -w 7");
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::drain);
  ASSERT_EQ(driver_.drain("web@a"), "ok") << "twice does not keep the 0";
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  EXPECT_THAT(run("-Ln"), HasSubstr("Masq    7 "));
  EXPECT_TRUE(std::filesystem::is_empty(fake_.path("state") + "/_t_127_0_0_1_80"));
}

TEST_F(IpvsDriver, KeepalivedsHandIsSeen) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -w 3");  // its reload sets weights anew
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready);
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
  run("-e -t 127.0.0.1:80 -r 127.0.0.1:3 -w 0");
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::maint) << "no weight of ours is left over";
  EXPECT_THAT(driver_.rejoin("web@a"), HasSubstr("not ours"));
}

TEST_F(IpvsDriver, MistakesAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("no certificate"));
  server_ = "127.0.0.1:33";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::absent);
  EXPECT_THAT(driver_.capabilities(), HasSubstr("did you mean 127.0.0.1:3?"));
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("no weight of 127.0.0.1:33"));
  ipvsadm_ = "/nowhere/ipvsadm";
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::unknown);
}

TEST_F(PersistentIpvs, PersistentClientsAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("expire_quiescent_template"));
}

}  // namespace
}  // namespace hitless::traffic
