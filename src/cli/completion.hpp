// Completion scripts for bash, zsh and fish, made from the same tree that parses the command line.
#pragma once
#include <string>
#include <vector>

namespace hitless::cli {

struct CompletionVerb {
  std::string name, about;
  std::vector<std::string> flags;
  std::vector<std::string> words;  // what may stand after it, where that is one of a few
};
[[nodiscard]] std::string render_completion(const std::string& shell,
                                            const std::vector<CompletionVerb>& verbs);

}  // namespace hitless::cli
