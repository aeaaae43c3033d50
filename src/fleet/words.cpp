#include "fleet/words.hpp"

namespace hitless::fleet {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

}  // namespace

std::vector<std::string> split_words(std::string_view line, WordStyle style) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  const auto finish = [&] {
    if (in_word) words.push_back(std::move(word));
    word.clear();
    in_word = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else if (c == '\\' && quote == '"' && i + 1 < line.size())
        word += line[++i];
      else
        word += c;
      continue;
    }
    const bool comment = c == '#' && (style == WordStyle::haproxy || !in_word) &&
                         (style != WordStyle::ssh || words.empty());
    if (comment) break;
    const bool equals =
        style == WordStyle::ssh && c == '=' && words.size() + (in_word ? 1U : 0U) == 1;
    if (is_blank(c) || equals) {
      finish();
    } else if (c == '"' || (c == '\'' && style != WordStyle::ssh)) {
      quote = c;
      in_word = true;
    } else if (c == '\\' && style != WordStyle::ssh && i + 1 < line.size()) {
      word += line[++i];
      in_word = true;
    } else {
      word += c;
      in_word = true;
    }
  }
  finish();
  return words;
}

}  // namespace hitless::fleet
