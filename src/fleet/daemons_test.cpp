// The kinds of services beside nginx and command: defaults, what belongs to whom.
#include <gtest/gtest.h>

#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

LoadResult load(const std::string& service) {
  return load_fleet_text(
      "version: 1\nhosts:\n  web01: { address: 10.0.0.1 }\nservices:\n  s:\n    hosts: [web01]\n" +
          service,
      "hitless.yaml");
}

bool refused_with(const LoadResult& result, const std::string& code) {
  for (const Diagnostic& each : result.diagnostics) {
    if (each.code == code) return !result.fleet;
  }
  return false;
}

TEST(Daemons, DefaultsAreThoseOfDebian) {
  const auto apache = load("    kind: apache\n");
  ASSERT_TRUE(apache.fleet);
  const Service* service = apache.fleet->service("s");
  EXPECT_EQ(service->kind, ServiceKind::apache);
  EXPECT_EQ(service->unit, "apache2.service");
  EXPECT_EQ(service->daemon.main_config, "/etc/apache2/apache2.conf");
  EXPECT_EQ(service->daemon.error_log, "/var/log/apache2/error.log");
  EXPECT_EQ(load("    kind: haproxy\n").fleet->service("s")->unit, "haproxy.service");
  EXPECT_EQ(load("    kind: php-fpm\n").fleet->service("s")->unit, "php8.2-fpm.service");
  const auto redis = load("    kind: redis\n");
  EXPECT_EQ(redis.fleet->service("s")->unit, "redis-server.service");
  EXPECT_EQ(redis.fleet->service("s")->daemon.cli, std::vector<std::string>{"redis-cli"});
}

TEST(Daemons, TheirKeysAreRead) {
  const auto fpm = load(
      "    kind: php-fpm\n    unit: php8.3-fpm.service\n    php_fpm: { binary: "
      "/usr/sbin/php-fpm8.3, "
      "error_log: /var/log/fpm.log }\n");
  ASSERT_TRUE(fpm.fleet);
  EXPECT_EQ(fpm.fleet->service("s")->daemon.binary, "/usr/sbin/php-fpm8.3");
  EXPECT_EQ(fpm.fleet->service("s")->daemon.error_log, "/var/log/fpm.log");
  const auto app = load(
      "    kind: systemd\n    unit: app.service\n    systemd: { reload_failure: dies, "
      "reload_proof: [/bin/proof, x], test: [/bin/check, \"{config}\"] }\n");
  ASSERT_TRUE(app.fleet);
  const DaemonOptions& options = app.fleet->service("s")->daemon;
  EXPECT_EQ(options.reload_failure, ReloadFailure::dies);
  EXPECT_EQ(options.reload_proof.size(), 2u);
  EXPECT_EQ(options.test.back(), "{config}");
  const auto gunicorn = load(
      "    kind: gunicorn\n    unit: app.service\n    gunicorn: { config_files: [/srv/a.py], test: "
      "[gunicorn, --check-config] }\n");
  ASSERT_TRUE(gunicorn.fleet);
  EXPECT_EQ(gunicorn.fleet->service("s")->daemon.config_files.front(), "/srv/a.py");
  const auto nginx = load("    kind: nginx\n    nginx: { binary_upgrade: true }\n");
  ASSERT_TRUE(nginx.fleet);
  EXPECT_TRUE(nginx.fleet->service("s")->nginx.binary_upgrade);
}

TEST(Daemons, AKeyOfAnotherKindIsAnError) {
  EXPECT_TRUE(refused_with(load("    kind: nginx\n    apache: {}\n"), "HL0114"));
  EXPECT_TRUE(refused_with(load("    kind: redis\n    php_fpm: {}\n"), "HL0114"));
  EXPECT_TRUE(refused_with(load("    kind: gunicorn\n"), "HL0102")) << "its unit has no usual name";
  EXPECT_TRUE(refused_with(load("    kind: apache\n    apache: { cli: [x] }\n"), "HL0104"));
  EXPECT_TRUE(refused_with(
      load("    kind: systemd\n    unit: a.service\n    systemd: { reload_failure: maybe }\n"),
      "HL0107"));
}

}  // namespace
}  // namespace hitless::fleet
