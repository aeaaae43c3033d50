#include "adapters/journal/verify.hpp"

#include <algorithm>

#include "adapters/journal/chain.hpp"
#include "adapters/journal/planted.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/schema.hpp"
#include "adapters/journal/seal.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

// A writer may start between two of our looks at a sealed journal; then we look anew.
constexpr int max_looks = 5;

void add_problem(Report& report, const std::string& problem) {
  report.intact = false;
  report.problem += (report.problem.empty() ? "" : "; ") + problem;
}

// One call of verify_journal.
struct Look {
  const std::string& dir;
  const std::string path;
  const Depth depth;
  const Trust& trust;
  Report report;
  std::vector<Expected> expected;
  bool head_removed = false;  // a key to sign with was made, and what it signed is not there

  bool enough() const { return !report.intact && depth != Depth::full; }
};

void expect(Look& look, const SignedHead& head, const std::string& whose) {
  if (head.head.seq == 0) return;  // signed before the first entry: says nothing about entries
  look.expected.push_back({1, head.journal, "is not the first one of the journal of " + whose});
  look.expected.push_back({head.head.seq, head.head.hash, "is not the one in " + whose});
}

// All of these must be read before the rows: a commit in between then only makes the chain longer.
void expect_head_note(Look& look) {
  if (planted(LeftOut::note_of_last_commit)) return;
  if (const auto note = read_head_note(look.path); note && note->seq > 0) {
    look.expected.push_back({note->seq, note->hash, "is not the one that was last committed"});
  } else if (!note && size_of(head_path(look.path)) > 0) {
    look.report.note += "the note of the last commit cannot be read; ";
  }
}

// What the signatures say.
void expect_signed(Look& look) {
  auto head = read_signed_head(look.path);
  auto own = own_public_key(look.dir);
  if (!head) return add_problem(look.report, describe(head.error()));
  if (!own) return add_problem(look.report, describe(own.error()));
  if (look.trust.key && own->has_value() && (*own)->pem() != look.trust.key->pem()) {
    add_problem(look.report, "journal.pub is not the key that was given");
  }
  const auto& key = look.trust.key ? look.trust.key : *own;
  for (const SignedHead& given : look.trust.heads) {
    if (!key)
      return add_problem(look.report, "there is no public key to check the given head with");
    if (is_signed_by(given, *key)) {
      expect(look, given, "the signed head that was given");
    } else {
      add_problem(look.report, "the signed head that was given is not signed by this key");
    }
  }
  look.head_removed = key && !head->has_value();
  if (!head->has_value()) return;
  look.report.signed_head = **head;
  if (!key) return add_problem(look.report, "the public key of the signed head is gone");
  if (!is_signed_by(**head, *key) && !planted(LeftOut::signature))
    return add_problem(look.report, "the signed head is forged");
  if (!planted(LeftOut::signed_head)) expect(look, **head, "the signed head");
}

// True: the signed heads are that of the seal, and need no look at the rows.
bool end_at(const std::vector<Expected>& expected, const Head& head) {
  return std::all_of(expected.begin(), expected.end(), [&](const Expected& each) {
    return each.seq == head.seq && head.hash.starts_with(each.hash);
  });
}

Status verify_sealed(Look& look, const std::string& text) {
  Report& report = look.report;
  report.sealed = true;
  const auto seal = seal_from_text(text);
  if (!seal) add_problem(report, seal.error().what);
  if (seal && !planted(LeftOut::seal)) {
    const auto changed = first_difference(look.path, seal->file);
    if (!changed) return tl::unexpected(changed.error());
    if (!changed->empty()) add_problem(report, *changed);
  }
  if (look.enough()) return {};
  expect_head_note(look);
  expect_signed(look);
  if (look.enough()) return {};
  std::vector<Expected> ends = look.expected;
  std::erase_if(ends, [](const Expected& each) { return each.hash.size() == journal_id_digits; });
  if (look.depth == Depth::quick && end_at(ends, seal->head)) {
    report.entries = report.head_seq = seal->head.seq;
    report.head = seal->head.hash;
    return {};
  }
  auto db = Database::open(look.path, Access::immutable);
  if (!db) {
    add_problem(report, describe(db.error()));
    return {};
  }
  check_rows(*db, look.expected, report);
  if (report.intact && (report.head_seq != seal->head.seq || report.head != seal->head.hash)) {
    add_problem(report, fmt::format("the seal ends at entry {}, the journal at {}", seal->head.seq,
                                    report.head_seq));
  }
  return {};
}

Status verify_unsealed(Look& look) {
  Report& report = look.report;
  const std::string& path = look.path;
  report.note +=
      "not sealed: a rollout is running, or the last writer did not close cleanly; "
      "bytes that no entry depends on were not compared";
  expect_head_note(look);
  expect_signed(look);
  if (look.enough()) return {};
  auto db = Database::open(path, Access::read);
  if (!db && !is_corruption(db.error()) && size_of(path + "-wal") <= 0) {
    db = Database::open(path, Access::immutable);  // a folder that we may only read
  }
  if (!db) {
    if (!is_corruption(db.error())) return tl::unexpected(db.error());
    add_problem(report, describe(db.error()));
    return {};
  }
  if (size_of(path + "-wal") > 0) db->keep_wal();
  check_rows(*db, look.expected, report);
  return {};
}

Result<Report> verify_missing(const std::string& path, const Trust& trust) {
  Report report;
  report.intact = true;
  report.head = genesis;
  report.note = "there is no journal yet";
  for (const auto& trace : {seal_path(path), head_path(path), signed_path(path), path + "-wal"}) {
    if (size_of(trace) > 0)
      add_problem(report, fmt::format("the journal is gone, but {} is there", trace));
  }
  if (!trust.heads.empty()) {
    add_problem(report, "the journal of the signed head that was given is gone");
  }
  return report;
}

Report finished(Look& look) {
  // Without entries it is a folder that was only prepared.
  if (look.head_removed && look.report.entries > 0) {
    add_problem(look.report, "the signed head is gone, but its public key is there");
  }
  return std::move(look.report);
}

}  // namespace

Result<Report> verify_journal(const std::string& dir, Depth depth, const Trust& trust) {
  const std::string path = path_of_db(dir);
  if (auto seen = can_be_seen(path); !seen) return tl::unexpected(seen.error());
  for (int round = 0; round < max_looks; ++round) {
    if (size_of(path) < 0) return verify_missing(path, trust);
    Look look{dir, path, depth, trust, {}, {}, false};
    look.report.intact = true;
    const auto before = read_seal_text(path);
    if (!before) return tl::unexpected(before.error());
    if (!before->has_value() && size_of(path) == 0 && size_of(path + "-wal") <= 0) {
      return verify_missing(path, trust);
    }
    if (!before->has_value()) {
      if (auto ok = verify_unsealed(look); !ok) return tl::unexpected(ok.error());
      return finished(look);
    }
    const Status done = verify_sealed(look, **before);
    const bool wal = size_of(path + "-wal") > 0;
    const auto after = read_seal_text(path);
    if (!after) return tl::unexpected(after.error());
    if (*after != *before) continue;
    if (!done) return tl::unexpected(done.error());
    if (wal) add_problem(look.report, "a write-ahead log stands beside a sealed journal");
    return finished(look);
  }
  return fail(ErrorCode::storage, "the journal is opened and closed too often to be verified", path,
              "try again when no rollout is running");
}

}  // namespace hitless::journal
