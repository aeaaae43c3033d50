#include "adapters/notify/spool.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "adapters/notify/delivery.hpp"
#include "adapters/notify/spool_item.hpp"
#include "runtime/child.hpp"

namespace hitless::notify {
namespace {

namespace fs = std::filesystem;

struct TempDir {
  TempDir() {
    std::string name = "/tmp/hitless-spool-XXXXXX";
    path = std::string(::mkdtemp(name.data())) + "/spool";
  }
  ~TempDir() { fs::remove_all(fs::path(path).parent_path()); }
  std::string path;
  std::vector<fs::path> files(const std::string& sub = "") const {
    std::vector<fs::path> found;
    if (!fs::exists(path + sub)) return found;
    for (const auto& entry : fs::directory_iterator(path + sub)) {
      if (entry.path().extension() == ".notification") found.push_back(entry.path());
    }
    return found;
  }
};

struct FakeSink : ports::Sink {
  explicit FakeSink(std::string n) : sink_name(std::move(n)) {}
  std::string name() const override { return sink_name; }
  bool required() const override { return false; }
  bool wants(ports::NotificationKind) const override { return true; }
  Task<Delivery> deliver(ports::Notification n) override {
    got.push_back(n);
    if (delay_ms > 0) co_await sleep_for(delay_ms);
    if (failures.contains(n.key) && failures[n.key]-- > 0) co_return tl::unexpected(failure);
    co_return Delivery();
  }
  std::string sink_name;
  std::vector<ports::Notification> got;
  std::map<std::string, int> failures;  // how often the key still fails
  ports::DeliveryFailure failure{
      {ErrorCode::unavailable, "HTTP 503", "http://x", ""}, false, std::nullopt};
  DurationMs delay_ms = 0;
};

ports::Notification note(const std::string& key) {
  ports::Notification n;
  n.key = key;
  n.rollout = "R-1";
  n.title = "title → é";
  n.text = "password=hunter2secret\nline \xff";
  n.fields = {{"a", "b"}};
  n.attachments = {{"audit.jsonl", "application/x-ndjson", std::string("\x00\xff\n{}", 5)}};
  n.at = 5;
  return n;
}

std::vector<DeliveryReport> flush(Spool& spool, std::vector<ports::Sink*> sinks,
                                  DurationMs budget_ms = 5000) {
  std::vector<DeliveryReport> reports;
  run_until_done([&]() -> Task<void> { reports = co_await spool.flush(sinks, budget_ms); });
  return reports;
}

SpoolLimits quick() {
  SpoolLimits limits;
  limits.first_backoff_ms = 10;
  return limits;
}

TEST(spool, what_is_queued_is_on_disk_redacted_and_private) {
  const TempDir dir;
  Spool spool(dir.path);
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value()) << "the same again changes nothing";
  ASSERT_EQ(dir.files().size(), 1u);
  struct stat info{};
  ASSERT_EQ(::stat(dir.files()[0].c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::ifstream in(dir.files()[0]);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(text.find("hunter2secret"), std::string::npos);
}

TEST(spool, delivers_whole_and_removes) {
  const TempDir dir;
  FakeSink sink("ops");
  {
    Spool spool(dir.path);
    ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  }
  Spool spool(dir.path);  // the next run of hitless
  const auto reports = flush(spool, {&sink});
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].status, DeliveryStatus::delivered);
  ASSERT_EQ(sink.got.size(), 1u);
  EXPECT_EQ(sink.got[0].key, "k1");
  EXPECT_EQ(sink.got[0].title, "title → é");
  EXPECT_EQ(sink.got[0].attachments.at(0).content, note("k1").attachments[0].content);
  EXPECT_EQ(sink.got[0].fields, note("k1").fields);
  EXPECT_EQ(dir.files().size(), 0u);
  EXPECT_EQ(flush(spool, {&sink}).size(), 0u);
}

TEST(spool, tries_again_until_it_works) {
  const TempDir dir;
  Spool spool(dir.path, quick());
  FakeSink sink("ops");
  sink.failures = {{"k1", 3}};
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  ASSERT_TRUE(spool.enqueue("ops", note("k2")).has_value());
  const auto reports = flush(spool, {&sink});
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].status, DeliveryStatus::delivered);
  EXPECT_EQ(reports[0].attempts, 4);
  EXPECT_EQ(reports[1].attempts, 1) << "one that fails does not hold up the other";
  EXPECT_EQ(sink.got.at(1).key, "k2");
}

TEST(spool, keeps_what_failed_for_the_next_run_and_counts_on) {
  const TempDir dir;
  FakeSink sink("ops");
  sink.failures = {{"k1", 1000}};
  SpoolLimits limits = quick();
  limits.max_attempts = 6;
  limits.max_backoff_ms = 20;
  int attempts = 0;
  {
    Spool spool(dir.path, limits);
    ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
    sink.delay_ms = 60;
    const auto reports = flush(spool, {&sink}, 150);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].status, DeliveryStatus::pending);
    attempts = reports[0].attempts;
    EXPECT_GE(attempts, 1);
    EXPECT_EQ(dir.files().size(), 1u);
  }
  sink.delay_ms = 0;
  Spool spool(dir.path, limits);
  const auto reports = flush(spool, {&sink});
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].status, DeliveryStatus::dead);
  EXPECT_EQ(reports[0].attempts, 6);
  EXPECT_EQ(sink.got.size(), 6u);
  EXPECT_EQ(dir.files().size(), 0u);
  EXPECT_EQ(dir.files("/dead").size(), 1u);
}

TEST(spool, what_is_withdrawn_is_never_sent) {
  const TempDir dir;
  Spool spool(dir.path, quick());
  FakeSink a("a"), b("b");
  for (FakeSink* sink : {&a, &b}) {
    ASSERT_TRUE(spool.enqueue(sink->sink_name, note("R-1/started")).has_value());
    ASSERT_TRUE(spool.enqueue(sink->sink_name, note("R-0/ended")).has_value());
  }
  spool.withdraw("R-1/started");
  EXPECT_EQ(dir.files().size(), 2u);
  flush(spool, {&a, &b});
  for (const FakeSink* sink : {&a, &b}) {
    ASSERT_EQ(sink->got.size(), 1u);
    EXPECT_EQ(sink->got[0].key, "R-0/ended");
  }
}

TEST(spool, retry_after_is_honoured_across_runs) {
  const TempDir dir;
  FakeSink sink("ops");
  sink.failures = {{"k1", 1}};
  sink.failure.retry_after_ms = 3'600'000;
  for (int run = 0; run < 3; ++run) {
    Spool spool(dir.path, quick());
    ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
    const auto reports = flush(spool, {&sink}, 2000);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].status, DeliveryStatus::pending);
    EXPECT_NE(reports[0].error.what.find("503"), std::string::npos);
  }
  EXPECT_EQ(sink.got.size(), 1u);
}

TEST(spool, final_failures_and_old_ones_go_to_dead) {
  const TempDir dir;
  FakeSink sink("ops");
  sink.failures = {{"k1", 1}};
  sink.failure.final = true;
  Spool spool(dir.path, quick());
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  auto reports = flush(spool, {&sink});
  EXPECT_EQ(reports.at(0).status, DeliveryStatus::dead);
  EXPECT_EQ(reports.at(0).attempts, 1);
  SpoolLimits old = quick();
  old.max_age_ms = -1;
  Spool impatient(dir.path, old);
  ASSERT_TRUE(impatient.enqueue("ops", note("k2")).has_value());
  reports = flush(impatient, {&sink});
  EXPECT_EQ(reports.at(0).status, DeliveryStatus::dead);
  EXPECT_EQ(sink.got.size(), 1u);
  EXPECT_EQ(dir.files("/dead").size(), 2u);
}

TEST(spool, a_hanging_sink_ends_with_the_budget_and_holds_up_nobody) {
  const TempDir dir;
  FakeSink slow("slow");
  FakeSink good("good");
  slow.delay_ms = 60'000;
  Spool spool(dir.path, quick());
  ASSERT_TRUE(spool.enqueue("slow", note("k1")).has_value());
  ASSERT_TRUE(spool.enqueue("good", note("k1")).has_value());
  const auto started = wall_now_ms();
  const auto reports = flush(spool, {&slow, &good}, 300);
  EXPECT_LT(wall_now_ms() - started, 30'000);
  ASSERT_EQ(reports.size(), 2u);
  for (const auto& report : reports) {
    EXPECT_EQ(report.status,
              report.sink == "good" ? DeliveryStatus::delivered : DeliveryStatus::pending);
  }
}

TEST(spool, damaged_files_are_put_aside) {
  const TempDir dir;
  Spool spool(dir.path, quick());
  FakeSink sink("ops");
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  ASSERT_TRUE(spool.enqueue("ops", note("k2")).has_value());
  const auto victim = dir.files()[0];
  std::string text;
  {
    std::ifstream in(victim);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream(victim, std::ios::trunc) << text.substr(0, text.size() / 2);
  std::ofstream(dir.path + "/junk.notification") << "junk";
  const auto reports = flush(spool, {&sink});
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].status, DeliveryStatus::delivered);
  EXPECT_EQ(dir.files("/dead").size(), 1u);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    ASSERT_FALSE(item_from_text(bad).has_value()) << i;
  }
}

TEST(spool, is_bounded) {
  const TempDir dir;
  SpoolLimits limits = quick();
  limits.max_files = 3;
  limits.max_dead_files = 2;
  Spool spool(dir.path, limits);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(spool.enqueue("ops", note(std::to_string(i))).has_value());
  const auto full = spool.enqueue("ops", note("4"));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::storage);
  FakeSink sink("ops");
  sink.failure.final = true;
  sink.failures = {{"0", 1}, {"1", 1}, {"2", 1}};
  flush(spool, {&sink});
  EXPECT_EQ(dir.files("/dead").size(), 2u);
  limits.max_bytes = 100;
  Spool tiny(dir.path, limits);
  EXPECT_FALSE(tiny.enqueue("ops", note("5")).has_value());
}

TEST(spool, a_crash_after_sending_repeats_with_the_same_key) {
  const TempDir dir;
  Spool spool(dir.path, quick());
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  struct DiesAfterSending : FakeSink {
    using FakeSink::FakeSink;
    Task<Delivery> deliver(ports::Notification) override {
      ::_exit(0);
      co_return Delivery();
    }
  };
  const pid_t child = ::fork();
  if (child == 0) {
    DiesAfterSending sink("ops");
    flush(spool, {&sink});
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  FakeSink sink("ops");
  const auto reports = flush(spool, {&sink});
  EXPECT_EQ(reports.at(0).status, DeliveryStatus::delivered);
  EXPECT_EQ(sink.got.at(0).key, "k1");
}

TEST(spool, one_process_at_a_time_delivers) {
  const TempDir dir;
  Spool spool(dir.path, quick());
  ASSERT_TRUE(spool.enqueue("ops", note("k1")).has_value());
  FakeSink sink("ops");
  {
    FakeSink failing("ops");  // makes the lock file
    failing.failures = {{"k1", 1}};
    failing.failure.retry_after_ms = 60'000;
    flush(spool, {&failing}, 100);
  }
  std::string lock;
  for (const auto& entry : fs::directory_iterator(dir.path)) {
    if (entry.path().extension() == ".lock") lock = entry.path();
  }
  const Fd other(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  const auto reports = flush(spool, {&sink}, 200);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].status, DeliveryStatus::pending);
  EXPECT_NE(reports[0].error.what.find("another hitless"), std::string::npos);
  EXPECT_EQ(sink.got.size(), 0u);
}

}  // namespace
}  // namespace hitless::notify
