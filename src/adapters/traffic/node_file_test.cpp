// A file on a node replaced by what came, and only by all of it.
#include "adapters/traffic/node_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapters/host/host.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/traffic/nginx_lb_scripts.hpp"
#include "base/digest.hpp"

namespace hitless::traffic {
namespace {

using testing::HasSubstr;

const std::string kOld = "old: text\n", kNew = "new: text\nand: more of it\n";

class NodeFileSwap : public testing::Test {
 protected:
  NodeFileSwap() { std::ofstream(file_) << kOld; }
  [[nodiscard]] std::string text() const {
    std::stringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::size_t files() const {
    const std::filesystem::directory_iterator all(dir_.path());
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  // input: what reaches the host, as when the connection breaks off.
  Result<ports::ExecResult> run(std::vector<std::string> words, std::string input) {
    return await<Result<ports::ExecResult>>([&]() -> Task<Result<ports::ExecResult>> {
      auto host = host::make_local_host("lb-1", "127.0.0.1");
      words.insert(words.begin(), {"sh", "-c"});
      co_return co_await host->exec(words, input, 10'000, true);
    });
  }

  TempDir dir_;
  std::string file_ = dir_.path() + "/web.yml";
};

TEST_F(NodeFileSwap, AWholeTextReplacesTheFile) {
  const auto swap = [&](const std::string& sha) {
    return await<Result<bool>>([&]() -> Task<Result<bool>> {
      auto host = host::make_local_host("lb-1", "127.0.0.1");
      co_return co_await swap_node_file(host.get(), file_, sha, kNew);
    });
  };
  const auto other = swap(sha256_hex("another"));
  EXPECT_TRUE(other && !*other) << "somebody edited it";
  const auto done = swap(sha256_hex(kOld));
  ASSERT_TRUE(done) << describe(done.error());
  EXPECT_TRUE(*done);
  EXPECT_EQ(text(), kNew);
  EXPECT_EQ(files(), 1U);
}

TEST_F(NodeFileSwap, ACutTextReplacesNothing) {
  const std::string script = node_file_commands(file_).commands.at(1).at(2).text;
  for (const std::size_t came : {std::size_t{0}, kNew.size() / 2}) {
    const auto ran = run({script, "sh", "swap", file_, sha256_hex(kOld), sha256_hex(kNew)},
                         kNew.substr(0, came));
    ASSERT_TRUE(ran) << describe(ran.error());
    EXPECT_NE(ran->exit_code, 0);
    EXPECT_THAT(ran->err, HasSubstr("not what was sent"));
    EXPECT_EQ(text(), kOld);
    EXPECT_EQ(files(), 1U);
  }
}

TEST_F(NodeFileSwap, ACutTextReplacesNothingOfNginx) {
  const std::string cut = kNew.substr(0, 10), was = sha256_hex(kOld), sha = sha256_hex(kNew);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"apply", file_, was, "/bin/true", "x", "/nowhere.pid", sha},
        std::vector<std::string>{"undo", file_, was, "1000000000.5", sha}}) {
    std::vector<std::string> argv = {nginx_lb_script(), "sh"};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto ran = run(argv, cut);
    ASSERT_TRUE(ran) << describe(ran.error());
    EXPECT_EQ(ran->exit_code, 84) << words[0];
    EXPECT_THAT(ran->err, HasSubstr("not what was sent"));
    EXPECT_EQ(text(), kOld);
    EXPECT_EQ(files(), 1U);
  }
}

}  // namespace
}  // namespace hitless::traffic
