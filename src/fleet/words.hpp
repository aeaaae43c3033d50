// One line of a configuration file of others as words, with its quotes and comments.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hitless::fleet {

enum class WordStyle {
  haproxy,    // '…', "…", backslash escapes, # starts a comment
  ssh,        // "…", # only at the start of the line; the first '=' separates like a space
  inventory,  // shell-like; # starts a comment at the start of a word
};

[[nodiscard]] std::vector<std::string> split_words(std::string_view line, WordStyle style);

}  // namespace hitless::fleet
