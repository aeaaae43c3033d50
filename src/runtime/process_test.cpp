#include "runtime/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace hitless {
namespace {

Result<ProcessOutput> run(std::vector<std::string> argv, std::string input = {},
                          DurationMs deadline_ms = 30'000, std::size_t cap = 1u << 20) {
  Result<ProcessOutput> result = fail(ErrorCode::internal, "did not run");
  run_until_done(
      [&]() -> Task<void> { result = co_await run_process(argv, input, deadline_ms, cap); });
  return result;
}

// Gone or a zombie that nobody has reaped yet.
bool is_dead(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  return text.empty() || text.find(") Z ") != std::string::npos;
}

bool dies(int pid) {
  for (int i = 0; i < 500 && !is_dead(pid); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return is_dead(pid);
}

TEST(RunProcess, GivesOutputErrorsAndExitCode) {
  const auto result = run({"sh", "-c", "cat; echo oops >&2; exit 7"}, "in\0put");
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->signal, 0);
  EXPECT_EQ(result->err, "oops\n");
}

TEST(RunProcess, BinaryInputLargerThanAPipeComesBack) {
  std::string input;
  for (int i = 0; i < 300'000; ++i) input += static_cast<char>(i * 7);
  const auto result = run({"cat"}, input);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->out == input);
}

TEST(RunProcess, ArgumentsAreNotInterpreted) {
  const auto result = run({"printf", "%s|", "$(touch /tmp/canary)", "a b", "-x", ""});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "$(touch /tmp/canary)|a b|-x||");
}

TEST(RunProcess, DeathBySignalIsNotAnExitCode) {
  const auto result = run({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->signal, SIGTERM);
}

TEST(RunProcess, OutputBeyondTheCapIsDroppedNotKept) {
  const auto result =
      run({"sh", "-c", "head -c 5000000 /dev/zero; echo end >&2"}, {}, 30'000, 1000);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out.size(), 1000u);
  EXPECT_EQ(result->err, "end\n");
}

TEST(RunProcess, MissingProgramSaysSo) {
  const auto result = run({"hitless-no-such-program"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::unavailable);
  EXPECT_NE(result.error().what.find("No such file"), std::string::npos);
}

TEST(RunProcess, NulInAnArgumentIsRefused) {
  EXPECT_EQ(run({"echo", std::string("a\0b", 3)}).error().code, ErrorCode::invalid);
}

TEST(RunProcess, TheWholeGroupDiesAtTheDeadline) {
  char path[] = "/tmp/hitless-process-test-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const std::string pid_file = std::string(path) + "/pid";
  const auto result =
      run({"sh", "-c", "sleep 600 & echo $! > \"$1\"; wait", "sh", pid_file}, {}, 1000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::timed_out);
  int grandchild = 0;
  std::ifstream(pid_file) >> grandchild;
  ASSERT_GT(grandchild, 1);
  EXPECT_TRUE(dies(grandchild));
  std::filesystem::remove_all(path);
}

TEST(RunProcess, ABackgroundChildHoldingThePipesDoesNotHoldUs) {
  const auto result = run({"sh", "-c", "sleep 300 & echo $!"}, {}, 60'000);
  ASSERT_TRUE(result);
  const int background = std::stoi(result->out);
  EXPECT_FALSE(is_dead(background)) << "what a command left running on purpose stays";
  ::kill(background, SIGKILL);
}

TEST(RunProcess, CancellingTheCallerKillsTheChild) {
  char path[] = "/tmp/hitless-process-test-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const std::string pid_file = std::string(path) + "/pid";
  run_until_done([&]() -> Task<void> {
    auto sleeper = [](std::string file) -> Task<void> {
      co_await run_process({"sh", "-c", "echo $$ > \"$1\"; exec sleep 600", "sh", file}, {},
                           500'000);
    };
    const bool in_time = co_await finish_within(sleeper(pid_file), 1000);
    EXPECT_FALSE(in_time);
  });
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  ASSERT_GT(pid, 1);
  EXPECT_NE(::kill(pid, 0), 0) << "it was killed and reaped, not left as a zombie";
  std::filesystem::remove_all(path);
}

TEST(RunProcess, ManyAtOnceAreEachRight) {
  int right = 0;
  run_until_done([&]() -> Task<void> {
    auto one = [&right](int i) -> Task<void> {
      const auto result =
          co_await run_process({"sh", "-c", "exit " + std::to_string(i)}, {}, 60'000);
      if (result && result->exit_code == i) ++right;
    };
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 40; ++i) tasks.push_back(one(i));
    co_await join_all(std::move(tasks));
  });
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace hitless
