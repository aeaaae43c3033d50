// Real nginx, real reloads: the good one, and those that fail while every command exits 0.
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/service/nginx_fixture.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::OutcomeStatus;
using core::ServiceVerdict;

using NginxReload = NginxTest;

TEST_F(NginxReload, IdentityTellsWhoRuns) {
  start();
  const auto now = identity();
  EXPECT_TRUE(now.active);
  EXPECT_EQ(std::to_string(now.main_pid) + "\n", read_text(folder_ / "nginx.pid"));
  EXPECT_FALSE(now.start_time.empty());
  EXPECT_EQ(now.workers.size(), 2u);
  EXPECT_EQ(now.log_file, folder_ / "logs/error.log");
  EXPECT_GT(now.log_offset, 0);
  EXPECT_EQ(now.config_digest.size(), 64u);
  // The digest covers what is included, and comes back with the content.
  NginxSettings other;
  other.body = "generation 2";
  configure(other);
  EXPECT_NE(identity().config_digest, now.config_digest);
  configure({});
  EXPECT_EQ(identity().config_digest, now.config_digest);
  write_file(folder_ / "conf/conf.d/more.conf", "# more\n");
  EXPECT_NE(identity().config_digest, now.config_digest);
}

TEST_F(NginxReload, AGoodReloadIsProven) {
  start();
  const auto before = identity();
  EXPECT_EQ(wait_for(service_->verify(Action::reload, before)).verdict,
            ServiceVerdict::indeterminate)
      << "nothing was done yet";
  NginxSettings next;
  next.body = "generation 2";
  configure(next);
  const auto reading = reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_EQ(reading.now.main_pid, before.main_pid);
  EXPECT_NE(reading.now.config_digest, before.config_digest);
  EXPECT_TRUE(wait_for(service_->capabilities())->proves_reload);
}

TEST_F(NginxReload, ALimitZoneWithAnotherKeyIsNotApplied) {
  start();
  const auto before = identity();
  NginxSettings next;
  next.limit_key = "$uri";
  configure(next);
  EXPECT_EQ(wait_for(service_->test_config({})).status, core::CheckStatus::pass)
      << "nginx -t does not see it";
  const auto reading = reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_NE(reading.evidence.find("limit_req \"a\""), std::string::npos) << reading.evidence;
}

TEST_F(NginxReload, ACacheZoneWithAnotherPathIsNotApplied) {
  start();
  const auto before = identity();
  NginxSettings next;
  next.cache_path = "cache-b";
  configure(next);
  const auto reading = reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_NE(reading.evidence.find("cache \"c\""), std::string::npos) << reading.evidence;
}

TEST_F(NginxReload, FromOneAddressToAllIsNotApplied) {
  start();
  const auto before = identity();
  NginxSettings next;
  next.listen = std::to_string(port_);
  configure(next);
  const auto reading = reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_NE(reading.evidence.find("could not bind"), std::string::npos) << reading.evidence;
}

TEST_F(NginxReload, APortHeldByAnotherProgramIsNotApplied) {
  start();
  const auto before = identity();
  const int taken = free_port();
  PortHolder holder(taken);
  NginxSettings next;
  next.listen = "127.0.0.1:" + std::to_string(taken);
  configure(next);
  const auto reading = reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied) << reading.evidence;
  EXPECT_NE(reading.evidence.find("bind() to 127.0.0.1:" + std::to_string(taken)),
            std::string::npos)
      << reading.evidence;

  // And the way back: the previous configuration, with a reading of its own.
  configure({});
  const auto back = reload_and_watch(identity());
  EXPECT_EQ(back.verdict, ServiceVerdict::proven) << back.evidence;
}

// As logrotate does: rename, then USR1.
void rotate(const std::string& log, std::int64_t master) {
  std::filesystem::rename(log, log + ".1");
  ::kill(static_cast<pid_t>(master), SIGUSR1);
  for (int i = 0; i < 500 && !exists(log); ++i) ::usleep(10'000);
  ASSERT_TRUE(exists(log));
}

TEST_F(NginxReload, ALogRotatedBeforeTheFailureIsFollowed) {
  start();
  const auto before = identity();
  rotate(folder_ / "logs/error.log", before.main_pid);
  NginxSettings next;
  next.limit_key = "$uri";
  configure(next);
  EXPECT_EQ(reload_and_watch(before).verdict, ServiceVerdict::not_applied);
}

TEST_F(NginxReload, ALogRotatedAfterTheFailureIsReadUnderItsOtherName) {
  start();
  const auto before = identity();
  NginxSettings next;
  next.limit_key = "$uri";
  configure(next);
  ASSERT_EQ(reload_and_watch(before).verdict, ServiceVerdict::not_applied);
  rotate(folder_ / "logs/error.log", before.main_pid);
  EXPECT_EQ(wait_for(service_->verify(Action::reload, before)).verdict,
            ServiceVerdict::not_applied);
}

TEST_F(NginxReload, ATruncatedLogIsReadFromItsStart) {
  start();
  const auto before = identity();
  std::filesystem::resize_file(folder_ / "logs/error.log", 0);
  NginxSettings next;
  next.cache_path = "cache-b";
  configure(next);
  EXPECT_EQ(reload_and_watch(before).verdict, ServiceVerdict::not_applied);
}

TEST_F(NginxReload, AMasterThatIsGoneIsDown) {
  start();
  const auto before = identity();
  ::kill(static_cast<pid_t>(before.main_pid), SIGTERM);
  for (int i = 0; i < 500 && exists(folder_ / "nginx.pid"); ++i) ::usleep(10'000);
  const auto reading = watch(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down) << reading.evidence;
}

TEST_F(NginxReload, ARestartIsProvenAndOnlyOnWhoWasSeen) {
  start();
  const auto before = identity();
  const auto outcome = wait_for(service_->act({Action::restart, "t.3", before, 15'000}));
  ASSERT_EQ(outcome->status, OutcomeStatus::ok) << outcome->detail;
  const auto reading = watch(Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_NE(reading.evidence.find("PID changed: " + std::to_string(before.main_pid)),
            std::string::npos);

  const auto late = wait_for(service_->act({Action::restart, "t.4", before, 15'000}));
  EXPECT_EQ(late->status, OutcomeStatus::failed);
  EXPECT_NE(late->detail.find("someone restarted it"), std::string::npos) << late->detail;
  EXPECT_EQ(identity().main_pid, reading.now.main_pid) << "nothing was done";
}

TEST_F(NginxReload, AReloadIsNotARestart) {
  start();
  const auto before = identity();
  EXPECT_EQ(reload_and_watch(before).verdict, ServiceVerdict::proven);
  EXPECT_EQ(wait_for(service_->verify(Action::restart, before)).verdict,
            ServiceVerdict::indeterminate);
}

TEST_F(NginxReload, UnderSystemdTheProofIsTheSame) {
  // A systemctl that knows this one unit; its reload exits 0 whatever nginx makes of it.
  write_file(
      folder_ / "bin/systemctl",
      "#!/bin/sh\n"
      "pid=$(cat " +
          (folder_ / "nginx.pid") +
          ")\n"
          "case \"$*\" in\n"
          "  'show -p InvocationID --value -- nginx.service') echo abc;;\n"
          "  show*) printf "
          "'LoadState=loaded\\nActiveState=active\\nSubState=running\\nInvocationID=abc\\nMainPID=%"
          "s\\n"
          "NRestarts=0\\nResult=success\\nReloadResult=success\\nType=forking\\nCanReload=yes\\n"
          "StartLimitBurst=5\\nStartLimitIntervalUSec=10s\\n' \"$pid\";;\n"
          "  '--job-mode=fail reload -- nginx.service') nginx -c " +
          main_ + " -p " + folder_.path +
          " -s reload;;\n"
          "  *) exit 1;;\n"
          "esac\n",
      0755);
  start();
  host_.path_prefix = folder_ / "bin";
  NginxConfig config;
  config.main_config = main_;
  config.prefix = folder_.path;
  service_ = make_nginx_service(host_, config);
  for (const auto& line : wait_for(service_->validate())) {
    EXPECT_EQ(line.status, core::CheckStatus::pass) << line.name << ": " << line.evidence;
  }
  EXPECT_TRUE(wait_for(service_->capabilities())->proves_reload);
  auto before = identity();
  EXPECT_EQ(before.invocation_id, "abc");
  NginxSettings next;
  next.body = "generation 2";
  configure(next);
  EXPECT_EQ(reload_and_watch(before).verdict, ServiceVerdict::proven);
  before = identity();
  next.limit_key = "$uri";
  configure(next);
  EXPECT_EQ(reload_and_watch(before).verdict, ServiceVerdict::not_applied);
}

}  // namespace
}  // namespace hitless::service
