// The tables of journal.db. Only `entries` is the journal; the others follow from it (see
// chain.hpp).
#pragma once
#include <array>
#include <string>
#include <string_view>

namespace hitless::journal {

inline constexpr std::string_view db_name = "journal.db";
inline constexpr std::string_view format_version = "1";

// As SQLite keeps them in sqlite_master: verify() compares them to the letter, so that nobody adds
// a trigger.
inline constexpr std::array<std::string_view, 5> schema = {
    "CREATE TABLE entries(seq INTEGER PRIMARY KEY, rollout TEXT NOT NULL, at_ms INTEGER NOT NULL, "
    "kind TEXT NOT NULL, body TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL) STRICT",
    "CREATE INDEX entries_of_rollout ON entries(rollout, seq)",
    "CREATE TABLE rollouts(rollout TEXT PRIMARY KEY, service TEXT NOT NULL, intent TEXT NOT NULL, "
    "actor TEXT NOT NULL, result TEXT NOT NULL, reason TEXT NOT NULL, incident TEXT NOT NULL, "
    "started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, first_seq INTEGER NOT NULL, "
    "last_seq INTEGER NOT NULL, finish_id TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
};

[[nodiscard]] inline std::string path_of_db(const std::string& dir) {
  return dir + "/" + std::string(db_name);
}

}  // namespace hitless::journal
