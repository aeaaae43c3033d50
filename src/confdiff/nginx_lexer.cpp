#include "confdiff/nginx_lexer.hpp"

namespace hitless::confdiff {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

tl::unexpected<LexError> lex_error(std::string what, LexPosition position) {
  return tl::unexpected<LexError>(LexError{std::move(what), position});
}

std::string unexpected_char(char c) {
  return std::string("unexpected \"") + c + "\"";
}

constexpr const char* kUnexpectedEnd = "unexpected end of file, expecting \";\" or \"}\"";

// \" \' \\ lose their backslash, \t \r \n become the character, any other backslash stays.
std::string resolve_escapes(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char next = i + 1 < raw.size() ? raw[i + 1] : '\0';
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    switch (next) {
      case '"':
      case '\'':
      case '\\':
        out += next;
        ++i;
        break;
      case 't':
        out += '\t';
        ++i;
        break;
      case 'r':
        out += '\r';
        ++i;
        break;
      case 'n':
        out += '\n';
        ++i;
        break;
      default:
        out += '\\';
    }
  }
  return out;
}

}  // namespace

void NginxLexer::advance() {
  if (peek() == '\n') {
    ++at_.line;
    at_.column = 1;
  } else {
    ++at_.column;
  }
  ++at_.offset;
}

tl::expected<void, LexError> NginxLexer::skip_blanks() {
  while (!at_end()) {
    if (is_blank(peek())) {
      advance();
    } else if (peek() == '#') {
      const LexPosition begin = at_;
      while (!at_end() && peek() != '\n') advance();
      // nginx 1.22 reads a comment through the same buffer as a word and refuses a longer one.
      if (at_.offset - begin.offset > kMaxWordBytes) return lex_error("too long comment", begin);
    } else {
      break;
    }
  }
  return {};
}

tl::expected<NginxStatement, LexError> NginxLexer::next() {
  NginxStatement statement;
  for (;;) {
    if (auto skipped = skip_blanks(); !skipped) {
      return tl::unexpected<LexError>(std::move(skipped.error()));
    }
    statement.end_position = at_;
    if (at_end()) {
      if (!statement.words.empty()) return lex_error(kUnexpectedEnd, at_);
      statement.end = StatementEnd::end_of_file;
      return statement;
    }
    const char c = peek();
    if (c == ';' || c == '{') {
      if (statement.words.empty()) return lex_error(unexpected_char(c), at_);
      statement.end = c == ';' ? StatementEnd::semicolon : StatementEnd::open;
      advance();
      return statement;
    }
    if (c == '}') {
      if (!statement.words.empty()) return lex_error(unexpected_char(c), at_);
      statement.end = StatementEnd::close;
      advance();
      return statement;
    }
    if (statement.words.size() >= kMaxWords) return lex_error("too many parameters", at_);
    auto word = c == '"' || c == '\'' ? read_quoted(c) : read_word();
    if (!word) return tl::unexpected<LexError>(std::move(word.error()));
    statement.words.push_back(std::move(*word));
  }
}

tl::expected<NginxWord, LexError> NginxLexer::read_word() {
  const LexPosition begin = at_;
  bool variable = false;
  while (!at_end()) {
    const char c = peek();
    if (c == '{' && variable) {
      variable = false;
      advance();
      continue;
    }
    if (is_blank(c) || c == ';' || c == '{') break;
    variable = c == '$';
    advance();
    if (c == '\\' && !at_end()) advance();
    if (at_.offset - begin.offset > kMaxWordBytes) return lex_error("too long parameter", begin);
  }
  if (at_end()) return lex_error(kUnexpectedEnd, at_);
  NginxWord word;
  word.begin = begin;
  word.end = at_.offset;
  word.text = resolve_escapes(text_.substr(begin.offset, word.end - begin.offset));
  return word;
}

tl::expected<NginxWord, LexError> NginxLexer::read_quoted(char quote) {
  const LexPosition begin = at_;
  advance();
  while (!at_end() && peek() != quote) {
    const bool escape = peek() == '\\';
    advance();
    if (escape && !at_end()) advance();
    if (at_.offset - begin.offset > kMaxWordBytes) {
      return lex_error(std::string("too long parameter, probably missing terminating \"") + quote +
                           "\" character",
                       begin);
    }
  }
  if (at_end()) return lex_error(std::string("missing terminating \"") + quote + "\"", begin);
  advance();
  NginxWord word;
  word.begin = begin;
  word.end = at_.offset;
  word.text = resolve_escapes(text_.substr(begin.offset + 1, word.end - begin.offset - 2));
  // Behind a closing quote nginx wants a blank, ';', '{' or the ')' of an "if".
  if (!at_end() && !is_blank(peek()) && peek() != ';' && peek() != '{' && peek() != ')') {
    return lex_error(unexpected_char(peek()), at_);
  }
  return word;
}

// [[ … ]], [==[ … ]==]. False when there is none here; an unclosed one runs to the end.
bool NginxLexer::skip_lua_long_bracket() {
  std::size_t level = 0;
  while (at_.offset + 1 + level < text_.size() && text_[at_.offset + 1 + level] == '=') ++level;
  if (at_.offset + 1 + level >= text_.size() || text_[at_.offset + 1 + level] != '[') return false;
  const std::string close = "]" + std::string(level, '=') + "]";
  const std::size_t found = text_.find(close, at_.offset + 2 + level);
  const std::size_t end = found == std::string_view::npos ? text_.size() : found + close.size();
  while (at_.offset < end) advance();
  return true;
}

// Skips a Lua comment or string that starts here; false when nothing of the kind does.
bool NginxLexer::skip_lua_item() {
  const char c = peek();
  if (c == '[') return skip_lua_long_bracket();
  if (c == '-' && text_.substr(at_.offset, 2) == "--") {
    advance();
    advance();
    if (!at_end() && peek() == '[' && skip_lua_long_bracket()) return true;
    while (!at_end() && peek() != '\n') advance();
    return true;
  }
  if (c != '"' && c != '\'') return false;
  advance();
  while (!at_end() && peek() != c && peek() != '\n') {
    const bool escape = peek() == '\\';
    advance();
    if (escape && !at_end()) advance();
  }
  if (!at_end()) advance();
  return true;
}

tl::expected<std::string, LexError> NginxLexer::read_lua_body() {
  const LexPosition begin = at_;
  std::size_t depth = 1;
  while (!at_end()) {
    if (skip_lua_item()) continue;
    const char c = peek();
    if (c == '}' && --depth == 0) {
      std::string body(text_.substr(begin.offset, at_.offset - begin.offset));
      advance();
      return body;
    }
    if (c == '{') ++depth;
    advance();
  }
  return lex_error("missing terminating \"}\" of the Lua block", begin);
}

}  // namespace hitless::confdiff
