// Each check of the journal left out once: then a certain altered journal passes for the real one,
// and with the check it does not. (In a build without HITLESS_FAILPOINTS only the latter is shown.)
#include "adapters/journal/planted.hpp"

#include <gtest/gtest.h>

#include "adapters/journal/forger_for_tests.hpp"
#include "adapters/journal/signed_head.hpp"

namespace hitless::journal {
namespace {

constexpr const char* changed_word =
    "UPDATE entries SET body = replace(body, 'hello', 'hullo') WHERE seq = 2";

void without_seal(const TempDir& dir) {
  fs::remove(seal_path(dir.db()));
}

void alter_an_entry(const TempDir& dir) {
  edit(dir, changed_word);
  without_seal(dir);
}

// The entry fits its own hash; only the one after it was made for another.
void alter_an_entry_and_its_hash(const TempDir& dir) {
  edit(dir, changed_word);
  auto db = Database::open(dir.db(), Access::read_write);
  std::optional<Line> line;
  {
    auto rows = db->prepare(std::string(select_lines) + "WHERE seq = 2");
    ASSERT_TRUE(rows->step().value());
    line = line_of(*rows);
  }
  line->hash = hash_line(*line);
  ASSERT_TRUE(db->exec("DELETE FROM entries WHERE seq = 2").has_value());
  ASSERT_TRUE(insert_line(*db, *line).has_value());
  without_seal(dir);
}

// Reserved bytes of SQLite's own header: no entry depends on them.
void alter_a_byte_of_no_entry(const TempDir& dir) {
  std::string file = slurp(dir.db());
  file[80] = static_cast<char>(file[80] ^ 1);
  spill(dir.db(), file);
}

// Entries that came after the last signed head.
void cut_the_end(const TempDir& dir) {
  {
    auto journal = open_rw(dir);
    const std::string signed_before = slurp(signed_path(dir.db()));
    ASSERT_TRUE(append(*journal, "R-7", {core::Noted{{"a"}, "last"}}).has_value());
    ASSERT_TRUE(journal->close().has_value());
    spill(signed_path(dir.db()), signed_before);
  }
  const std::string note = slurp(head_path(dir.db()));
  forge(dir,
        "DELETE FROM entries WHERE rollout = 'R-7'; DELETE FROM rollouts WHERE rollout = 'R-7'");
  spill(head_path(dir.db()), note);
  without_seal(dir);
}

void chain_anew(const TempDir& dir) {
  forge(dir, changed_word);
}

void chain_anew_and_forge_the_signature(const TempDir& dir) {
  forge(dir, changed_word);
  SignedHead head = signed_head_from_line(signed_head_line(dir.state()).value()).value();
  auto db = Database::open(dir.db(), Access::read_write);
  head.head = read_head(*db).value();
  spill(signed_path(dir.db()), to_line(head) + "\n");
}

void alter_the_history(const TempDir& dir) {
  edit(dir, "UPDATE rollouts SET result = 'succeeded' WHERE rollout = 'R-1'");
  without_seal(dir);
}

struct Attack {
  LeftOut check;
  void (*alter)(const TempDir&);
  const char* name;
};

class Planted : public testing::TestWithParam<Attack> {
 protected:
  ~Planted() override { leave_out(LeftOut::nothing); }
};

TEST_P(Planted, only_this_check_finds_it) {
  const TempDir dir;
  build(dir);
  ASSERT_TRUE(report_of(dir).intact);
  GetParam().alter(dir);
  EXPECT_FALSE(report_of(dir).intact);
  leave_out(GetParam().check);
  if (!planted(GetParam().check)) return;  // not in this build
  const auto report = report_of(dir);
  EXPECT_TRUE(report.intact) << report.problem;
}

INSTANTIATE_TEST_SUITE_P(
    journal, Planted,
    testing::Values(Attack{LeftOut::hash_of_an_entry, alter_an_entry, "hash_of_an_entry"},
                    Attack{LeftOut::chain, alter_an_entry_and_its_hash, "chain"},
                    Attack{LeftOut::seal, alter_a_byte_of_no_entry, "seal"},
                    Attack{LeftOut::note_of_last_commit, cut_the_end, "note_of_last_commit"},
                    Attack{LeftOut::signed_head, chain_anew, "signed_head"},
                    Attack{LeftOut::signature, chain_anew_and_forge_the_signature, "signature"},
                    Attack{LeftOut::history, alter_the_history, "history"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hitless::journal
