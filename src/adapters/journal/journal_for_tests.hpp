// What the tests of the journal share: a state folder that goes away, a small journal, its report.
#pragma once
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "adapters/journal/sqlite_journal.hpp"
#include "adapters/journal/verify.hpp"
#include "runtime/process.hpp"

namespace hitless::journal {

namespace fs = std::filesystem;
using core::Event;

struct TempDir {
  // /dev/shm for tests that sync thousands of times.
  explicit TempDir(const std::string& base = "/tmp") {
    std::string name = base + "/hitless-journal-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~TempDir() { fs::remove_all(path); }
  std::string path;
  std::string state() const { return path + "/state"; }
  std::string db() const { return state() + "/journal.db"; }
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void spill(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline std::unique_ptr<SqliteJournal> open_rw(const TempDir& dir) {
  auto journal = open_journal(dir.state(), Mode::read_write);
  EXPECT_TRUE(journal.has_value()) << (journal ? "" : describe(journal.error()));
  return journal ? std::move(*journal) : nullptr;
}

inline Result<std::vector<core::Entry>> append(ports::Journal& journal, const std::string& rollout,
                                               std::vector<Event> events,
                                               std::int64_t at_ms = 1000) {
  Result<std::vector<core::Entry>> result;
  run_until_done([&]() -> Task<void> { result = co_await journal.append(rollout, at_ms, events); });
  return result;
}

inline std::vector<Event> whole_rollout(const std::string& id) {
  core::RolloutStarted started;
  started.plan.rollout = id;
  started.plan.service = "web";
  started.actor = "ann";
  core::EffectIntended incident;
  incident.effect.id = id + ".1";
  incident.effect.kind = core::EffectKind::open_incident;
  core::EffectFinished opened;
  opened.effect_id = id + ".1";
  opened.outcome.incident = "INC-1";
  core::EffectIntended finish;
  finish.effect.id = id + ".2";
  finish.effect.kind = core::EffectKind::finish;
  finish.effect.result = core::RolloutResult::rolled_back;
  finish.effect.reason = "health check failed";
  core::EffectFinished finished;
  finished.effect_id = id + ".2";
  return {started, core::Noted{{"web@web01"}, "hello → \"you\"\n"}, incident, opened, finish,
          finished};
}

inline void build(const TempDir& dir) {
  auto journal = open_rw(dir);
  ASSERT_TRUE(append(*journal, "R-1", whole_rollout("R-1")).has_value());
  ASSERT_TRUE(journal->put_fact("digest/web@web01", "abc").has_value());
  ASSERT_TRUE(append(*journal, "R-2", whole_rollout("R-2"), 2000).has_value());
  ASSERT_TRUE(journal->close().has_value());
}

inline Report report_of(const TempDir& dir) {
  const auto report = verify_journal(dir.state());
  EXPECT_TRUE(report.has_value()) << (report ? "" : describe(report.error()));
  return report.value_or(Report{});
}

// As `sqlite3 journal.db "…"` would do it.
inline void edit(const TempDir& dir, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(dir.db().c_str(), &db), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(db);
}

}  // namespace hitless::journal
