// A program of which only commands and a pid file are known, and backups.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/service/config_files.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/test_host.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::CheckStatus;
using core::OutcomeStatus;
using core::ServiceVerdict;

class Command : public ::testing::Test {
 protected:
  Command() {
    config_.pid_file = folder_ / "app.pid";
    config_.restart = {"touch", folder_ / "restarted"};
    config_.reload = {"touch", folder_ / "reloaded"};
    make();
  }
  ~Command() override {
    for (const pid_t pid : children_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  void make() { service_ = make_command_service(host_, config_); }
  // A process of ours that waits for a pipe nobody writes to; it ends with us.
  pid_t child() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(60);
      for (;;) ::pause();
    }
    children_.push_back(pid);
    return pid;
  }
  void runs(pid_t pid) { write_file(config_.pid_file, std::to_string(pid) + "\n"); }
  core::ServiceIdentity identity() { return *wait_for(service_->identity()); }

  TestFolder folder_;
  TestHost host_;
  CommandConfig config_;
  std::unique_ptr<ports::Service> service_;
  std::vector<pid_t> children_;
};

TEST_F(Command, APidFileIsBelievedOnlyWithALivingProcess) {
  EXPECT_FALSE(identity().active) << "no pid file";
  runs(child());
  EXPECT_TRUE(identity().active);
  for (const char* text : {"", "\n", "0\n", "-1\n", "99999999\n", "12x\n", "$(touch /tmp/x)\n"}) {
    write_file(config_.pid_file, text);
    EXPECT_FALSE(identity().active) << text;
  }
  const pid_t dead = child();
  runs(dead);
  ::kill(dead, SIGKILL);
  for (int i = 0; i < 500 && identity().active; ++i) ::usleep(5'000);
  EXPECT_FALSE(identity().active) << "a zombie serves nobody";
}

TEST_F(Command, ARestartIsProvenByAnotherProcess) {
  runs(child());
  const auto before = identity();
  EXPECT_EQ(wait_for(service_->act({Action::restart, "R.1", before, 5'000}))->status,
            OutcomeStatus::ok);
  EXPECT_TRUE(exists(folder_ / "restarted"));
  EXPECT_EQ(wait_for(service_->verify(Action::restart, before)).verdict,
            ServiceVerdict::indeterminate)
      << "still the old one";
  runs(child());
  EXPECT_EQ(wait_for(service_->verify(Action::restart, before)).verdict, ServiceVerdict::proven);
  auto reused = before;
  reused.start_time = "1";
  runs(static_cast<pid_t>(before.main_pid));
  EXPECT_EQ(wait_for(service_->verify(Action::restart, reused)).verdict, ServiceVerdict::proven)
      << "same number, other process";
  std::filesystem::remove(config_.pid_file);
  EXPECT_EQ(wait_for(service_->verify(Action::restart, before)).verdict, ServiceVerdict::down);
}

TEST_F(Command, ActsOnWhoWasSeenOnly) {
  runs(child());
  const auto before = identity();
  runs(child());
  EXPECT_EQ(wait_for(service_->act({Action::restart, "R.1", before, 5'000}))->status,
            OutcomeStatus::failed);
  EXPECT_FALSE(exists(folder_ / "restarted"));
  std::filesystem::remove(config_.pid_file);
  EXPECT_EQ(wait_for(service_->act({Action::restart, "R.2", before, 5'000}))->status,
            OutcomeStatus::failed);
  const auto none = identity();
  EXPECT_EQ(wait_for(service_->act({Action::restart, "R.3", none, 5'000}))->status,
            OutcomeStatus::ok)
      << "from nothing to something";
  EXPECT_FALSE(host_.operations[0].privileged) << "the host has no sudo";
}

TEST_F(Command, ItsOwnExitCodesAreNotMistakenForOurs) {
  config_.restart = {"sh", "-c", "exit 96"};
  make();
  const auto outcome = wait_for(service_->act({Action::restart, "R.1", identity(), 5'000}));
  EXPECT_EQ(outcome->status, OutcomeStatus::failed);
  EXPECT_EQ(outcome->detail.find("someone"), std::string::npos) << outcome->detail;
}

TEST_F(Command, AReloadOfAnUnknownProgramIsNeverProven) {
  runs(child());
  const auto can = wait_for(service_->capabilities());
  EXPECT_TRUE(can->can_reload);
  EXPECT_FALSE(can->proves_reload);
  EXPECT_EQ(wait_for(service_->verify(Action::reload, identity())).verdict,
            ServiceVerdict::indeterminate);
}

TEST_F(Command, TheStatusCommandHasASay) {
  config_.status = {"test", "-e", folder_ / "well"};
  make();
  runs(child());
  EXPECT_FALSE(identity().active);
  write_file(folder_ / "well", "");
  EXPECT_TRUE(identity().active);
}

TEST_F(Command, ValidateNamesWhatIsMissing) {
  config_.restart = {"no-such-program-here"};
  make();
  bool command = false, process = false;
  for (const auto& line : wait_for(service_->validate())) {
    if (line.name == "Command") command = line.status == CheckStatus::fail;
    if (line.name == "Process") process = line.status == CheckStatus::fail;
  }
  EXPECT_TRUE(command);
  EXPECT_TRUE(process);
}

class BackUp : public ::testing::Test {
 protected:
  Result<std::string> back_up_now(std::vector<std::string> globs = {}) {
    return wait_for(
        back_up(host_, file_, "R-7f3a", 1'771'423'483'000, std::move(globs)));  // 2026-02-18
  }
  TestFolder folder_;
  TestHost host_;
  std::string file_ = folder_ / "conf.d/a.conf";
};

TEST_F(BackUp, IsDatedAndLeavesOthersAlone) {
  EXPECT_EQ(back_up_now(), std::string()) << "there is nothing to back up";
  write_file(file_, "one\n", 0640);
  ASSERT_EQ(back_up_now(), file_ + ".backup-20260218");
  EXPECT_EQ(read_text(file_ + ".backup-20260218"), "one\n");
  EXPECT_EQ(wait_for(host_.stat(file_ + ".backup-20260218"))->mode, "0640");
  EXPECT_EQ(back_up_now(), file_ + ".backup-20260218") << "the same again is the same";
  write_file(file_, "two\n");
  EXPECT_EQ(back_up_now(), file_ + ".backup-20260218-R-7f3a");
  EXPECT_EQ(read_text(file_ + ".backup-20260218"), "one\n");
  write_file(file_, "three\n");
  const auto third = back_up_now();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::refused);
  EXPECT_EQ(read_text(file_ + ".backup-20260218-R-7f3a"), "two\n");
}

TEST_F(BackUp, IsNotSwallowedByAnInclude) {
  write_file(file_, "one\n");
  EXPECT_EQ(back_up_now({folder_ / "conf.d/*.conf"}), file_ + ".backup-20260218");
  EXPECT_EQ(back_up_now({folder_ / "conf.d/*"}),
            folder_ / "conf.d/.hitless-backup/a.conf.backup-20260218");
  EXPECT_EQ(wait_for(host_.stat(folder_ / "conf.d/.hitless-backup"))->mode, "0700");
  EXPECT_FALSE(back_up_now({folder_ / "conf.d/*", folder_ / "conf.d/.hitless-backup/*"}));
}

TEST_F(BackUp, ALinkIsNoFolderForBackups) {
  write_file(file_, "one\n");
  std::filesystem::create_directory_symlink("/tmp", folder_ / "conf.d/.hitless-backup");
  EXPECT_FALSE(back_up_now({folder_ / "conf.d/*"}));
}

TEST_F(BackUp, HostileNamesAreRefused) {
  EXPECT_FALSE(wait_for(back_up(host_, folder_.path + "/../etc/passwd", "R-1", 0, {})));
  write_file(file_, "x");
  EXPECT_FALSE(wait_for(back_up(host_, file_, "../R", 0, {})));
}

TEST_F(BackUp, ReadAllIsAllOrNothing) {
  write_file(file_, "one\n");
  const auto files = wait_for(read_all(host_, {file_}));
  ASSERT_TRUE(files);
  EXPECT_EQ(files->at(file_), "one\n");
  EXPECT_FALSE(wait_for(read_all(host_, {file_, folder_ / "missing"})));
}

}  // namespace
}  // namespace hitless::service
