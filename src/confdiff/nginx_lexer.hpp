// nginx's own tokenizer (ngx_conf_read_token), byte for byte in what it accepts: quotes, escapes,
// '#' only at the start of a word, "${x}" not opening a block, '}' inside a word being part of it,
// words of at most 4095 bytes (4094 in quotes), and comments too. One call of next() reads one
// statement, up to its ';', '{' or '}'.
//
// Two things differ on purpose: an unclosed quote is reported where it was opened, and the body of
// a
// *_by_lua_block is read by Lua's rules (read_lua_body) as raw text.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace hitless::confdiff {

struct LexPosition {
  std::size_t offset = 0;
  int line = 1, column = 1;  // column in bytes, from 1
};

struct NginxWord {
  std::string text;     // unquoted, escapes resolved
  LexPosition begin;    // of the raw word, quote included
  std::size_t end = 0;  // offset behind the raw word
};

enum class StatementEnd { semicolon, open, close, end_of_file };

struct NginxStatement {
  std::vector<NginxWord> words;  // empty only for close and end_of_file
  StatementEnd end = StatementEnd::end_of_file;
  LexPosition end_position;
};

struct LexError {
  std::string what;
  LexPosition position;
};

class NginxLexer {
 public:
  static constexpr std::size_t kMaxWordBytes = 4095;  // NGX_CONF_BUFFER - 1
  static constexpr std::size_t kMaxWords = 10'000;    // in one statement

  explicit NginxLexer(std::string_view text) : text_(text) {}  // text must outlive the lexer

  [[nodiscard]] tl::expected<NginxStatement, LexError> next();
  // After a statement that ended in '{': the text up to the matching '}' (which is consumed).
  [[nodiscard]] tl::expected<std::string, LexError> read_lua_body();

 private:
  [[nodiscard]] bool at_end() const { return at_.offset >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_.offset]; }
  void advance();
  [[nodiscard]] tl::expected<void, LexError> skip_blanks();
  [[nodiscard]] tl::expected<NginxWord, LexError> read_word();
  [[nodiscard]] tl::expected<NginxWord, LexError> read_quoted(char quote);
  bool skip_lua_item();
  bool skip_lua_long_bracket();

  std::string_view text_;
  LexPosition at_;
};

}  // namespace hitless::confdiff
