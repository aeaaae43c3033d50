#include "adapters/journal/service_lock.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

namespace hitless::journal {
namespace {

struct TempDir {
  TempDir() {
    std::string name = "/tmp/hitless-lock-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  std::string path;
  std::string state() const { return path + "/state"; }
};

TEST(service_lock, names_the_holder_and_is_free_again) {
  const TempDir dir;
  {
    const auto mine = ServiceLock::acquire(dir.state(), "web", "rollout R-1\x1b[31m");
    ASSERT_TRUE(mine.has_value()) << describe(mine.error());
    const auto second = ServiceLock::acquire(dir.state(), "web", "rollout R-2");
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::refused);
    EXPECT_NE(second.error().what.find("rollout R-1\\x1b"), std::string::npos)
        << second.error().what;
    EXPECT_NE(second.error().what.find("pid " + std::to_string(::getpid())), std::string::npos);
    EXPECT_TRUE(ServiceLock::acquire(dir.state(), "api", "rollout R-3").has_value());
  }
  EXPECT_TRUE(ServiceLock::acquire(dir.state(), "web", "rollout R-2").has_value());
  EXPECT_FALSE(ServiceLock::acquire(dir.state(), "../web", "x").has_value());
}

TEST(service_lock, dies_with_its_process) {
  const TempDir dir;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = ServiceLock::acquire(dir.state(), "web", "rollout R-1");
    ::_exit(lock ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(ServiceLock::acquire(dir.state(), "web", "rollout R-2").has_value());
}

}  // namespace
}  // namespace hitless::journal
