// A touch file on a real file system. What load balancers make of it: tests/conformance.
#include "adapters/traffic/touch_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapters/host/host.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::InstanceId;
using testing::HasSubstr;

class Touch : public testing::Test {
 protected:
  template <class T>
  T with(std::function<Task<T>(ports::Traffic*)> ask) {
    return await<T>([&]() -> Task<T> {
      auto host = host::make_local_host("web01", "127.0.0.1");
      auto driver =
          make_touch_file({"files", {{InstanceId{"web@web01"}, host.get(), file_, 1}}, 500});
      T result = co_await ask(driver.get());
      driver.reset();
      host.reset();
      co_return result;
    });
  }
  core::TargetReport read() {
    return with<std::vector<core::TargetReport>>([](auto* d) { return d->read(); }).at(0);
  }
  Status drain() {
    return with<Status>([](auto* d) { return d->drain(InstanceId{"web@web01"}); });
  }
  Status rejoin() {
    return with<Status>([](auto* d) { return d->rejoin(InstanceId{"web@web01"}); });
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }
  [[nodiscard]] std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file_).rdbuf();
    return all.str();
  }

  TempDir dir_;
  std::string file_ = dir_.path() + "/on line";  // a blank, as a shell would stumble over
};

TEST_F(Touch, ContentAndModeComeBackWithTheFile) {
  write("pool=blue\n");
  ::chmod(file_.c_str(), 0640);
  EXPECT_EQ(read().admin, AdminState::ready);
  EXPECT_EQ(read().in_flight, 0);
  ASSERT_TRUE(drain());
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_EQ(read().admin, AdminState::drain);
  EXPECT_TRUE(drain()) << "again";
  ASSERT_TRUE(rejoin());
  EXPECT_EQ(text(), "pool=blue\n");
  struct stat info{};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_TRUE(rejoin()) << "again";
}

TEST_F(Touch, WhatSomebodyElseTookAwayIsNotMadeAnew) {
  EXPECT_EQ(read().admin, AdminState::maint);
  EXPECT_TRUE(drain());
  EXPECT_EQ(rejoin().error().code, ErrorCode::refused);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

// Configuration management puts the file back in mid-drain: it is in rotation, and drained again.
TEST_F(Touch, AFileThatComesBackByItselfIsInRotationAgain) {
  write("old");
  ASSERT_TRUE(drain());
  write("new");
  EXPECT_EQ(read().admin, AdminState::ready);
  ASSERT_TRUE(drain());
  ASSERT_TRUE(rejoin());
  EXPECT_EQ(text(), "new");
}

TEST_F(Touch, WhatIsNoRegularFileIsUnknownAndUntouched) {
  std::filesystem::create_directory(file_);
  EXPECT_EQ(read().admin, AdminState::unknown);
  EXPECT_THAT(read().note, HasSubstr("not a regular file"));
  EXPECT_FALSE(drain());
  EXPECT_TRUE(std::filesystem::is_directory(file_));
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("/etc/hostname", file_);
  EXPECT_EQ(read().admin, AdminState::unknown);
  EXPECT_FALSE(drain());
  EXPECT_TRUE(std::filesystem::is_symlink(file_));
}

TEST_F(Touch, AMissingFolderIsUnknownNotMaint) {
  file_ = dir_.path() + "/gone/online";
  EXPECT_EQ(read().admin, AdminState::unknown);
  EXPECT_EQ(read().in_flight, std::nullopt);
  file_ = "relative/online";
  EXPECT_EQ(read().admin, AdminState::unknown);
}

// What watches the file is not ours to ask, so the plan must say what it may do.
TEST_F(Touch, ThePlanIsToldWhatWatchersMayDo) {
  write("");
  const auto can =
      with<Result<ports::TrafficCapabilities>>([](auto* d) { return d->capabilities(); });
  ASSERT_TRUE(can) << describe(can.error());
  std::string all;
  for (const std::string& remark : can->remarks) all += remark + "\n";
  for (const char* words : {"(fail-open)", "an NLB cuts connections then",
                            "whether they all watch the file is not seen"})
    EXPECT_NE(all.find(words), std::string::npos) << words;
}

}  // namespace
}  // namespace hitless::traffic
