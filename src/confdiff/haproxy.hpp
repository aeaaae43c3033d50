// HAProxy configurations: sections of keyword lines, parsed as HAProxy's own tokenizer does
// (quotes, backslash escapes, '#'), and diffed by meaning: server lines by name, binds by address,
// rules in the order written. Which class a keyword has is a table in haproxy_rules.cpp.
//
// Several files with .cfg are one configuration, in byte order of their paths, the main one first.
#pragma once
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

struct HaproxyLine {
  std::vector<std::string> words;
  std::string file;
  int line = 0, column = 0;
};
struct HaproxySection {
  std::string kind;  // "backend"
  std::string name;  // "api"; empty for global
  HaproxyLine head;
  std::vector<HaproxyLine> lines;
};

inline constexpr std::size_t kMaxHaproxyBytes = 16u << 20;
inline constexpr std::size_t kMaxHaproxyLines = 300'000;
inline constexpr std::size_t kMaxHaproxyWords = 1024;  // on one line

[[nodiscard]] tl::expected<std::vector<HaproxySection>, ParseError> parse_haproxy(
    const Files& files, const std::string& main_path);

struct HaproxyRule {
  std::string_view keyword;  // "balance", or "global/user" for one section's own
  int key_words = 1;         // how many words, from the front, say which line it is
  ChangeClass added = ChangeClass::reload_watch;
  ChangeClass removed = ChangeClass::reload_watch;
  ChangeClass changed = ChangeClass::reload_watch;
  Topic topic = Topic::unknown;
  std::string_view reason = {};
  bool ordered = false;  // acts in the order written
};
// Never fails: a keyword without a row is a restart.
[[nodiscard]] const HaproxyRule& haproxy_rule(const std::string& section_kind,
                                              const std::vector<std::string>& words);

}  // namespace hitless::confdiff
