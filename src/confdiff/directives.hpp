// Configurations that are lines of a name and words, in sections: Apache and sshd. Parsed leniently
// into one flat list, and diffed by meaning: lines of one name in one section are paired, equal
// ones first. Which class a name has is a table of the dialect; a name without a row is a restart.
//
// Files are read one by one: an include inside a section opens its file at the top. Bounded by
// kMaxDirectives and kMaxDirectiveWords.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

struct Directive {
  std::string name;                // as written; "<VirtualHost>" for the head of a section
  std::vector<std::string> words;  // without quotes
  std::string section;             // "VirtualHost *:80 > Location /x"; empty at the top
  std::string file;
  int line = 0, column = 0;
};

inline constexpr std::size_t kMaxDirectives = 300'000;
inline constexpr std::size_t kMaxDirectiveWords = 1024;
inline constexpr int kMaxSectionDepth = 64;

using Directives = std::vector<Directive>;

// What a change of a directive takes.
struct DirectiveRule {
  ChangeClass change_class = ChangeClass::restart;
  Topic topic = Topic::unknown;
  std::string reason = "no rule for this directive";
};

struct DirectiveDialect {
  std::function<tl::expected<Directives, ParseError>(const Files&, const std::string& main_path)>
      parse;
  std::function<DirectiveRule(const Directive&)> rule;
  // Looks at one change again with both sides at hand (null: not there), and may raise its class.
  std::function<void(Change&, const Directive* before, const Directive* after)> judge;
  std::string order_matters;  // why
};

[[nodiscard]] DiffResult diff_directives(const DirectiveDialect& dialect, const Files& before,
                                         const Files& after, const std::string& main_path);

[[nodiscard]] tl::expected<Directives, ParseError> parse_apache(const Files& files,
                                                                const std::string& main_path);
[[nodiscard]] tl::expected<Directives, ParseError> parse_sshd(const Files& files,
                                                              const std::string& main_path);
[[nodiscard]] DirectiveRule apache_rule(const Directive& directive);
[[nodiscard]] DirectiveRule sshd_rule(const Directive& directive);

// Would Apache read a file of this name? Also true when that cannot be told.
[[nodiscard]] bool apache_includes(const Files& files, const std::string& main_path,
                                   const std::string& path);

// What both parsers share: the words of a line, quotes taken off; and names without case.
[[nodiscard]] std::vector<std::string> directive_words(std::string_view line);
[[nodiscard]] std::string lower(std::string_view text);
// main_path first, then the others in the order of their names.
[[nodiscard]] std::vector<const Files::value_type*> in_order(const Files& files,
                                                             const std::string& main_path);

}  // namespace hitless::confdiff
