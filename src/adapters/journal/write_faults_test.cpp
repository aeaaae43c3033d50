// A disk that is full or broken, at every single write: what was reported as durable is there,
// nothing is half there, and nothing more is written.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>

#include "adapters/journal/faulty_vfs_for_tests.hpp"
#include "adapters/journal/journal_for_tests.hpp"

namespace hitless::journal {
namespace {

constexpr int max_calls = 2000;  // of the scenario below; it makes about 200

// What the journal said of each append, in order.
struct Story {
  bool opened = false;
  std::vector<std::string> acknowledged, refused;
  Error refusal;
  bool wrote_after_refusal = false;
};

std::vector<Event> batch(const std::string& name) {
  return {core::Noted{{"a"}, name + std::string(3000, '.')}, core::Noted{{"b"}, name}};
}

// Opens, appends some batches, one whole rollout, closes.
Story scenario(const TempDir& dir) {
  Story story;
  auto journal = open_journal(dir.state(), Mode::read_write);
  if (!journal) {
    story.refusal = journal.error();
    return story;
  }
  story.opened = true;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "n" + std::to_string(i);
    const auto done = append(**journal, "R-1", i == 4 ? whole_rollout("R-1") : batch(name));
    if (done && !story.refused.empty()) story.wrote_after_refusal = true;
    if (!done && story.refused.empty()) story.refusal = done.error();
    (done ? story.acknowledged : story.refused).push_back(i == 4 ? "whole" : name);
  }
  static_cast<void>((*journal)->close());
  return story;
}

// The batches that are in the journal; none may be there in part.
Result<std::vector<std::string>> batches_in(const TempDir& dir) {
  std::vector<std::string> found;
  auto journal = open_journal(dir.state(), Mode::read_only);
  if (!journal) return tl::unexpected(journal.error());
  const auto entries = (*journal)->read("R-1");
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < entries->size();) {
    const bool whole = std::holds_alternative<core::RolloutStarted>(entries->at(i).event);
    const std::size_t size = whole ? 6 : 2;
    if (i + size > entries->size()) return fail(ErrorCode::failed, "half a batch is there");
    const auto* last = std::get_if<core::Noted>(&entries->at(i + size - 1).event);
    found.push_back(last != nullptr ? last->text : "whole");
    i += size;
  }
  return found;
}

// After the disk is well again. A write that failed only when it was synced may be there, whole and
// last: SQLite cannot take it back, and who recovers observes the world.
void check_aftermath(const TempDir& dir, const Story& story, const std::string& what) {
  EXPECT_FALSE(story.wrote_after_refusal) << what;
  const auto report = verify_journal(dir.state());
  ASSERT_TRUE(report.has_value()) << what << ": " << describe(report.error());
  EXPECT_TRUE(report->intact) << what << ": " << report->problem;
  const auto found = batches_in(dir);
  if (!found && story.acknowledged.empty()) return;  // it ended before there were tables
  ASSERT_TRUE(found.has_value()) << what << ": " << describe(found.error());
  ASSERT_GE(found->size(), story.acknowledged.size()) << what;
  ASSERT_LE(found->size(), story.acknowledged.size() + 1) << what;
  EXPECT_TRUE(std::equal(story.acknowledged.begin(), story.acknowledged.end(), found->begin()))
      << what;
  if (found->size() > story.acknowledged.size()) {
    ASSERT_FALSE(story.refused.empty()) << what;
    EXPECT_EQ(found->back(), story.refused.front()) << what;
  }
  if (story.opened && !story.refused.empty()) {
    EXPECT_EQ(story.refusal.code, ErrorCode::storage) << what;
    EXPECT_NE(story.refusal.help.find("`hitless resume`"), std::string::npos) << what;
  }
  // And it goes on.
  auto journal = open_journal(dir.state(), Mode::read_write);
  ASSERT_TRUE(journal.has_value()) << what << ": " << describe(journal.error());
  EXPECT_TRUE(append(**journal, "R-2", {core::Noted{{"a"}, "on"}}).has_value()) << what;
  EXPECT_TRUE((*journal)->close().has_value()) << what;
  const auto after = verify_journal(dir.state());
  EXPECT_TRUE(after->intact && after->sealed) << what << ": " << after->problem;
}

void fail_each_call(FaultPlan plan, const std::string& name) {
  int refused = 0;
  for (plan.at = 1; plan.at <= max_calls; ++plan.at) {
    const TempDir dir("/dev/shm");
    const std::string what = name + " at call " + std::to_string(plan.at);
    Story story;
    int calls = 0;
    {
      const FaultyVfs vfs(plan);
      story = scenario(dir);
      calls = vfs.count();
    }
    check_aftermath(dir, story, what);
    if (testing::Test::HasFailure()) return;
    refused += !story.opened || !story.refused.empty();
    if (calls < plan.at) break;
  }
  ASSERT_LT(plan.at, max_calls);
  testing::Test::RecordProperty("calls", plan.at - 1);
  EXPECT_GT(plan.at, 50);
  EXPECT_GT(refused, 30) << "the faults did not reach the writer";
}

TEST(write_faults, no_space_at_any_call) {
  fail_each_call({0, false, SQLITE_FULL, false}, "ENOSPC");
}
TEST(write_faults, no_space_from_any_call_on) {
  fail_each_call({0, true, SQLITE_FULL, false}, "ENOSPC from there on");
}
TEST(write_faults, io_error_at_any_call) {
  fail_each_call({0, false, SQLITE_IOERR_WRITE, false}, "EIO");
}
TEST(write_faults, io_error_from_any_call_on) {
  fail_each_call({0, true, SQLITE_IOERR_WRITE, false}, "EIO from there on");
}
TEST(write_faults, torn_write_at_any_call) {
  fail_each_call({0, false, SQLITE_IOERR_WRITE, true}, "torn write");
}
TEST(write_faults, torn_write_and_no_space_from_any_call_on) {
  fail_each_call({0, true, SQLITE_FULL, true}, "torn write, then ENOSPC");
}

// ---- a real disk that is really full
// --------------------------------------------------------------
constexpr std::int64_t disk_bytes = 1 << 20;
constexpr std::int64_t page_bytes = 4096;
constexpr int exit_failed = 1;
constexpr int exit_done_without_fault = 3;

void fill_up_to(const std::string& path, std::int64_t free_bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::posix_fallocate(fd, 0, disk_bytes - free_bytes), 0);
  ::close(fd);
}

// In a child with mounts of its own, which go with it, however it ends.
int on_a_disk_with(std::int64_t free_bytes) {
  const TempDir dir;
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", dir.path.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) {
    return exit_failed;
  }
  fill_up_to(dir.path + "/ballast", free_bytes);
  const Story story = scenario(dir);
  fs::remove(dir.path + "/ballast");
  check_aftermath(dir, story, std::to_string(free_bytes) + " bytes free");
  const bool fault = !story.opened || !story.refused.empty();
  ::umount2(dir.path.c_str(), MNT_DETACH);
  if (testing::Test::HasFailure()) return exit_failed;
  return fault ? 0 : exit_done_without_fault;
}

TEST(write_faults, a_full_tmpfs_at_every_page) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  int faults = 0;
  int done = 0;
  for (std::int64_t pages = 0; pages < disk_bytes / page_bytes && done < 3; ++pages) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(on_a_disk_with(pages * page_bytes));
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status)) << pages;
    ASSERT_NE(WEXITSTATUS(status), exit_failed) << pages << " pages free";
    faults += WEXITSTATUS(status) == 0;
    done += WEXITSTATUS(status) == exit_done_without_fault;
  }
  RecordProperty("faults", faults);
  EXPECT_GT(faults, 10);
  EXPECT_EQ(done, 3) << "it never fitted";
}

}  // namespace
}  // namespace hitless::journal
