#include "adapters/journal/signed_head.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapters/journal/chain.hpp"
#include "adapters/journal/forger_for_tests.hpp"
#include "adapters/journal/journal_for_tests.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/seal.hpp"
#include "adapters/journal/writer.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

SignedHead head_of(const TempDir& dir) {
  return signed_head_from_line(signed_head_line(dir.state()).value()).value();
}
PublicKey key_of(const TempDir& dir) {
  return **read_public_key(public_key_path(dir.state()));
}
Report report_with(const TempDir& dir, Trust trust) {
  return verify_journal(dir.state(), Depth::full, trust).value();
}

constexpr const char* changed_word =
    "UPDATE entries SET body = replace(body, 'hello', 'hullo') WHERE seq = 9";
constexpr const char* cut_end =
    "DELETE FROM entries WHERE seq > 7; DELETE FROM rollouts WHERE rollout = 'R-2'";

TEST(signed_head, is_there_at_the_end_of_a_rollout_and_at_the_seal) {
  const TempDir dir;
  auto journal = open_rw(dir);
  EXPECT_EQ(head_of(dir).head.seq, 0);
  ASSERT_TRUE(append(*journal, "R-1", {core::Noted{{"a"}, "b"}}).has_value());
  EXPECT_EQ(head_of(dir).head.seq, 0);
  ASSERT_TRUE(append(*journal, "R-1", whole_rollout("R-1")).has_value());
  const SignedHead ended = head_of(dir);
  EXPECT_EQ(ended.head.seq, 7) << "an end that was reported is signed";
  EXPECT_EQ(journal->signed_head().value(), to_line(ended));
  ASSERT_TRUE(append(*journal, "R-2", {core::Noted{{"a"}, "b"}}).has_value());
  ASSERT_TRUE(journal->close().has_value());
  const auto report = report_of(dir);
  EXPECT_TRUE(report.intact) << report.problem;
  EXPECT_EQ(report.signed_head->head.seq, 8);
  EXPECT_EQ(report.signed_head->head.hash, report.head);
  EXPECT_EQ(report.signed_head->journal, ended.journal);
  EXPECT_TRUE(report_with(dir, {key_of(dir), {ended}}).intact) << "an earlier head stays true";
}

TEST(signed_head, is_written_every_so_many_entries) {
  const TempDir dir;
  auto journal = open_rw(dir);
  const std::vector<Event> some(100, core::Noted{{"a"}, "b"});
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(append(*journal, "R-1", some).has_value());
  EXPECT_EQ(head_of(dir).head.seq, Writer::sign_every);
}

TEST(signed_head, tells_a_new_chain_and_a_cut_from_the_real_journal) {
  for (const auto* sql : {changed_word, cut_end}) {
    const TempDir dir;
    build(dir);
    const SignedHead kept = head_of(dir);
    const PublicKey key = key_of(dir);
    forge(dir, sql);
    const auto report = report_of(dir);
    EXPECT_FALSE(report.intact) << sql;
    EXPECT_FALSE(open_journal(dir.state(), Mode::read_write).has_value()) << sql;
    // Without any trace of a signature it looks like a journal of before there were any.
    for (const char* name : {"journal.key", "journal.pub", "journal.db.signed"}) {
      fs::remove(dir.state() + "/" + name);
    }
    EXPECT_TRUE(report_of(dir).intact) << report_of(dir).problem;
    EXPECT_FALSE(report_with(dir, {key, {}}).intact) << sql;
    EXPECT_FALSE(report_with(dir, {key, {kept}}).intact) << sql;
    // Signed anew with another key: only what was kept elsewhere shows it.
    open_rw(dir).reset();
    EXPECT_TRUE(report_of(dir).intact) << report_of(dir).problem;
    EXPECT_FALSE(report_with(dir, {key, {}}).intact) << sql;
    EXPECT_FALSE(report_with(dir, {std::nullopt, {kept}}).intact) << sql;
  }
}

TEST(signed_head, tells_a_folder_signed_anew_with_the_stolen_key) {
  for (const auto* sql : {changed_word, cut_end}) {
    const TempDir dir;
    build(dir);
    const SignedHead kept = head_of(dir);
    forge(dir, sql);
    fs::remove(signed_path(dir.db()));
    fs::remove(public_key_path(dir.state()));
    open_rw(dir).reset();
    EXPECT_TRUE(report_with(dir, {key_of(dir), {}}).intact) << "the key is the right one";
    const auto report = report_with(dir, {key_of(dir), {kept}});
    EXPECT_FALSE(report.intact) << sql;
    EXPECT_NE(
        report.problem.find(sql == cut_end ? "gone from the end" : "signed head that was given"),
        std::string::npos)
        << report.problem;
  }
}

TEST(signed_head, tells_a_fork) {
  const TempDir dir;
  build(dir);
  const TempDir other;
  fs::copy(dir.state(), other.state(), fs::copy_options::recursive);
  for (const auto* each : {&dir, &other}) {
    auto journal = open_rw(*each);
    ASSERT_TRUE(append(*journal, "R-3", {core::Noted{{"a"}, each->path}}).has_value());
    ASSERT_TRUE(append(*journal, "R-4", whole_rollout("R-4")).has_value());
  }
  EXPECT_TRUE(report_with(other, {key_of(dir), {}}).intact);
  EXPECT_FALSE(report_with(other, {key_of(dir), {head_of(dir)}}).intact);
  EXPECT_TRUE(report_with(other, {key_of(dir), {head_of(other)}}).intact);
}

TEST(signed_head, of_another_journal_or_key_is_refused) {
  const TempDir dir;
  const TempDir other;
  build(dir);
  build(other);
  EXPECT_FALSE(report_with(dir, {std::nullopt, {head_of(other)}}).intact);
  EXPECT_FALSE(report_with(dir, {key_of(other), {}}).intact);
  EXPECT_FALSE(report_with(dir, {key_of(other), {head_of(other)}}).intact);
  fs::remove_all(dir.state());
  EXPECT_FALSE(report_with(dir, {key_of(other), {head_of(other)}}).intact) << "nothing is there";
}

TEST(signed_head, every_byte_of_it_counts) {
  const TempDir dir;
  build(dir);
  const std::string good = slurp(signed_path(dir.db()));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spill(signed_path(dir.db()), bad);
    ASSERT_FALSE(report_of(dir).intact) << "byte " << at;
    ASSERT_FALSE(signed_head_from_line(bad.substr(0, bad.size() - 1)).has_value() &&
                 is_signed_by(*signed_head_from_line(bad.substr(0, bad.size() - 1)), key_of(dir)) &&
                 at + 1 < good.size());
    spill(signed_path(dir.db()), good.substr(0, at));
    ASSERT_FALSE(report_of(dir).intact) << "cut at " << at;
  }
  fs::remove(signed_path(dir.db()));
  EXPECT_NE(report_of(dir).problem.find("signed head is gone"), std::string::npos);
  spill(signed_path(dir.db()), good);
  EXPECT_TRUE(report_of(dir).intact);
  fs::rename(public_key_path(dir.state()), dir.path + "/kept.pub");
  EXPECT_TRUE(report_of(dir).intact) << "as after a crash before it was written";
  fs::remove(private_key_path(dir.state()));
  EXPECT_FALSE(report_of(dir).intact);
  EXPECT_TRUE(report_with(dir, {**read_public_key(dir.path + "/kept.pub"), {}}).intact);
}

TEST(signed_head, is_signed_with_a_key_that_is_kept_elsewhere) {
  const TempDir dir;
  const std::string key_file = dir.path + "/audit.key";
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write, key_file).has_value());
  spill(key_file, SigningKey::generate()->pem());
  ::chmod(key_file.c_str(), 0640);
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write, key_file).has_value());
  ::chmod(key_file.c_str(), 0600);
  {
    auto journal = open_journal(dir.state(), Mode::read_write, key_file);
    ASSERT_TRUE(journal.has_value()) << describe(journal.error());
    ASSERT_TRUE(append(**journal, "R-1", whole_rollout("R-1")).has_value());
  }
  EXPECT_FALSE(fs::exists(private_key_path(dir.state())));
  EXPECT_EQ(head_of(dir).head.seq, 6);
  const auto without = open_journal(dir.state(), Mode::read_write);
  ASSERT_FALSE(without.has_value());
  EXPECT_NE(without.error().help.find("HITLESS_AUDIT_KEY"), std::string::npos);
  spill(key_file, SigningKey::generate()->pem());
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write, key_file).has_value());
  spill(key_file, "no key");
  EXPECT_FALSE(open_journal(dir.state(), Mode::read_write, key_file).has_value());
}

TEST(signed_head, a_crash_while_the_key_is_made_is_mended) {
  const TempDir dir;
  build(dir);
  fs::remove(public_key_path(dir.state()));  // the last of the three files
  ASSERT_NE(open_rw(dir), nullptr);
  EXPECT_TRUE(fs::exists(public_key_path(dir.state())));
  EXPECT_TRUE(report_of(dir).intact) << report_of(dir).problem;
  fs::remove(public_key_path(dir.state()));  // only the key was made
  fs::remove(signed_path(dir.db()));
  ASSERT_NE(open_rw(dir), nullptr);
  EXPECT_TRUE(report_of(dir).intact) << report_of(dir).problem;
  EXPECT_EQ(head_of(dir).head.seq, 13);
}

TEST(signed_head, lists_are_read_and_everything_else_is_refused) {
  const TempDir dir;
  build(dir);
  const std::string line = to_line(head_of(dir));
  EXPECT_EQ(signed_heads_from_text("# kept\n\n" + line + "\n" + line + "\n")->size(), 2u);
  for (const std::string& bad : {std::string(), std::string("\n"), line + " x", line.substr(1),
                                 line + "\nrubbish", std::string(100'000, 'x'), std::string(8, ' '),
                                 std::string("hitless-head 1 a b c d e f")}) {
    EXPECT_FALSE(signed_heads_from_text(bad).has_value()) << bad.substr(0, 80);
  }
}

TEST(format, another_version_is_refused_by_name) {
  const TempDir dir;
  build(dir);
  edit(dir, "UPDATE meta SET value = '7' WHERE key = 'format'");
  seal_again(dir);
  EXPECT_NE(report_of(dir).problem.find("format `7`"), std::string::npos);
  for (const auto mode : {Mode::read_only, Mode::read_write}) {
    const auto journal = open_journal(dir.state(), mode);
    ASSERT_FALSE(journal.has_value());
    EXPECT_NE(describe(journal.error()).find("format `7`"), std::string::npos);
  }
}

}  // namespace
}  // namespace hitless::journal
