// The daemons under Debian's own units and a real systemd, on a host of the lab
// (tests/e2e/services_test.py runs these):
//   HITLESS_SERVICE_LAB='lab/lab -n svc exec web01 --' hitless_adapters_service_tests
//   --gtest_filter='LiveDaemons*'
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
using core::ServiceReading;
using core::ServiceVerdict;

class LiveDaemons : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* way = std::getenv("HITLESS_SERVICE_LAB");
    if (way == nullptr) GTEST_SKIP() << "HITLESS_SERVICE_LAB is not set";
    host_.through = split(way, ' ');
  }
  void TearDown() override {
    if (!host_.through.empty())
      on_host("systemctl stop apache2 haproxy php8.2-fpm redis-server hl-gunicorn; true");
  }
  std::string on_host(const std::string& sh) {
    const auto ran = wait_for(host_.script(sh, {}, 40'000, false));
    EXPECT_TRUE(ran);
    EXPECT_EQ(ran ? ran->exit_code : -1, 0) << (ran ? ran->out + ran->err : "");
    return ran ? ran->out + ran->err : std::string();
  }
  void use(DaemonKind kind, const DaemonConfig& config) {
    service_ = make_daemon_service(host_, kind, config);
    for (const auto& line : wait_for(service_->validate())) {
      EXPECT_TRUE(line.status == CheckStatus::pass || line.status == CheckStatus::warn)
          << line.name << ": " << line.evidence;
    }
  }
  ServiceIdentity identity() { return wait_for(service_->identity()).value_or(ServiceIdentity{}); }
  core::Outcome act(Action action, const ServiceIdentity& before) {
    return wait_for(service_->act({action, "R-1.1", before, 30'000})).value();
  }
  ServiceReading watch(Action action, const ServiceIdentity& before) {
    const TimeMs end = wall_now_ms() + 15'000;
    for (;;) {
      ServiceReading reading = wait_for(service_->verify(action, before));
      if (reading.verdict != ServiceVerdict::indeterminate || wall_now_ms() > end) return reading;
      ::usleep(50'000);
    }
  }
  void expect_proven(Action action) {
    const auto before = identity();
    const auto outcome = act(action, before);
    EXPECT_EQ(outcome.status, OutcomeStatus::ok) << outcome.detail;
    const auto reading = watch(action, before);
    EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  }
  // systemctl says it went well, or not; the service is gone.
  void expect_death_by_reload() {
    const auto before = identity();
    (void)act(Action::reload, before);
    const auto reading = watch(Action::reload, before);
    EXPECT_TRUE(reading.verdict == ServiceVerdict::down ||
                reading.verdict == ServiceVerdict::flapping)
        << reading.evidence;
  }
  TestHost host_;
  std::unique_ptr<ports::Service> service_;
};

TEST_F(LiveDaemons, Apache) {
  on_host("echo 'Listen 8081' >/etc/apache2/ports.conf && systemctl restart apache2");
  use(DaemonKind::apache, {"apache2.service",
                           "/usr/sbin/apachectl",
                           "/etc/apache2/apache2.conf",
                           "/var/log/apache2/error.log",
                           {},
                           {},
                           {}});
  expect_proven(Action::reload);
  expect_proven(Action::restart);
  // nginx holds port 80: `apachectl graceful` tests, finds nothing, and exits 0.
  on_host("echo 'Listen 80' >>/etc/apache2/ports.conf");
  EXPECT_EQ(wait_for(service_->test_config({})).status, CheckStatus::pass);
  expect_death_by_reload();
}

TEST_F(LiveDaemons, Haproxy) {
  on_host(
      "printf 'global\\ndefaults\\n mode http\\n timeout connect 1s\\n timeout client 5s\\n "
      "timeout "
      "server 5s\\nfrontend f\\n bind :8082\\n http-request return status 200\\n' "
      ">/etc/haproxy/haproxy.cfg && systemctl restart haproxy");
  use(DaemonKind::haproxy,
      {"haproxy.service", "/usr/sbin/haproxy", "/etc/haproxy/haproxy.cfg", {}, {}, {}, {}});
  expect_proven(Action::reload);
  expect_proven(Action::restart);
  const auto before = identity();
  on_host("echo bogus >>/etc/haproxy/haproxy.cfg; kill -USR2 \"$(cat /run/haproxy.pid)\"");
  const auto reading = watch(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_TRUE(identity().active);
}

TEST_F(LiveDaemons, PhpFpm) {
  on_host("systemctl restart php8.2-fpm");
  use(DaemonKind::php_fpm, {"php8.2-fpm.service",
                            "/usr/sbin/php-fpm8.2",
                            "/etc/php/8.2/fpm/php-fpm.conf",
                            "/var/log/php8.2-fpm.log",
                            {},
                            {},
                            {}});
  expect_proven(Action::reload);
  expect_proven(Action::restart);
  on_host("echo 'bogus = 1' >>/etc/php/8.2/fpm/pool.d/www.conf");
  expect_death_by_reload();
}

TEST_F(LiveDaemons, Gunicorn) {
  on_host(
      "mkdir -p /srv/hl && cd /srv/hl && printf 'def app(e, s):\\n  s(\"200 OK\", [])\\n  return "
      "[b\"one\"]\\n' >app.py && printf 'workers = 2\\nbind = \"127.0.0.1:8083\"\\n' >conf.py && "
      "printf '[Service]\\nType=notify\\nWorkingDirectory=/srv/hl\\nExecStart=/usr/bin/gunicorn -c "
      "conf.py app:app\\nExecReload=/bin/kill -HUP $MAINPID\\n' "
      ">/run/systemd/system/hl-gunicorn.service && systemctl daemon-reload && "
      "systemctl start hl-gunicorn");
  use(DaemonKind::gunicorn,
      {"hl-gunicorn.service",
       {},
       "/srv/hl/conf.py",
       {},
       {},
       {"gunicorn", "--check-config", "--chdir", "/srv/hl", "-c", "{config}", "app:app"},
       {}});
  expect_proven(Action::reload);
  expect_proven(Action::restart);
  on_host("echo 'raise Exception(1)' >>/srv/hl/app.py");
  EXPECT_EQ(wait_for(service_->test_config({})).status, CheckStatus::fail);
  expect_death_by_reload();
}

TEST_F(LiveDaemons, Redis) {
  on_host("systemctl restart redis-server");
  use(DaemonKind::redis,
      {"redis-server.service", {}, "/etc/redis/redis.conf", {}, {}, {}, {"redis-cli"}});
  EXPECT_FALSE(wait_for(service_->capabilities())->can_reload);
  expect_proven(Action::restart);
}

}  // namespace
}  // namespace hitless::service
