#include "adapters/journal/rows.hpp"

#include "adapters/journal/schema.hpp"
#include "adapters/journal/signed_head.hpp"
#include "base/text.hpp"

namespace hitless::journal {
namespace {

// The first column of the first row; empty when there is none.
Result<std::string> one_text(Database& db, std::string_view sql, std::string_view key) {
  auto statement = db.prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  if (!key.empty()) statement->bind(1, key);
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  return *row ? statement->text(0) : std::string();
}

Status make_tables(Database& db) {
  for (const auto sql : schema) {
    if (auto ok = db.exec(std::string(sql)); !ok) return ok;
  }
  if (auto ok = write_meta(db, "format", format_version); !ok) return ok;
  if (auto ok = write_meta(db, "head_seq", "0"); !ok) return ok;
  if (auto ok = write_meta(db, "head_hash", genesis); !ok) return ok;
  return db.exec("COMMIT");
}

}  // namespace

Line line_of(const Statement& row) {
  return {row.number(0), row.text(1), row.number(2), row.text(3),
          row.text(4),   row.text(5), row.text(6)};
}

IndexRow index_of(const Statement& row) {
  IndexRow index;
  auto& r = index.row;
  std::string* const texts[] = {&r.rollout, &r.service, &r.intent,  &r.actor,
                                &r.result,  &r.reason,  &r.incident};
  int column = 0;
  for (std::string* text : texts) *text = row.text(column++);
  r.started_at = row.number(7);
  r.ended_at = row.number(8);
  r.first_seq = row.number(9);
  r.last_seq = row.number(10);
  index.finish_id = row.text(11);
  return index;
}

Status accept_format(const std::string& format) {
  if (format == format_version) return {};
  return fail(ErrorCode::storage,
              fmt::format("the journal has format `{}`, not {}",
                          escape_for_terminal(truncate_utf8(format, 40)), format_version),
              std::string(db_name), "use the hitless that wrote it, or another state folder");
}

Status ensure_schema(Database& db) {
  if (auto ok = db.exec("BEGIN IMMEDIATE"); !ok) return ok;
  const auto tables = one_text(db, "SELECT count(*) FROM sqlite_master", {});
  Status status;
  if (!tables) {
    status = tl::unexpected(tables.error());
  } else if (*tables == "0") {
    status = make_tables(db);
    if (status) return status;
  } else {
    const auto format = read_meta(db, "format");
    if (!format) {
      status = tl::unexpected(format.error());
    } else {
      status = accept_format(*format);
    }
  }
  if (auto ok = db.exec("ROLLBACK"); !ok && status) return ok;
  return status;
}

Result<std::string> read_meta(Database& db, std::string_view key) {
  return one_text(db, "SELECT value FROM meta WHERE key = ?", key);
}

Status write_meta(Database& db, std::string_view key, std::string_view value) {
  auto statement = db.prepare("INSERT OR REPLACE INTO meta VALUES(?, ?)");
  if (!statement) return tl::unexpected(statement.error());
  return statement->bind(1, key).bind(2, value).run();
}

Result<Head> read_head(Database& db) {
  auto statement = db.prepare("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1");
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  const Head head =
      *row ? Head{statement->number(0), statement->text(1)} : Head{0, std::string(genesis)};
  const auto seq = read_meta(db, "head_seq");
  if (!seq) return tl::unexpected(seq.error());
  const auto hash = read_meta(db, "head_hash");
  if (!hash) return tl::unexpected(hash.error());
  if (*seq != std::to_string(head.seq) || *hash != head.hash) {
    return fail(
        ErrorCode::storage,
        fmt::format("the journal ends at entry {} but its head is entry {}", head.seq, *seq),
        std::string(db_name), "entries were removed or added by hand: run `hitless audit verify`");
  }
  return head;
}

Result<std::string> read_journal_id(Database& db) {
  auto hash = one_text(db, "SELECT hash FROM entries WHERE seq = 1", {});
  if (!hash) return hash;
  return (hash->empty() ? std::string(genesis) : *hash).substr(0, journal_id_digits);
}

Status insert_line(Database& db, const Line& line) {
  auto statement = db.prepare("INSERT INTO entries VALUES(?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return tl::unexpected(statement.error());
  statement->bind(1, line.seq).bind(2, line.rollout).bind(3, line.at_ms).bind(4, line.kind);
  return statement->bind(5, line.body).bind(6, line.prev).bind(7, line.hash).run();
}

Result<IndexRow> read_index(Database& db, const std::string& rollout) {
  auto statement = db.prepare(std::string(select_index) + "WHERE rollout = ?");
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->bind(1, rollout).step();
  if (!row) return tl::unexpected(row.error());
  if (*row) return index_of(*statement);
  IndexRow fresh;
  fresh.row.rollout = rollout;
  return fresh;
}

Status write_index(Database& db, const IndexRow& index) {
  auto statement =
      db.prepare("INSERT OR REPLACE INTO rollouts VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return tl::unexpected(statement.error());
  const auto& r = index.row;
  int column = 0;
  for (const auto* text :
       {&r.rollout, &r.service, &r.intent, &r.actor, &r.result, &r.reason, &r.incident}) {
    statement->bind(++column, *text);
  }
  for (const auto number : {r.started_at, r.ended_at, r.first_seq, r.last_seq}) {
    statement->bind(++column, number);
  }
  return statement->bind(++column, index.finish_id).run();
}

Result<std::string> read_fact(Database& db, const std::string& key) {
  return one_text(db, "SELECT value FROM facts WHERE key = ?", key);
}

Status write_fact(Database& db, const Fact& fact) {
  auto statement = db.prepare("INSERT OR REPLACE INTO facts VALUES(?, ?)");
  if (!statement) return tl::unexpected(statement.error());
  return statement->bind(1, fact.key).bind(2, fact.value).run();
}

}  // namespace hitless::journal
