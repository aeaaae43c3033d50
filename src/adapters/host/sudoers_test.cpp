#include <gtest/gtest.h>

#include <fstream>

#include "adapters/host/host.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

SudoersNeeds example() {
  SudoersNeeds needs;
  needs.user = "ops";
  needs.units = {"nginx.service"};
  needs.config_dirs = {"/etc/nginx"};
  needs.argvs = {{"/usr/sbin/nginx", "-t", "-c", "/etc/nginx/nginx.conf"}, {"/usr/bin/true"}};
  needs.operations = {{"/opt/app/restart", "now"},
                      {"sh", "-c", "a=$1; b=${2:-}, # ~!%<>\n[ \"$a\" = x ] && exec 'b\\c'\n", "sh",
                       SudoersNeeds::any_word}};
  return needs;
}

TEST(Sudoers, NamesTheExactCommands) {
  const auto lines = sudoers_lines(example());
  ASSERT_TRUE(lines);
  const std::string text = join(*lines, "\n") + "\n";
  EXPECT_NE(text.find("systemctl (restart|reload|start|stop) nginx\\.service$"), std::string::npos);
  EXPECT_NE(text.find("ops ALL=(root) NOPASSWD: /usr/bin/true \"\"\n"), std::string::npos);
  EXPECT_EQ(text.find("*)*$"), std::string::npos);
  EXPECT_EQ(text.find("NOPASSWD: ALL"), std::string::npos);
  EXPECT_EQ(text.find("/bin/sh "), std::string::npos);
  if (const char* out = ::getenv("HITLESS_SUDOERS_OUT")) std::ofstream(out) << text;
  for (const auto& line : *lines) {
    if (!line.starts_with("#")) EXPECT_TRUE(line.ends_with("$") || line.ends_with("\"\"")) << line;
  }
}

TEST(Sudoers, HostileNamesAreRefused) {
  for (const std::string bad : {"ALL", "x\ny", "-x", "", "a b", "x.service\nops ALL=(ALL) ALL"}) {
    auto needs = example();
    needs.user = bad;
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
    needs = example();
    needs.units = {bad};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
    needs = example();
    needs.config_dirs = {bad};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
    needs = example();
    needs.argvs = {{bad}};
    EXPECT_FALSE(sudoers_lines(needs)) << bad;
  }
  auto needs = example();
  needs.operations = {{"sh", "a\rb"}};
  EXPECT_FALSE(sudoers_lines(needs));
  needs = example();
  needs.argvs = {{"/usr/bin/*"}};
  EXPECT_FALSE(sudoers_lines(needs));
  needs.argvs = {{"/bin/true", "a\nroot ALL=(ALL) ALL"}};
  EXPECT_FALSE(sudoers_lines(needs));
}

}  // namespace
}  // namespace hitless::host
