// The service conformance suite: the same questions to every driver, with its real daemon.
// `./dev conformance` prints the answers as a matrix (tests/conformance/services_matrix.py).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "adapters/service/conformance_subjects.hpp"
#include "base/time.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::CheckStatus;
using core::OutcomeStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

class ServiceConformance : public ::testing::TestWithParam<SubjectMaker> {
 protected:
  ServiceConformance() : subject_(GetParam().make()), service_(*subject_->unit.service) {
    subject_->configure(1);
  }
  void start() {
    ASSERT_TRUE(subject_->unit.start(subject_->has_workers))
        << read_text(subject_->unit.folder / "unit/out");
  }
  ServiceIdentity identity() { return wait_for(service_.identity()).value_or(ServiceIdentity{}); }
  core::Outcome act(Action action, const ServiceIdentity& expected) {
    return wait_for(service_.act({action, "R-1.1", expected, 30'000})).value();
  }
  ServiceReading verify(Action action, const ServiceIdentity& before) {
    return wait_for(service_.verify(action, before));
  }
  // The first reading that is not indeterminate, or the last one after `limit`.
  ServiceReading watch(Action action, const ServiceIdentity& before, DurationMs limit = 60'000) {
    const TimeMs end = wall_now_ms() + limit;
    for (;;) {
      ServiceReading reading = verify(action, before);
      if (reading.verdict != ServiceVerdict::indeterminate || wall_now_ms() > end) return reading;
      ::usleep(50'000);
    }
  }
  void not_applicable(const std::string& why) { RecordProperty("not_applicable", why); }
  std::unique_ptr<Subject> subject_;
  ports::Service& service_;
};

TEST_P(ServiceConformance, Identity) {
  start();
  const auto now = identity();
  EXPECT_TRUE(now.active);
  EXPECT_EQ(now.main_pid, subject_->unit.pid());
  EXPECT_FALSE(now.start_time.empty());
  EXPECT_EQ(now.config_digest.size(), 64u);
  subject_->configure(2);
  EXPECT_NE(identity().config_digest, now.config_digest) << "the digest covers the file";
  for (const auto& line : wait_for(service_.validate())) {
    EXPECT_TRUE(line.status == CheckStatus::pass || line.status == CheckStatus::warn)
        << line.name << ": " << line.evidence;
  }
}

TEST_P(ServiceConformance, ConfigTest) {
  if (!subject_->why_no_test.empty()) return not_applicable(subject_->why_no_test);
  EXPECT_EQ(wait_for(service_.test_config({})).status, CheckStatus::pass)
      << wait_for(service_.test_config({})).evidence;
  const auto broken = wait_for(service_.test_config({{subject_->config, subject_->refused}}));
  EXPECT_EQ(broken.status, CheckStatus::fail) << broken.evidence;
  EXPECT_EQ(broken.evidence.find("/hitless-stage-"), std::string::npos) << broken.evidence;
  EXPECT_NE(read_text(subject_->config), subject_->refused) << "nothing live is touched";
}

TEST_P(ServiceConformance, GoodReloadProven) {
  start();
  const auto can = wait_for(service_.capabilities());
  ASSERT_TRUE(can);
  if (!subject_->reloads) {
    EXPECT_FALSE(can->can_reload && can->proves_reload) << "then a reload is never chosen";
    return not_applicable("it has no reload");
  }
  EXPECT_TRUE(can->can_reload && can->proves_reload);
  const auto before = identity();
  subject_->configure(2);
  EXPECT_EQ(verify(Action::reload, before).verdict, ServiceVerdict::indeterminate)
      << "nothing was done yet";
  ASSERT_EQ(act(Action::reload, before).status, OutcomeStatus::ok);
  const auto reading = watch(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_EQ(reading.now.main_pid, before.main_pid);
  EXPECT_NE(reading.now.config_digest, before.config_digest);
  EXPECT_EQ(watch(Action::restart, before, 0).verdict, ServiceVerdict::not_applied)
      << "and no restart";
}

TEST_P(ServiceConformance, SilentFailureCaught) {
  if (!subject_->break_silently) return not_applicable(subject_->why_never_silent);
  start();
  const auto before = identity();
  subject_->break_silently();
  EXPECT_EQ(act(Action::reload, before).status, OutcomeStatus::ok) << "every command exits 0";
  const auto reading = watch(Action::reload, before, subject_->silence_is_told ? 60'000 : 1'500);
  EXPECT_EQ(reading.verdict,
            subject_->silence_is_told ? ServiceVerdict::not_applied : ServiceVerdict::indeterminate)
      << reading.evidence;
  EXPECT_TRUE(identity().active) << "it goes on with what it had";
}

TEST_P(ServiceConformance, DeadOnBadReload) {
  const auto mode = [&] { return wait_for(service_.capabilities())->reload_failure_mode; };
  if (!subject_->break_fatally) {
    start();
    EXPECT_NE(mode(), ports::ReloadFailureMode::dies);
    return not_applicable(subject_->why_never_fatal);
  }
  start();
  EXPECT_NE(mode(), ports::ReloadFailureMode::keeps_old);
  const auto before = identity();
  subject_->break_fatally();
  (void)act(Action::reload, before);
  const auto reading = watch(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down) << reading.evidence;
  EXPECT_FALSE(identity().active);
}

TEST_P(ServiceConformance, RestartProven) {
  start();
  EXPECT_TRUE(wait_for(service_.capabilities())->proves_restart);
  const auto before = identity();
  EXPECT_EQ(verify(Action::restart, before).verdict, ServiceVerdict::not_applied)
      << "nothing was done yet";
  ASSERT_EQ(act(Action::restart, before).status, OutcomeStatus::ok);
  const auto reading = watch(Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_NE(reading.now.main_pid, before.main_pid);
  const auto late = act(Action::restart, before);
  EXPECT_EQ(late.status, OutcomeStatus::failed) << "it is another one now";
  EXPECT_EQ(identity().main_pid, reading.now.main_pid);
}

TEST_P(ServiceConformance, FlappingTold) {
  start();
  const auto before = identity();
  subject_->unit.restart_always();
  subject_->break_start();
  (void)act(Action::restart, before);
  const auto reading = watch(Action::restart, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::flapping) << reading.evidence;
}

TEST_P(ServiceConformance, UnknownIsNeverGood) {
  start();
  const auto before = identity();
  EXPECT_EQ(act(Action::restart, ServiceIdentity{}).status, OutcomeStatus::failed)
      << "nobody looked at who runs";
  subject_->unit.host.lose = [](const ports::Operation&) {
    return Error{ErrorCode::transport_lost, "connection lost", "web01", {}};
  };
  EXPECT_EQ(act(Action::restart, before).status, OutcomeStatus::unknown) << "a lost reply";
  subject_->unit.host.unreachable = Error{ErrorCode::unavailable, "no route", "web01", {}};
  EXPECT_EQ(verify(Action::reload, before).verdict, ServiceVerdict::indeterminate);
  EXPECT_EQ(verify(Action::restart, before).verdict, ServiceVerdict::indeterminate);
  EXPECT_FALSE(wait_for(service_.capabilities()).has_value());
  EXPECT_NE(wait_for(service_.test_config({{subject_->config, "x"}})).status, CheckStatus::pass);
  subject_->unit.host.unreachable.reset();
}

TEST_P(ServiceConformance, PendingEditShown) {
  start();
  const auto pending = [&] {
    const auto lines = wait_for(service_.validate());
    return std::find_if(lines.begin(), lines.end(), [](const core::Check& line) {
             return line.name == "Pending edits";
           }) != lines.end();
  };
  EXPECT_FALSE(pending()) << "it runs what is on disk";
  ::usleep(200'000);
  subject_->configure(2);
  EXPECT_TRUE(pending()) << "an edit that nobody has loaded";
  const auto before = identity();
  const Action action = subject_->reloads ? Action::reload : Action::restart;
  ::usleep(200'000);
  ASSERT_EQ(act(action, before).status, OutcomeStatus::ok);
  ASSERT_EQ(watch(action, before).verdict, ServiceVerdict::proven);
  if (std::string(GetParam().name) != "systemd") {  // there only systemd could tell of the reload
    EXPECT_FALSE(pending()) << "it is loaded now";
  }
}

INSTANTIATE_TEST_SUITE_P(All, ServiceConformance, ::testing::ValuesIn(subjects()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hitless::service
