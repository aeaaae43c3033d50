// The completion script of bash, asked by a bash; those of others as text.
#include "cli/completion.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "cli/options.hpp"

namespace hitless::cli {
namespace {

// What is offered after these words.
std::string offered(const std::string& words) {
  const std::string script = completion_script("bash") + "COMP_WORDS=(" + words +
                             ")\nCOMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_hitless\n"
                             "echo \" ${COMPREPLY[*]} \"\n";
  std::string quoted;
  for (const char c : script) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  FILE* pipe = popen(("bash -c '" + quoted + "'").c_str(), "r");
  std::string out;
  std::array<char, 4096> buffer{};
  while (pipe != nullptr && fgets(buffer.data(), buffer.size(), pipe) != nullptr)
    out += buffer.data();
  if (pipe != nullptr) pclose(pipe);
  return out;
}

TEST(Completion, TheValueOfAnOptionIsNotTheVerb) {
  EXPECT_EQ(offered("hitless -f fleet.yaml pl"), " plan \n");
  EXPECT_EQ(offered("hitless --state-dir /tmp kill-switch en"), " engage \n");
  EXPECT_EQ(offered("hitless -f ''"), "  \n") << "files";
}

TEST(Completion, FixedWordsAreOfferedAndHiddenOptionsNot) {
  EXPECT_EQ(offered("hitless audit ver"), " verify \n");
  EXPECT_EQ(offered("hitless completion z"), " zsh \n");
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_EQ(completion_script(shell).find("by-agent"), std::string::npos) << shell;
    EXPECT_EQ(completion_script(shell).find("--help --help"), std::string::npos) << shell;
  }
  EXPECT_EQ(offered("hitless doctor --he"), " --help \n") << "each once";
}

}  // namespace
}  // namespace hitless::cli
