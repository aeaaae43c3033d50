#include "adapters/journal/sqlite_journal.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>

#include "adapters/journal/chain.hpp"
#include "adapters/journal/journal_for_tests.hpp"
#include "adapters/journal/verify.hpp"
#include "runtime/process.hpp"

namespace hitless::journal {
namespace {

TEST(journal, entries_come_back_and_the_chain_is_intact) {
  const TempDir dir;
  auto journal = open_rw(dir);
  const auto first = append(*journal, "R-1", whole_rollout("R-1"));
  ASSERT_TRUE(first.has_value()) << describe(first.error());
  EXPECT_EQ(first->front().seq, 1);
  EXPECT_EQ(first->back().seq, 6);
  ASSERT_TRUE(append(*journal, "R-2", {core::Noted{{"a"}, "b"}}).has_value());
  const auto entries = journal->read("R-1");
  ASSERT_TRUE(entries.has_value()) << describe(entries.error());
  ASSERT_EQ(entries->size(), 6u);
  EXPECT_EQ(std::get<core::RolloutStarted>(entries->front().event).actor, "ann");
  EXPECT_EQ(entries->front().at, 1000);
  EXPECT_EQ(journal->read("R-1", 2)->size(), 2u);
  EXPECT_TRUE(journal->read("R-9")->empty());
  const auto live = journal->verify();
  ASSERT_TRUE(live.has_value());
  EXPECT_TRUE(live->intact) << live->problem;
  EXPECT_EQ(live->entries, 7);
  EXPECT_FALSE(live->sealed);
  ASSERT_TRUE(journal->close().has_value());
  const auto closed = report_of(dir);
  EXPECT_TRUE(closed.intact) << closed.problem;
  EXPECT_TRUE(closed.sealed);
  EXPECT_EQ(closed.head, live->head);
}

constexpr const char* kReaderOf = "HITLESS_TEST_READER_OF";

// A reader in another process that closes must not take the -wal away from under a writer. Another
// program, not only a fork: SQLite in a fork believes that it has its parent's locks.
TEST(journal, a_reader_that_comes_and_goes_takes_nothing_from_a_new_writer) {
  if (const char* state = ::getenv(kReaderOf); state != nullptr) {  // that other program
    const auto reader = open_journal(state, Mode::read_only);
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ((*reader)->read("R-1")->size(), 6u);
    return;
  }
  const TempDir dir;
  auto journal = open_rw(dir);
  ASSERT_TRUE(append(*journal, "R-1", whole_rollout("R-1")).has_value());
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string filter = std::string("--gtest_filter=journal.") +
                               testing::UnitTest::GetInstance()->current_test_info()->name();
    ::setenv(kReaderOf, dir.state().c_str(), 1);
    ::execl("/proc/self/exe", "reader", "--gtest_brief=1", filter.c_str(), nullptr);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(dir.state() + "/journal.db-wal"));
  ASSERT_TRUE(append(*journal, "R-2", {core::Noted{{"a"}, "b"}}).has_value());
  const auto later = open_journal(dir.state(), Mode::read_only);
  ASSERT_TRUE(later.has_value());
  EXPECT_EQ((*later)->read("R-2")->size(), 1u);
}

TEST(journal, history_rows_follow_from_the_entries) {
  const TempDir dir;
  build(dir);
  auto journal = open_journal(dir.state(), Mode::read_only);
  ASSERT_TRUE(journal.has_value()) << describe(journal.error());
  const auto rows = (*journal)->rollouts(10);
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 2u);
  const auto& newest = rows->front();
  EXPECT_EQ(newest.rollout, "R-2");
  EXPECT_EQ(newest.service, "web");
  EXPECT_EQ(newest.intent, "restart");
  EXPECT_EQ(newest.actor, "ann");
  EXPECT_EQ(newest.result, "rolled_back");
  EXPECT_EQ(newest.reason, "health check failed");
  EXPECT_EQ(newest.incident, "INC-1");
  EXPECT_EQ(newest.started_at, 2000);
  EXPECT_EQ(newest.ended_at, 2000);
  EXPECT_EQ(newest.first_seq, 8);
  EXPECT_EQ(newest.last_seq, 13);
  EXPECT_EQ((*journal)->rollouts(1)->size(), 1u);
  EXPECT_FALSE(append(**journal, "R-3", {core::Noted{}}).has_value());
  EXPECT_FALSE((*journal)->put_fact("k", "v").has_value());
}

// Killed between the intent of the end and the end: `resume` must find it. (Found by the crash
// matrix.)
TEST(journal, an_end_that_was_only_intended_is_no_end) {
  const TempDir dir;
  auto journal = open_rw(dir);
  std::vector<Event> events = whole_rollout("R-1");
  const Event last = events.back();
  events.pop_back();
  ASSERT_TRUE(append(*journal, "R-1", events).has_value());
  EXPECT_EQ(journal->rollouts(1)->front().result, "");
  ASSERT_TRUE(append(*journal, "R-1", {last}).has_value());
  EXPECT_EQ(journal->rollouts(1)->front().result, "rolled_back");
}

TEST(journal, facts_and_incident_numbers_survive_a_restart) {
  const TempDir dir;
  {
    auto journal = open_rw(dir);
    EXPECT_EQ(journal->get_fact("k").value(), "");
    ASSERT_TRUE(journal->put_fact("k", "v1").has_value());
    ASSERT_TRUE(journal->put_fact("k", "v2 \xff").has_value());
    EXPECT_EQ(journal->next_incident_id().value(), "INC-1");
    EXPECT_FALSE(journal->put_fact("", "x").has_value());
  }
  auto journal = open_rw(dir);
  EXPECT_EQ(journal->get_fact("k").value(), "v2 \uFFFD");
  EXPECT_EQ(journal->next_incident_id().value(), "INC-2");
  EXPECT_TRUE(journal->verify()->intact) << journal->verify()->problem;
}

// Runs the program printed in docs/AUDIT.md on text; its exit code and output.
ProcessOutput run_documented_verifier(const TempDir& dir, const std::string& text) {
  const std::string doc = slurp(std::string(HITLESS_SOURCE_DIR) + "/docs/AUDIT.md");
  const auto from = doc.find("```python\n") + 10;
  const std::string program = doc.substr(from, doc.find("```", from) - from);
  const std::string file = dir.path + "/export.jsonl";
  spill(file, text);
  ProcessOutput output;
  run_until_done([&]() -> Task<void> {
    std::vector<std::string> argv;
    for (const auto* word : {"python3", "-c"}) argv.emplace_back(word);
    argv.push_back(program);
    argv.push_back(file);
    auto done = co_await run_process(argv, "", 20'000);
    if (done) output = *done;
  });
  return output;
}

TEST(journal, an_export_can_be_checked_by_a_third_party) {
  const TempDir dir;
  build(dir);
  auto journal = open_journal(dir.state(), Mode::read_only);
  ASSERT_TRUE(journal.has_value());
  const std::string all = (*journal)->export_text("", 1 << 20).value();
  const auto whole = run_documented_verifier(dir, all);
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_NE(whole.out.find("head 13 " + report_of(dir).head), std::string::npos) << whole.out;
  const std::string one = (*journal)->export_text("R-2", 1 << 20).value();
  EXPECT_EQ(std::count(one.begin(), one.end(), '\n'), 6);
  EXPECT_EQ(run_documented_verifier(dir, one).exit_code, 0);
  std::string altered = all;
  altered.replace(altered.find("hello"), 5, "hullo");
  const auto found = run_documented_verifier(dir, altered);
  EXPECT_EQ(found.exit_code, 1);
  EXPECT_NE(found.err.find("2 ALTERED"), std::string::npos) << found.err;
  std::string spliced = all;
  const auto second = spliced.find('\n') + 1;
  spliced.erase(0, second);  // the first line is gone: allowed, as in an export of one rollout
  EXPECT_EQ(run_documented_verifier(dir, spliced).exit_code, 0);
  EXPECT_FALSE((*journal)->export_text("", 100).has_value());
}

TEST(journal, files_are_private) {
  const TempDir dir;
  build(dir);
  struct stat info{};
  ASSERT_EQ(::stat(dir.state().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const auto& file : fs::directory_iterator(dir.state())) {
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << file.path();
  }
  ::chmod(dir.state().c_str(), 0777);
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write).has_value());
}

TEST(journal, any_single_byte_of_the_file_counts) {
  const TempDir dir;
  build(dir);
  // Free pages too: a large entry that is gone again would be one; so is a page added by hand.
  const std::string good = slurp(dir.db());
  ASSERT_TRUE(report_of(dir).intact);
  for (std::size_t at = 0; at < good.size(); at += at < 100 || at + 200 > good.size() ? 1 : 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    spill(dir.db(), bad);
    const auto report = report_of(dir);
    ASSERT_FALSE(report.intact) << "byte " << at;
    ASSERT_NE(report.problem, "");
  }
  std::string bad = good;
  bad.back() = static_cast<char>(bad.back() ^ 0x80);
  spill(dir.db(), bad);
  EXPECT_FALSE(report_of(dir).intact);
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write).has_value());
  spill(dir.db(), good);
  EXPECT_TRUE(report_of(dir).intact) << "looking must not change anything";
}

TEST(journal, any_single_byte_of_the_seal_counts) {
  const TempDir dir;
  build(dir);
  const std::string good = slurp(dir.db() + ".seal");
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spill(dir.db() + ".seal", bad);
    ASSERT_FALSE(report_of(dir).intact) << "byte " << at;
  }
}

TEST(journal, truncation_is_found) {
  const TempDir dir;
  build(dir);
  const std::string good = slurp(dir.db());
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{50}, std::size_t{100}, std::size_t{4096},
        good.size() / 2, good.size() - 4096, good.size() - 1}) {
    spill(dir.db(), good.substr(0, size));
    EXPECT_FALSE(report_of(dir).intact) << size;
  }
  spill(dir.db(), good + std::string(4096, '\0'));
  EXPECT_FALSE(report_of(dir).intact);
  fs::remove(dir.db());
  EXPECT_FALSE(report_of(dir).intact);
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write).has_value());
}

// Each is found with the seal there, and through chain and head also when the forger removed the
// seal.
TEST(journal, edits_of_rows_are_found) {
  const std::vector<std::string> edits = {
      "UPDATE entries SET body = replace(body, 'hello', 'hullo') WHERE seq = 2",
      "UPDATE entries SET at_ms = at_ms + 1 WHERE seq = 3",
      "UPDATE entries SET rollout = 'R-2' WHERE seq = 4",
      "UPDATE entries SET kind = 'noted' WHERE seq = 1",
      "UPDATE entries SET hash = prev WHERE seq = 13",
      "DELETE FROM entries WHERE seq = 13",
      "DELETE FROM entries WHERE seq = 1",
      "DELETE FROM entries WHERE seq = 5",
      "DELETE FROM entries",
      "INSERT INTO entries SELECT 14, rollout, at_ms, kind, body, prev, hash FROM entries WHERE "
      "seq = 13",
      "UPDATE entries SET seq = -1 WHERE seq = 2; UPDATE entries SET seq = 2 WHERE seq = 3;"
      "UPDATE entries SET seq = 3 WHERE seq = -1",
      "UPDATE rollouts SET actor = 'bob' WHERE rollout = 'R-1'",
      "DELETE FROM rollouts WHERE rollout = 'R-1'",
      "UPDATE facts SET value = 'abd'",
      "UPDATE meta SET value = '12' WHERE key = 'head_seq'",
      "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
      "CREATE TABLE more(x)",
  };
  for (const auto& sql : edits) {
    const TempDir dir;
    build(dir);
    edit(dir, sql);
    EXPECT_FALSE(report_of(dir).intact) << sql;
    fs::remove(dir.db() + ".seal");
    const auto report = report_of(dir);
    EXPECT_FALSE(report.intact) << "without seal: " << sql;
    EXPECT_FALSE(open_journal(dir.state(), Mode::read_write).has_value()) << sql;
  }
}

TEST(journal, a_cut_tail_with_a_forged_head_is_found_by_the_note_of_the_last_commit) {
  const TempDir dir;
  build(dir);
  edit(dir,
       "DELETE FROM entries WHERE seq > 6; DELETE FROM rollouts WHERE rollout = 'R-2';"
       "DELETE FROM facts; UPDATE meta SET value = '6' WHERE key = 'head_seq';"
       "UPDATE meta SET value = (SELECT hash FROM entries WHERE seq = 6) WHERE key = 'head_hash'");
  fs::remove(dir.db() + ".seal");
  const auto report = report_of(dir);
  EXPECT_FALSE(report.intact);
  EXPECT_NE(report.problem.find("gone from the end"), std::string::npos) << report.problem;
}

TEST(journal, the_report_says_where) {
  const TempDir dir;
  build(dir);
  edit(dir, "UPDATE entries SET body = replace(body, 'hello', 'hullo') WHERE seq = 2");
  const auto report = report_of(dir);
  EXPECT_NE(report.problem.find("entry 2: was altered"), std::string::npos) << report.problem;
  EXPECT_NE(report.problem.find("bytes"), std::string::npos) << report.problem;
}

TEST(journal, read_refuses_an_altered_entry) {
  const TempDir dir;
  build(dir);
  edit(dir, "UPDATE entries SET body = replace(body, 'hello', 'hullo') WHERE seq = 2");
  auto journal = open_journal(dir.state(), Mode::read_only);
  ASSERT_TRUE(journal.has_value());
  const auto entries = (*journal)->read("R-1");
  ASSERT_FALSE(entries.has_value());
  EXPECT_EQ(entries.error().code, ErrorCode::storage);
}

// Appends in a child that dies without closing anything.
void append_and_die(const TempDir& dir) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto journal = open_journal(dir.state(), Mode::read_write);
    const bool ok =
        journal &&
        append(**journal, "R-7", {core::Noted{{"a"}, std::string(20'000, 'x')}}).has_value() &&
        append(**journal, "R-7", {core::Noted{{"a"}, "last"}}).has_value();
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
}

TEST(journal, a_crash_loses_nothing_and_the_next_clean_close_seals) {
  const TempDir dir;
  build(dir);
  append_and_die(dir);
  const auto crashed = report_of(dir);
  EXPECT_TRUE(crashed.intact) << crashed.problem;
  EXPECT_FALSE(crashed.sealed);
  EXPECT_NE(crashed.note.find("not sealed"), std::string::npos);
  EXPECT_EQ(crashed.entries, 15);
  {
    auto journal = open_rw(dir);
    ASSERT_NE(journal, nullptr);
    EXPECT_EQ(std::get<core::Noted>(journal->read("R-7")->back().event).text, "last");
  }
  const auto after = report_of(dir);
  EXPECT_TRUE(after.intact) << after.problem;
  EXPECT_TRUE(after.sealed);
}

TEST(journal, a_cut_or_flipped_write_ahead_log_is_found_after_a_crash) {
  const TempDir dir;
  build(dir);
  append_and_die(dir);
  const std::string wal = slurp(dir.db() + "-wal");
  ASSERT_GT(wal.size(), 8000u);
  fs::remove(dir.db() + "-shm");
  spill(dir.db() + "-wal", wal.substr(0, wal.size() - 1));
  EXPECT_FALSE(report_of(dir).intact);
  for (const std::size_t at : {wal.size() / 2, wal.size() - 100, std::size_t{40}}) {
    std::string bad = wal;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spill(dir.db() + "-wal", bad);
    fs::remove(dir.db() + "-shm");
    EXPECT_FALSE(report_of(dir).intact) << at;
  }
  fs::remove(dir.db() + "-shm");
  spill(dir.db() + "-wal", wal);
  const auto report = report_of(dir);
  EXPECT_TRUE(report.intact) << report.problem;
}

// It holds the last entries. SQLite removes it beside an empty database.
TEST(journal, looking_at_a_cut_journal_leaves_its_write_ahead_log) {
  const TempDir dir;
  build(dir);
  append_and_die(dir);
  const std::string wal = slurp(dir.db() + "-wal"), whole = slurp(dir.db());
  for (const std::size_t size : {0U, 1U, 99U, 100U, 512U, 4095U, 4096U, 4097U, 8192U, 20'000U}) {
    fs::remove(dir.db() + "-shm");
    spill(dir.db(), whole.substr(0, size));
    (void)verify_journal(dir.state(), Depth::first_problem);
    EXPECT_TRUE(slurp(dir.db() + "-wal") == wal) << "verified when cut to " << size;
    (void)open_journal(dir.state(), Mode::read_only);
    EXPECT_TRUE(slurp(dir.db() + "-wal") == wal) << "read when cut to " << size;
    (void)open_journal(dir.state(), Mode::read_write);
    EXPECT_TRUE(slurp(dir.db() + "-wal") == wal) << "opened for writing when cut to " << size;
    spill(dir.db() + "-wal", wal);
  }
}

TEST(journal, readers_neither_break_nor_make_seals) {
  const TempDir dir;
  build(dir);
  const std::string seal = slurp(dir.db() + ".seal");
  const std::string db = slurp(dir.db());
  {
    auto reader = open_journal(dir.state(), Mode::read_only);
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ((*reader)->rollouts(5)->size(), 2u);
    EXPECT_TRUE((*reader)->verify()->intact);
    auto writer = open_rw(dir);  // opened, but nothing written
    EXPECT_TRUE(writer->verify()->sealed);
  }
  EXPECT_EQ(slurp(dir.db() + ".seal"), seal);
  EXPECT_EQ(slurp(dir.db()), db);
  EXPECT_TRUE(report_of(dir).intact);
  auto writer = open_rw(dir);
  auto reader = open_journal(dir.state(), Mode::read_only);
  ASSERT_TRUE(append(*writer, "R-3", {core::Noted{{"a"}, "b"}}).has_value());
  EXPECT_FALSE(fs::exists(dir.db() + ".seal"));
  EXPECT_EQ((*reader)->read("R-3")->size(), 1u);
  ASSERT_TRUE(writer->close().has_value());
  EXPECT_TRUE(report_of(dir).sealed);
  reader->reset();
  EXPECT_TRUE(report_of(dir).intact) << report_of(dir).problem;
  EXPECT_TRUE(report_of(dir).sealed);
}

TEST(journal, two_processes_extend_one_chain_and_the_last_one_seals) {
  const TempDir dir;
  auto mine = open_rw(dir);
  std::vector<pid_t> children;
  mine.reset();
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool ok = true;
      {
        auto journal = open_journal(dir.state(), Mode::read_write);
        for (int n = 0; n < 30 && ok; ++n) {
          ok = journal &&
               append(**journal, "R-" + std::to_string(i), {core::Noted{{"a"}, "b"}}).has_value();
        }
      }
      ::_exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto report = report_of(dir);
  EXPECT_TRUE(report.intact) << report.problem;
  EXPECT_EQ(report.entries, 90);
  EXPECT_TRUE(report.sealed) << report.note;
}

TEST(journal, appends_that_wait_together_are_written_in_order) {
  const TempDir dir;
  auto journal = open_rw(dir);
  std::vector<std::int64_t> seqs;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 200; ++i) {
      tasks.push_back([](SqliteJournal* j, std::vector<std::int64_t>* all) -> Task<void> {
        std::vector<Event> events;
        events.push_back(core::Noted{{"a"}, "b"});
        auto entries = co_await j->append("R-1", 1, std::move(events));
        if (entries) all->push_back(entries->front().seq);
      }(journal.get(), &seqs));
    }
    co_await join_all(std::move(tasks));
  });
  ASSERT_EQ(seqs.size(), 200u);
  EXPECT_TRUE(std::is_sorted(seqs.begin(), seqs.end()));
  EXPECT_TRUE(journal->verify()->intact);
}

TEST(journal, an_append_outlives_its_caller) {
  const TempDir dir;
  auto journal = open_rw(dir);
  for (int i = 0; i < 50; ++i) {
    run_until_done([&]() -> Task<void> {
      auto append_alone = [](SqliteJournal* j) -> Task<void> {
        std::vector<Event> events;
        events.push_back(core::Noted{{"a"}, "b"});
        static_cast<void>(co_await j->append("R-1", 1, std::move(events)));
      };
      co_await detach(append_alone(journal.get()));  // dropped with the io_context
      co_await sleep_for(0);
    });
  }
  ASSERT_TRUE(append(*journal, "R-1", {core::Noted{{"a"}, "last"}}).has_value());
  EXPECT_EQ(journal->read("R-1")->size(), 51u);
  EXPECT_TRUE(journal->verify()->intact);
}

TEST(journal, nothing_is_written_after_a_failed_write) {
  const TempDir dir;
  build(dir);
  auto journal = open_rw(dir);
  ASSERT_TRUE(append(*journal, "R-3", {core::Noted{{"a"}, "b"}}).has_value());
  edit(dir, "DELETE FROM entries WHERE seq = 14");  // somebody meddles while we run
  const auto failed = append(*journal, "R-3", {core::Noted{{"a"}, "c"}});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::storage);
  edit(dir,
       "UPDATE meta SET value = '13' WHERE key = 'head_seq';"
       "UPDATE meta SET value = (SELECT hash FROM entries WHERE seq = 13) WHERE key = 'head_hash'");
  EXPECT_FALSE(append(*journal, "R-3", {core::Noted{{"a"}, "d"}}).has_value());
  journal.reset();
  EXPECT_FALSE(fs::exists(dir.db() + ".seal"));
  EXPECT_FALSE(report_of(dir).intact);
}

TEST(journal, a_full_disk_is_an_error_with_help) {
  const TempDir dir;
  // RLIMIT_FSIZE makes writes fail as a full disk does, in a child of its own.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto journal = open_journal(dir.state(), Mode::read_write);
    if (!journal) ::_exit(2);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 20; ++i) {
      const auto done = append(**journal, "R-1", {core::Noted{{"a"}, std::string(20'000, 'x')}});
      if (!done)
        ::_exit(done.error().code == ErrorCode::storage && !done.error().help.empty() ? 0 : 3);
    }
    ::_exit(4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const auto report = report_of(dir);
  EXPECT_TRUE(report.intact) << report.problem;
}

TEST(journal, bad_input_is_refused_and_harmless) {
  const TempDir dir;
  auto journal = open_rw(dir);
  EXPECT_FALSE(append(*journal, "", {core::Noted{}}).has_value());
  EXPECT_FALSE(append(*journal, "../x", {core::Noted{}}).has_value());
  core::RolloutStarted nan;
  nan.plan.policy.verify.latency_factor = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(append(*journal, "R-1", {nan}).has_value());
  EXPECT_TRUE(append(*journal, "R-1", {core::Noted{{"a"}, "still fine"}}).has_value());
  EXPECT_TRUE(append(*journal, "R-1", {}).has_value());
}

// Also for root: a loop of links is a folder that nobody can look into.
TEST(journal, a_folder_that_cannot_be_looked_into_is_not_none_yet) {
  const TempDir dir;
  fs::create_symlink(dir.state(), dir.state());
  const auto journal = open_journal(dir.state(), Mode::read_only);
  ASSERT_FALSE(journal.has_value());
  EXPECT_EQ(journal.error().code, ErrorCode::storage);
  EXPECT_FALSE(verify_journal(dir.state(), Depth::full, {}).has_value());
}

TEST(journal, no_journal_yet) {
  const TempDir dir;
  const auto journal = open_journal(dir.state(), Mode::read_only);
  ASSERT_FALSE(journal.has_value());
  EXPECT_EQ(journal.error().code, ErrorCode::not_found);
  EXPECT_TRUE(report_of(dir).intact);
  fs::create_directory(dir.state());
  spill(dir.db(), "this is not a database, but it is long enough to look like one? no matter");
  const auto report = report_of(dir);
  EXPECT_FALSE(report.intact);
}

}  // namespace
}  // namespace hitless::journal
