#include <gtest/gtest.h>

#include <fstream>

#include "adapters/host/host.hpp"
#include "adapters/host/seal.hpp"
#include "base/text.hpp"
#include "runtime/process.hpp"

namespace hitless::host {
namespace {

using ports::CommandWord;

SudoersNeeds example() {
  SudoersNeeds needs;
  needs.user = "ops";
  needs.config_files = {"/etc/nginx/conf.d/pool.conf"};
  needs.commands.commands = {
      {{"/usr/sbin/nginx"}, {"-t"}, {"-c"}, {"/etc/nginx/nginx.conf"}},
      {{"my-check"}},
      {{"sh"}, {"-c"}, {std::string(3000, 'x')}, {"sh"}, CommandWord::patterns("/etc/[a-z]+")}};
  needs.commands.operations = {{{"/opt/app/restart"}, {"now"}},
                               {{"sh"},
                                {"-c"},
                                {"a=$1; b=${2:-}, # ~!%<>\n[ \"$a\" = x ] && exec 'b\\c'\n"},
                                {"sh"},
                                CommandWord::pattern("[0-9]+")}};
  return needs;
}

TEST(Sudoers, NamesTheExactCommands) {
  const auto lines = sudoers_lines(example());
  ASSERT_TRUE(lines);
  const std::string text = join(*lines, "\n") + "\n";
  EXPECT_NE(text.find("ops ALL=(root) NOPASSWD: /usr/bin/true \"\"\n"), std::string::npos);
  EXPECT_NE(text.find("NOPASSWD: /usr/sbin/nginx ^-t -c /etc/nginx/nginx\\.conf$\n"),
            std::string::npos);
  EXPECT_NE(text.find("NOPASSWD: /usr/local/bin/my-check \"\"\n"), std::string::npos);
  EXPECT_NE(text.find(" sh [A-Za-z0-9+/=]+( /etc/[a-z]+)*$\n"), std::string::npos);
  EXPECT_NE(text.find("\nDefaults:ops !requiretty\n"), std::string::npos);
  EXPECT_EQ(text.find("*)*$"), std::string::npos);
  EXPECT_EQ(text.find("NOPASSWD: ALL"), std::string::npos);
  EXPECT_EQ(text.find("xxx"), std::string::npos);  // sealed
  for (const auto& line : *lines) {
    if (!line.starts_with("#") && line != "Defaults:ops !requiretty") {
      EXPECT_TRUE(line.ends_with("$") || line.ends_with("\"\"")) << line;
    }
  }
}

// sudo takes no notice of longer ones, and visudo does not complain.
TEST(Sudoers, WhatIsTooLongForSudoIsAnError) {
  auto needs = example();
  needs.commands.commands = {{{"/usr/bin/x"}, {std::string(1022, 'x')}}};
  EXPECT_TRUE(sudoers_lines(needs));
  needs.commands.commands = {{{"/usr/bin/x"}, {std::string(1023, 'x')}}};
  EXPECT_FALSE(sudoers_lines(needs));
}

TEST(Sudoers, HostileNamesAreRefused) {
  for (const std::string bad : {"ALL", "x\ny", "-x", "", "a b", "x.service\nops ALL=(ALL) ALL"}) {
    auto needs = example();
    needs.user = bad;
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
    needs = example();
    needs.config_files = {bad};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
  }
  for (const std::string bad : {"x\ny", "-x", "", "a b", "/usr/bin/*", "/usr/../x", "a,b", "./x"}) {
    auto needs = example();
    needs.commands.commands = {{{bad}}};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
    needs = example();
    needs.commands.operations = {{{bad}}};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
  }
  auto needs = example();
  needs.commands.operations = {{{"/bin/true"}, {"a\rb"}}};
  EXPECT_FALSE(sudoers_lines(needs));
}

ProcessOutput run(std::vector<std::string> argv) {
  ProcessOutput output;
  run_until_done([&]() -> Task<void> {
    auto ran = co_await run_process(argv, "input", 10'000);
    if (ran) output = *ran;
  });
  return output;
}

TEST(Seal, RunsTheScriptAsBefore) {
  const std::vector<std::string> argv = {
      "sh",   "-c",  "\nprintf '%s|' \"$0\" \"$#\" \"$@\"; cat; echo \\\\n $(( 1 + 1 ))\nexit 7\n",
      "name", "a b", "",
      "$c"};
  const auto plain = run(argv), sealed = run(seal_argv(argv));
  EXPECT_EQ(plain.exit_code, 7);
  EXPECT_EQ(sealed.exit_code, 7);
  EXPECT_EQ(sealed.out, plain.out);
  EXPECT_NE(plain.out.find("name|3|a b||$c|input"), std::string::npos) << plain.out;
  EXPECT_EQ(run(seal_argv({"sh", "-c", "exit 3"})).exit_code, 3);
  EXPECT_EQ(seal_argv({"ls", "-c", "x"}), (std::vector<std::string>{"ls", "-c", "x"}));
}

TEST(Seal, RunsNothingElse) {
  auto argv = seal_argv({"sh", "-c", "echo good", "sh"});
  argv[4] = seal_script("echo evil").encoded;
  const auto ran = run(argv);
  EXPECT_EQ(ran.exit_code, 125);
  EXPECT_EQ(ran.out, "");
}

}  // namespace
}  // namespace hitless::host
