#include <map>
#include <set>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/planted.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/schema.hpp"
#include "adapters/journal/verify.hpp"
#include "base/text.hpp"

namespace hitless::journal {
namespace {

// What the entries say the other tables must hold.
struct Derived {
  std::map<std::string, IndexRow> rollouts;
  std::map<std::string, std::string> facts;
};

Status broken(std::int64_t seq, std::string_view what) {
  return fail(ErrorCode::storage, fmt::format("entry {}: {}", seq, what));
}

Status check_structure(Database& db) {
  auto statement = db.prepare("PRAGMA integrity_check(5)");
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  const std::string answer = *row ? statement->text(0) : "no answer";
  if (answer != "ok") {
    return fail(ErrorCode::storage, "the database is damaged: " + escape_for_terminal(answer));
  }
  return {};
}

// False: there are no tables at all, as after a crash in the first moment of a journal.
Result<bool> check_schema(Database& db) {
  auto statement = db.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL");
  if (!statement) return tl::unexpected(statement.error());
  std::set<std::string> wanted(schema.begin(), schema.end());
  while (true) {
    const auto row = statement->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const std::string sql = statement->text(0);
    if (wanted.erase(sql) == 0) {
      return fail(ErrorCode::storage,
                  "the tables are not ours: " + escape_for_terminal(truncate_utf8(sql, 200)));
    }
  }
  if (wanted.size() == schema.size()) return false;
  if (!wanted.empty()) return fail(ErrorCode::storage, "a table is missing");
  return true;
}

Status derive(const Line& line, Derived& derived) {
  if (line.kind == fact_kind) {
    auto fact = fact_from_json(line.body);
    if (!fact) return broken(line.seq, fact.error().what);
    derived.facts[fact->key] = fact->value;
    return {};
  }
  const auto event = event_from_json(line.body);
  if (!event) return broken(line.seq, "cannot be read by this version: " + describe(event.error()));
  if (kind_of(*event) != line.kind) return broken(line.seq, "its kind is not that of its body");
  auto& index = derived.rollouts[line.rollout];
  index.row.rollout = line.rollout;
  fold(index, line.seq, line.at_ms, *event);
  return {};
}

// By number; what is not there at the end is told by the greatest.
using ExpectedBySeq = std::multimap<std::int64_t, const Expected*>;

Status check_expected(const ExpectedBySeq& expected, const Line& line) {
  const auto [from, to] = expected.equal_range(line.seq);
  for (auto it = from; it != to; ++it) {
    if (!line.hash.starts_with(it->second->hash)) return broken(line.seq, it->second->problem);
  }
  return {};
}

Status check_chain(Database& db, const ExpectedBySeq& expected, ports::ChainReport& report,
                   Derived& derived) {
  auto statement = db.prepare(std::string(select_lines) + "ORDER BY seq");
  if (!statement) return tl::unexpected(statement.error());
  std::string prev(genesis);
  std::int64_t seq = 0;
  while (true) {
    const auto row = statement->step();
    if (!row) {
      return broken(seq + 1, "cannot be read: " + describe(row.error()));
    }
    if (!*row) break;
    const Line line = line_of(*statement);
    ++seq;
    if (line.seq != seq)
      return broken(seq, fmt::format("is missing; the next one is {}", line.seq));
    if (line.prev != prev && !planted(LeftOut::chain))
      return broken(seq, "does not follow from the entry before it");
    if (hash_line(line) != line.hash && !planted(LeftOut::hash_of_an_entry))
      return broken(seq, "was altered: its hash does not fit");
    if (auto ok = derive(line, derived); !ok) return ok;
    if (auto ok = check_expected(expected, line); !ok) return ok;
    prev = line.hash;
    report.entries = seq;
  }
  if (!expected.empty() && expected.rbegin()->first > seq) {
    return broken(seq + 1,
                  fmt::format("and all up to {} are gone from the end", expected.rbegin()->first));
  }
  report.head = prev;
  report.head_seq = seq;
  return {};
}

bool operator==(const IndexRow& a, const IndexRow& b) {
  const auto key = [](const IndexRow& i) {
    const auto& r = i.row;
    return std::tie(r.rollout, r.service, r.intent, r.actor, r.result, r.reason, r.incident,
                    r.started_at, r.ended_at, r.first_seq, r.last_seq, i.finish_id);
  };
  return key(a) == key(b);
}

Status check_derived(Database& db, const Derived& derived) {
  if (planted(LeftOut::history)) return {};
  auto rollouts = db.prepare(std::string(select_index) + "ORDER BY rollout");
  if (!rollouts) return tl::unexpected(rollouts.error());
  std::size_t count = 0;
  while (true) {
    const auto row = rollouts->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const IndexRow index = index_of(*rollouts);
    const auto found = derived.rollouts.find(index.row.rollout);
    if (found == derived.rollouts.end() || !(found->second == index)) {
      return fail(ErrorCode::storage,
                  fmt::format("the history row of {} does not follow from the entries",
                              escape_for_terminal(index.row.rollout)));
    }
    ++count;
  }
  if (count != derived.rollouts.size()) return fail(ErrorCode::storage, "a history row is missing");

  auto facts = db.prepare("SELECT key, value FROM facts");
  if (!facts) return tl::unexpected(facts.error());
  count = 0;
  while (true) {
    const auto row = facts->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    const auto found = derived.facts.find(facts->text(0));
    if (found == derived.facts.end() || found->second != facts->text(1)) {
      return fail(ErrorCode::storage, fmt::format("the fact `{}` does not follow from the entries",
                                                  escape_for_terminal(facts->text(0))));
    }
    ++count;
  }
  if (count != derived.facts.size()) return fail(ErrorCode::storage, "a fact is missing");
  return {};
}

// The tables are those of this version, so that each row means what we think it does.
Status check_format(Database& db) {
  const auto format = read_meta(db, "format");
  if (!format) return tl::unexpected(format.error());
  return accept_format(*format);
}

Status check_all(Database& db, const ExpectedBySeq& expected, ports::ChainReport& report) {
  Derived derived;
  // One transaction: all of it as of one moment, also while others append.
  if (auto ok = db.exec("BEGIN"); !ok) return ok;
  const auto tables = check_schema(db);
  if (!tables) return tl::unexpected(tables.error());
  if (!*tables && !expected.empty()) return fail(ErrorCode::storage, "all tables are gone");
  if (!*tables) {
    report.head = genesis;
    return db.exec("COMMIT");
  }
  if (auto ok = check_format(db); !ok) return ok;
  if (auto ok = check_chain(db, expected, report, derived); !ok) return ok;
  const auto head = read_head(db);
  if (!head) return tl::unexpected(head.error());
  if (auto ok = check_derived(db, derived); !ok) return ok;
  if (auto ok = check_structure(db); !ok) return ok;
  return db.exec("COMMIT");
}

}  // namespace

void check_rows(Database& db, const std::vector<Expected>& expected, ports::ChainReport& report) {
  ExpectedBySeq by_seq;
  for (const Expected& each : expected) by_seq.emplace(each.seq, &each);
  if (auto ok = check_all(db, by_seq, report); !ok) {
    report.intact = false;
    if (!report.problem.empty()) report.problem += "; ";
    report.problem += describe(ok.error());
  }
}

}  // namespace hitless::journal
