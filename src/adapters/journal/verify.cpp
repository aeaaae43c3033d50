#include "adapters/journal/verify.hpp"

#include "adapters/journal/chain.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/schema.hpp"
#include "adapters/journal/seal.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

// A writer may start between two of our looks at a sealed journal; then we look anew.
constexpr int max_looks = 5;

using ports::ChainReport;

void add_problem(ChainReport& report, const std::string& problem) {
  report.intact = false;
  report.problem += (report.problem.empty() ? "" : "; ") + problem;
}

// The head note must be read before the rows: a commit in between then only makes the chain longer.
void expect_head_note(ChainReport& report, const std::string& path) {
  if (const auto note = read_head_note(path)) {
    report.head_seq = note->seq;
    report.head = note->hash;
  }
}

Result<ChainReport> verify_sealed(const std::string& path, const std::string& text, Depth depth) {
  ChainReport report;
  report.intact = true;
  report.sealed = true;
  const auto seal = seal_from_text(text);
  if (!seal) add_problem(report, seal.error().what);
  if (seal) {
    const auto found = digest_database_file(path);
    if (!found) return tl::unexpected(found.error());
    const std::string changed = difference(seal->file, *found);
    if (!changed.empty()) add_problem(report, changed);
  }
  if (report.intact && depth == Depth::quick) {
    report.entries = report.head_seq = seal->head.seq;
    report.head = seal->head.hash;
    return report;
  }
  expect_head_note(report, path);
  auto db = Database::open(path, Access::immutable);
  if (!db) {
    add_problem(report, describe(db.error()));
    return report;
  }
  check_rows(*db, report);
  if (report.intact && (report.head_seq != seal->head.seq || report.head != seal->head.hash)) {
    add_problem(report, fmt::format("the seal ends at entry {}, the journal at {}", seal->head.seq,
                                    report.head_seq));
  }
  return report;
}

Result<ChainReport> verify_unsealed(const std::string& path) {
  ChainReport report;
  report.intact = true;
  report.note =
      "not sealed: a rollout is running, or the last writer did not close cleanly; "
      "bytes that no entry depends on were not compared";
  expect_head_note(report, path);
  auto db = Database::open(path, Access::read);
  if (!db && !is_corruption(db.error()) && size_of(path + "-wal") <= 0) {
    db = Database::open(path, Access::immutable);  // a folder that we may only read
  }
  if (!db) {
    if (!is_corruption(db.error())) return tl::unexpected(db.error());
    add_problem(report, describe(db.error()));
    return report;
  }
  if (size_of(path + "-wal") > 0) db->keep_wal();
  check_rows(*db, report);
  return report;
}

Result<ChainReport> verify_missing(const std::string& path) {
  ChainReport report;
  report.intact = true;
  report.head = genesis;
  report.note = "there is no journal yet";
  for (const auto& trace : {seal_path(path), head_path(path), path + "-wal"}) {
    if (size_of(trace) > 0)
      add_problem(report, fmt::format("the journal is gone, but {} is there", trace));
  }
  return report;
}

}  // namespace

Result<ChainReport> verify_journal(const std::string& dir, Depth depth) {
  const std::string path = path_of_db(dir);
  for (int look = 0; look < max_looks; ++look) {
    if (size_of(path) < 0) return verify_missing(path);
    const auto before = read_seal_text(path);
    if (!before) return tl::unexpected(before.error());
    if (!before->has_value()) {
      if (size_of(path) == 0 && size_of(path + "-wal") <= 0) return verify_missing(path);
      return verify_unsealed(path);
    }
    auto report = verify_sealed(path, **before, depth);
    const bool wal = size_of(path + "-wal") > 0;
    const auto after = read_seal_text(path);
    if (!after) return tl::unexpected(after.error());
    if (*after != *before) continue;
    if (report && wal) add_problem(*report, "a write-ahead log stands beside a sealed journal");
    return report;
  }
  return fail(ErrorCode::storage, "the journal is opened and closed too often to be verified", path,
              "try again when no rollout is running");
}

}  // namespace hitless::journal
