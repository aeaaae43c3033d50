#include <gtest/gtest.h>

#include <random>

#include "base/text.hpp"
#include "confdiff/config_diff.hpp"
#include "confdiff/text_diff.hpp"

namespace hitless::confdiff {
namespace {

TEST(UnifiedDiff, LooksAsDiffDoes) {
  EXPECT_EQ(unified_diff("a\nb\nc\n", "a\nb\nc\n", "/x"), "");
  EXPECT_EQ(unified_diff("a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nE\nf\ng\nh\n", "/x"),
            "--- /x\n+++ /x\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n");
  EXPECT_EQ(unified_diff("", "a\n", "/x"), "--- /x\n+++ /x\n@@ -0,0 +1 @@\n+a\n");
  EXPECT_EQ(unified_diff("a\n", "", "/x"), "--- /x\n+++ /x\n@@ -1 +0,0 @@\n-a\n");
  EXPECT_EQ(unified_diff("a", "a\n", "/x"),
            "--- /x\n+++ /x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
  EXPECT_EQ(unified_diff(std::string("\0", 1), "a", "/x"),
            "--- /x\n+++ /x\n(binary content differs)\n");
}

TEST(UnifiedDiff, IsSafeToShow) {
  const std::string before =
      "x \x1b[31m\n  proxy_set_header Authorization \"Basic abc\";\nPASSWORD=abc\n"
      "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n\ttab\n";
  const std::string diff = unified_diff(before, "", "/x");
  EXPECT_EQ(diff.find("abc"), std::string::npos) << diff;
  EXPECT_EQ(diff.find('\x1b'), std::string::npos) << diff;
  EXPECT_NE(diff.find("-  proxy_set_header Authorization [redacted]\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("-\ttab\n"), std::string::npos) << diff;
}

// Applying the edits to the old text must give the new one.
TEST(LineEdits, TurnOneTextIntoTheOther) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const std::string alphabet = "abcd";
    std::vector<std::string_view> before, after;
    for (std::uint32_t i = random() % 20; i > 0; --i)
      before.push_back(std::string_view(alphabet).substr(random() % 4, 1));
    for (std::uint32_t i = random() % 20; i > 0; --i)
      after.push_back(std::string_view(alphabet).substr(random() % 4, 1));
    std::vector<std::string_view> made, kept;
    for (const LineEdit& edit : line_edits(before, after)) {
      if (edit.kind != '+') kept.push_back(before.at(edit.before));
      if (edit.kind != '-') made.push_back(after.at(edit.after));
      if (edit.kind == ' ') {
        ASSERT_EQ(before[edit.before], after[edit.after]);
      }
    }
    ASSERT_EQ(kept, before);
    ASSERT_EQ(made, after);
  }
}

TEST(UnifiedDiff, LargeAndWhollyDifferentEndsSoon) {
  std::string before, after;
  for (int i = 0; i < 60'000; ++i) {
    before += "old " + std::to_string(i) + "\n";
    after += "new " + std::to_string(i) + "\n";
  }
  const std::string diff = unified_diff(before, after, "/x");
  EXPECT_LT(diff.size(), 2 * kMaxDiffOutput);
  EXPECT_NE(diff.find("more lines differ"), std::string::npos);
}

TEST(RenderChanges, FitsEightyColumns) {
  Change change;
  change.path = "http > upstream api > server 10.0.0.7:80";
  change.before = "weight=1";
  change.after = "weight=2";
  change.change_class = ChangeClass::reload;
  EXPECT_EQ(render_changes({change}),
            "  ~ http > upstream api > server 10.0.0.7:80  weight=1 → weight=2         reload\n");
  change.path += std::string(300, 'x') + "\x1b[31m";
  change.change_class = ChangeClass::human_only;
  change.reason = std::string(200, 'r');
  const std::string text = render_changes({change});
  for (const std::string& line : split(text, '\n')) EXPECT_LE(display_width(line), 80u) << line;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(split(text, '\n').size(), 4u);
}

TEST(Summary, CountsAndNames) {
  const auto change = [](ChangeKind kind, Topic topic, ChangeClass change_class, const char* path) {
    Change one;
    one.kind = kind;
    one.topic = topic;
    one.change_class = change_class;
    one.path = path;
    return one;
  };
  const Change add = change(ChangeKind::added, Topic::upstream, ChangeClass::reload,
                            "http > upstream a > server b");
  const Change drop = change(ChangeKind::removed, Topic::upstream, ChangeClass::reload_watch,
                             "http > upstream a > server c");
  const Change open = change(ChangeKind::added, Topic::listen, ChangeClass::reload_watch,
                             "http > server 8443 > listen 8443");
  const Change layout = change(ChangeKind::changed, Topic::layout, ChangeClass::none, "/x");
  EXPECT_EQ(summarize({add, add, add, drop}).text,
            "+3 −1, only upstream pool change, no listen port changes");
  EXPECT_EQ(summarize({add, open}).text, "+2, upstream pool change, listen port changes: +8443");
  EXPECT_EQ(summarize({open}).text, "+1, only listen change, listen port changes: +8443");
  EXPECT_EQ(summarize({layout}).text,
            "no change of meaning (comments, layout, order or unused files)");
  EXPECT_EQ(summarize({}).text, "no change");
  EXPECT_EQ(summarize({add, drop}).change_class, ChangeClass::reload_watch);
  EXPECT_FALSE(summarize({add, open}).what_changed.upstream_only);
}

}  // namespace
}  // namespace hitless::confdiff
