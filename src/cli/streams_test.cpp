// A process whose output goes nowhere goes on, and says so at the end.
#include "cli/streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/exit_code.hpp"

namespace hitless::cli {
namespace {

[[noreturn]] void print_into(int out, int err) {
  std::signal(SIGPIPE, SIG_IGN);  // as during a rollout
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  guard_streams();
  for (int line = 0; line < 5'000; ++line) {
    fmt::print(stdout, "a result\n");
    fmt::print(stderr, "progress\n");
  }
  std::_Exit(finish_streams(kOk));
}

int pipe_without_reader() {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  ::close(ends[0]);
  return ends[1];
}

TEST(StreamsDeathTest, AReaderThatHasGoneEndsNothing) {
  EXPECT_EXIT(print_into(pipe_without_reader(), pipe_without_reader()),
              testing::ExitedWithCode(kOk), "");
}

TEST(StreamsDeathTest, AFullDiskEndsNothingEarlyAndLostResultsAreAnError) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_EXIT(print_into(full, full), testing::ExitedWithCode(kError), "");
  EXPECT_EXIT(print_into(null, full), testing::ExitedWithCode(kOk), "")
      << "progress alone is no result";
  EXPECT_EXIT(print_into(full, STDERR_FILENO), testing::ExitedWithCode(kError),
              "could not be written: No space left");
}

}  // namespace
}  // namespace hitless::cli
