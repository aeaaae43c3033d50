#include "base/text.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/utf8.hpp"

namespace hitless {
namespace {

using namespace std::string_literals;

TEST(Escape, ControlsBecomeVisible) {
  EXPECT_EQ(escape_for_terminal("a\x1b[31mb\x7f"), "a\\x1b[31mb\\x7f");
  EXPECT_EQ(escape_for_terminal("a\r\nb\tc"), "a\\r\\nb\\tc");
  EXPECT_EQ(escape_for_terminal("a\r\nb\tc", true), "a\\r\nb\tc");
  EXPECT_EQ(escape_for_terminal("\0x"s), "\\x00x");
}

TEST(Escape, UnicodeTricksBecomeVisibleAndPlainTextStays) {
  EXPECT_EQ(escape_for_terminal("né → 日本"), "né → 日本");
  EXPECT_EQ(escape_for_terminal("a\u202eb"), "a\\u202eb");
  EXPECT_EQ(escape_for_terminal("\u009b31m"), "\\u009b31m");
  EXPECT_EQ(escape_for_terminal("a\u200bb"), "a\\u200bb");
}

TEST(Escape, BrokenUtf8IsShownByteByByte) {
  EXPECT_EQ(escape_for_terminal("\xc3"), "\\xc3");
  EXPECT_EQ(escape_for_terminal("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(escape_for_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(escape_for_terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(find_broken_utf8("ab\xff"), 2U);
  EXPECT_EQ(find_broken_utf8("né"), std::string_view::npos);
}

TEST(Escape, Html) {
  EXPECT_EQ(escape_for_html("<a b='\"&'>"), "&lt;a b=&#39;&quot;&amp;&#39;&gt;");
}

TEST(Quote, EachWordIsOneWordForSh) {
  EXPECT_EQ(quote_for_sh("it's"), "'it'\\''s'");
  EXPECT_EQ(quote_for_sh(""), "''");
  EXPECT_EQ(quote_for_sh(std::vector<std::string>{"echo", "$(id)", "a b"}), "'echo' '$(id)' 'a b'");
}

TEST(Truncate, CutsOnACharacterBoundary) {
  EXPECT_EQ(truncate_utf8("short", 5), "short");
  EXPECT_EQ(truncate_utf8("longer text", 8), "longe…");
  EXPECT_EQ(truncate_utf8("ééé", 6), "ééé");
  EXPECT_EQ(truncate_utf8("éééé", 6), "é…");
  EXPECT_EQ(truncate_utf8("long", 2), "");
  EXPECT_LE(truncate_utf8(std::string(100, '\x80'), 10).size(), 10U);
}

TEST(Width, WideAndCombining) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("→ ✔"), 3U);
}

TEST(Nearest, SuggestsTyposOnly) {
  const std::vector<std::string> keys = {"deadline", "drain_timeout", "quiet", "settle", "port"};
  EXPECT_EQ(nearest("drain_timout", keys), "drain_timeout");
  EXPECT_EQ(nearest("drain-timeout", keys), "drain_timeout");
  EXPECT_EQ(nearest("Deadlien", keys), "deadline");
  EXPECT_EQ(nearest("prot", keys), "port");
  EXPECT_EQ(nearest("favourite", keys), "");
  EXPECT_EQ(nearest("x", keys), "");
  EXPECT_EQ(nearest("", keys), "");
  EXPECT_EQ(nearest(std::string(100'000, 'a'), keys), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
  EXPECT_EQ(join({"", "b"}, ","), ",b");
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(Errors, DescribeSaysWhereWhatAndHelp) {
  EXPECT_EQ(describe({ErrorCode::refused, "no such server", "lb-1", "see `check`"}),
            "lb-1: no such server (see `check`)");
  EXPECT_EQ(describe({ErrorCode::timed_out, "", "", ""}), "timed_out");
}

}  // namespace
}  // namespace hitless
