// Against a real systemd, on a host of the lab:
//   lab/lab -n svc up 1
//   HITLESS_SERVICE_LAB='lab/lab -n svc exec web01 --' hitless_adapters_service_tests
//   --gtest_filter='Live*'
// Skipped where that is not set.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "adapters/service/services.hpp"
#include "adapters/service/test_host.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::CheckStatus;
using core::OutcomeStatus;
using core::ServiceIdentity;
using core::ServiceVerdict;

class Live : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* way = std::getenv("HITLESS_SERVICE_LAB");
    if (way == nullptr) GTEST_SKIP() << "HITLESS_SERVICE_LAB is not set";
    host_.through = split(way, ' ');
  }
  void TearDown() override {
    if (!host_.through.empty()) {
      on_host(
          "rm -f /etc/nginx/conf.d/zz-test.conf /run/systemd/system/hl-*; systemctl daemon-reload; "
          "systemctl reset-failed; systemctl restart nginx");
    }
  }
  std::string on_host(const std::string& sh) {
    const auto ran = wait_for(host_.script(sh, {}, 20'000, false));
    EXPECT_TRUE(ran);
    return ran ? ran->out + ran->err : std::string();
  }
  void unit(const std::string& name, const std::string& service) {
    on_host("printf '[Service]\\n" + service + "' >/run/systemd/system/" + name +
            "; systemctl daemon-reload; systemctl start " + name);
  }
  ServiceIdentity identity(ports::Service& service) {
    return wait_for(service.identity()).value_or(ServiceIdentity{});
  }
  // The reading after the first that is not indeterminate, or after 10 s.
  core::ServiceReading watch(ports::Service& service, Action action,
                             const ServiceIdentity& before) {
    const TimeMs end = wall_now_ms() + 10'000;
    for (;;) {
      auto reading = wait_for(service.verify(action, before));
      if (reading.verdict != ServiceVerdict::indeterminate || wall_now_ms() > end) return reading;
      ::usleep(50'000);
    }
  }
  core::Outcome act(ports::Service& service, Action action, const ServiceIdentity& expected) {
    return wait_for(service.act({action, "R-1.1", expected, 30'000})).value();
  }
  TestHost host_;
};

TEST_F(Live, NginxValidatesReloadsAndRestarts) {
  const auto nginx = make_nginx_service(host_, {});
  for (const auto& line : wait_for(nginx->validate()))
    EXPECT_EQ(line.status, CheckStatus::pass) << line.name << ": " << line.evidence;
  auto before = identity(*nginx);
  EXPECT_EQ(act(*nginx, Action::reload, before).status, OutcomeStatus::ok);
  auto reading = watch(*nginx, Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  before = identity(*nginx);
  EXPECT_EQ(act(*nginx, Action::restart, before).status, OutcomeStatus::ok);
  reading = watch(*nginx, Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_EQ(act(*nginx, Action::restart, before).status, OutcomeStatus::failed)
      << "it is another one now";
}

TEST_F(Live, NginxSilentReloadFailure) {
  const auto nginx = make_nginx_service(host_, {});
  const auto before = identity(*nginx);
  on_host("echo 'server { listen 22; }' >/etc/nginx/conf.d/zz-test.conf");
  EXPECT_EQ(act(*nginx, Action::reload, before).status, OutcomeStatus::ok)
      << "systemctl says it went well";
  const auto reading = watch(*nginx, Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_NE(reading.evidence.find("0.0.0.0:22"), std::string::npos) << reading.evidence;
}

TEST_F(Live, NginxTestNamesTheRealFile) {
  const auto nginx = make_nginx_service(host_, {});
  const auto broken =
      wait_for(nginx->test_config({{"/etc/nginx/conf.d/zz-test.conf", "bogus;\n"}}));
  EXPECT_EQ(broken.status, CheckStatus::fail);
  EXPECT_NE(broken.evidence.find("/etc/nginx/conf.d/zz-test.conf:1"), std::string::npos)
      << broken.evidence;
  EXPECT_EQ(on_host("ls -d /tmp/hitless-stage-* 2>/dev/null"), "");
}

TEST_F(Live, AppRestarts) {
  const auto app = make_systemd_service(
      host_, {.unit = "app.service", .config_files = {}, .test = {}, .reload_proof = {}});
  EXPECT_FALSE(wait_for(app->capabilities())->can_reload);
  const auto before = identity(*app);
  EXPECT_EQ(act(*app, Action::restart, before).status, OutcomeStatus::ok);
  const auto reading = watch(*app, Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
}

TEST_F(Live, AUnitThatDiesAfterItsStartIsFlappingThenDown) {
  unit("hl-loop.service",
       "ExecStart=/bin/sh -c \"test -e /run/hl-bad && { sleep 0.1; exit 3; }; exec sleep "
       "1000\"\\nRestart=on-failure\\n");
  const auto loop = make_systemd_service(
      host_, {.unit = "hl-loop.service", .config_files = {}, .test = {}, .reload_proof = {}});
  const auto before = identity(*loop);
  ASSERT_TRUE(before.active);
  on_host("touch /run/hl-bad");
  EXPECT_EQ(act(*loop, Action::restart, before).status, OutcomeStatus::ok)
      << "Type=simple always succeeds";
  std::string seen;
  ServiceVerdict last = ServiceVerdict::indeterminate;
  for (const TimeMs end = wall_now_ms() + 10'000;
       wall_now_ms() < end && last != ServiceVerdict::down; ::usleep(50'000)) {
    last = wait_for(loop->verify(Action::restart, before)).verdict;
    if (last == ServiceVerdict::flapping) seen = "flapping";
  }
  EXPECT_EQ(seen, "flapping");
  EXPECT_EQ(last, ServiceVerdict::down) << "the start limit was hit";
  bool limit = false;
  for (const auto& line : wait_for(loop->validate()))
    limit = limit || (line.name == "Start limit" && line.status == CheckStatus::fail);
  EXPECT_TRUE(limit);
  on_host("rm /run/hl-bad; systemctl stop hl-loop");
}

TEST_F(Live, AReloadThatKills) {
  unit("hl-hup.service", "ExecStart=/bin/sleep 1000\\nExecReload=/bin/kill -HUP $MAINPID\\n");
  const auto hup = make_systemd_service(
      host_, {.unit = "hl-hup.service", .config_files = {}, .test = {}, .reload_proof = {}});
  EXPECT_TRUE(wait_for(hup->capabilities())->can_reload);
  EXPECT_FALSE(wait_for(hup->capabilities())->proves_reload);
  const auto before = identity(*hup);
  EXPECT_EQ(act(*hup, Action::reload, before).status, OutcomeStatus::ok)
      << "systemctl says it went well";
  EXPECT_EQ(watch(*hup, Action::reload, before).verdict, ServiceVerdict::down);
}

TEST_F(Live, AProgramThatCannotBeExecuted) {
  unit("hl-exec.service", "ExecStart=/bin/sleep 1000\\n");
  const auto broken = make_systemd_service(
      host_, {.unit = "hl-exec.service", .config_files = {}, .test = {}, .reload_proof = {}});
  const auto before = identity(*broken);
  unit("hl-exec.service", "ExecStart=/bin/no-such-program\\n");
  act(*broken, Action::restart, before);
  const auto reading = watch(*broken, Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down) << reading.evidence;
  EXPECT_NE(reading.evidence.find("203/EXEC"), std::string::npos) << reading.evidence;
}

}  // namespace
}  // namespace hitless::service
