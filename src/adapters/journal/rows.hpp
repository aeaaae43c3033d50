// The tables of the journal as values: reading and writing of single rows.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "adapters/journal/chain.hpp"
#include "adapters/journal/database.hpp"
#include "adapters/journal/seal.hpp"

namespace hitless::journal {

inline constexpr std::string_view select_lines =
    "SELECT seq, rollout, at_ms, kind, body, prev, hash FROM entries ";
inline constexpr std::string_view select_index =
    "SELECT rollout, service, intent, actor, result, reason, incident, started_at, ended_at, "
    "first_seq, "
    "last_seq, finish_id FROM rollouts ";

[[nodiscard]] Line line_of(const Statement& row);       // of select_lines
[[nodiscard]] IndexRow index_of(const Statement& row);  // of select_index

// Refuses every format but that of this version (schema.hpp).
[[nodiscard]] Status accept_format(const std::string& format);
// Makes the tables in a new file; an Error when they were made by another version.
[[nodiscard]] Status ensure_schema(Database& db);
[[nodiscard]] Result<std::string> read_meta(Database& db, std::string_view key);  // empty: none
[[nodiscard]] Status write_meta(Database& db, std::string_view key, std::string_view value);
// The last entry, after checking that meta agrees: an Error when entries are missing at the end.
[[nodiscard]] Result<Head> read_head(Database& db);
// The first digits of the hash of entry 1, which name this journal; zeros when there is none.
[[nodiscard]] Result<std::string> read_journal_id(Database& db);
[[nodiscard]] Status insert_line(Database& db, const Line& line);
[[nodiscard]] Result<IndexRow> read_index(Database& db, const std::string& rollout);
[[nodiscard]] Status write_index(Database& db, const IndexRow& index);
[[nodiscard]] Result<std::string> read_fact(Database& db, const std::string& key);  // empty: none
[[nodiscard]] Status write_fact(Database& db, const Fact& fact);

}  // namespace hitless::journal
