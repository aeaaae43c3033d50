#include "cli/report_store.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace hitless::cli {
namespace {

namespace fs = std::filesystem;

class ReportStore : public testing::Test {
 protected:
  ReportStore() : dir_(fs::temp_directory_path() / fmt::format("hl-reports-{}", getpid())) {
    fs::create_directory(dir_);
    ::chmod(dir_.c_str(), 0700);
  }
  ~ReportStore() override { fs::remove_all(dir_); }

  const fs::path dir_;
};

TEST_F(ReportStore, KeepsTheNewestOnly) {
  for (std::size_t i = 0; i < kMaxReports + 3; ++i) {
    const std::string id = fmt::format("R-{}", i);
    ASSERT_TRUE(keep_report(dir_, id, "<p>" + id));
    // The order is by age; a clock that ticks slowly shall not decide.
    const auto age = std::chrono::seconds(kMaxReports + 3 - i);
    fs::last_write_time(dir_ / "reports" / (id + ".html"), fs::file_time_type::clock::now() - age);
  }
  EXPECT_FALSE(*kept_report(dir_, "R-0"));
  EXPECT_EQ(**kept_report(dir_, fmt::format("R-{}", kMaxReports + 2)),
            fmt::format("<p>R-{}", kMaxReports + 2));
  struct stat info{};
  ASSERT_EQ(::stat((dir_ / "reports" / "R-52.html").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(ReportStore, AnIdIsNoPath) {
  for (const char* id : {"", "..", "../R-1", "R/1", "R-1\n"}) {
    EXPECT_FALSE(keep_report(dir_, id, "x")) << id;
    EXPECT_FALSE(kept_report(dir_, id)) << id;
  }
  EXPECT_FALSE(keep_report(dir_, "R-1", std::string(kMaxReportBytes + 1, 'x')));
  EXPECT_FALSE(*kept_report(dir_, "R-1"));
}

}  // namespace
}  // namespace hitless::cli
