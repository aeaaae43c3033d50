// What hitless proved a program to run, against what is on disk now.
#include "adapters/service/loaded_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/service/test_host.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceVerdict;
using testing::HasSubstr;

const std::string kMain = "/etc/nginx/nginx.conf";

// A driver whose world is a few values.
class Inner final : public ports::Service {
 public:
  std::string describe() const override { return "inner"; }
  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    co_return ports::ServiceCapabilities{};
  }
  Task<Result<ServiceIdentity>> identity() override { co_return now; }
  Task<std::vector<Check>> validate() override {
    co_return std::vector<Check>{{"Unit", CheckStatus::pass, "fine", {}},
                                 {"Pending edits", CheckStatus::warn, "by its time", {}}};
  }
  Task<Check> test_config(ports::Files) override { co_return Check{}; }
  Task<Result<ports::Files>> config_files() override { co_return files; }
  Task<Result<core::Outcome>> act(ports::ActOrder) override {
    now.workers = {std::to_string(++generation)};
    if (edit_while_told) files[kMain] += "# meanwhile\n";
    co_return core::Outcome{};
  }
  Task<Result<core::Outcome>> await_act(std::string, DurationMs) override {
    co_return core::Outcome{};
  }
  Task<core::ServiceReading> verify(Action, ServiceIdentity) override {
    co_return core::ServiceReading{ServiceVerdict::proven, now, "new workers"};
  }

  ServiceIdentity now{true, "active", 7, "70", "", 0, {"1"}, {}, -1, {}, 0, {}};
  ports::Files files{
      {kMain, "events { worker_connections 512; }\nhttp { auth_basic_user_file x; }\n"}};
  int generation = 1;
  bool edit_while_told = false;
};

class Loaded : public testing::Test {
 protected:
  Loaded() { fresh(); }
  // As a new process of hitless would make it; the world stays.
  void fresh() {
    auto made = std::make_unique<Inner>();
    if (inner_ != nullptr) {
      made->now = inner_->now;
      made->files = inner_->files;
      made->generation = inner_->generation;
    }
    inner_ = made.get();
    service_ = make_remembering_service(std::move(made), folder_ / "loaded/web@web01",
                                        confdiff::Kind::nginx, kMain);
  }
  void reload() {
    (void)wait_for(service_->act({Action::reload, "op", inner_->now, 1'000}));
    (void)wait_for(service_->verify(Action::reload, {}));
  }
  std::string pending() {
    for (const Check& check : wait_for(service_->validate()))
      if (check.name == "Pending edits") return check.evidence;
    return "none";
  }
  TestFolder folder_;
  Inner* inner_ = nullptr;
  std::unique_ptr<ports::Service> service_;
};

TEST_F(Loaded, AnEditIsShownAsWhatItChangesAndATouchIsNone) {
  EXPECT_EQ(pending(), "by its time") << "nothing was proven yet";
  reload();
  EXPECT_EQ(pending(), "none") << "the same content, whatever its time";
  fresh();
  EXPECT_EQ(pending(), "none");
  inner_->files[kMain] = "events { worker_connections 1024; }\nhttp { auth_basic_user_file x; }\n";
  EXPECT_THAT(pending(), HasSubstr("worker_connections 512 → 1024"));
  EXPECT_THAT(pending(), HasSubstr("(class reload-watch)"));
  inner_->files["/etc/nginx/conf.d/theirs.conf"] = "server { listen 81; }\n";
  EXPECT_THAT(pending(), HasSubstr("theirs.conf (new)"));
  reload();
  EXPECT_EQ(pending(), "none") << "it is loaded now";
}

TEST_F(Loaded, AnotherRunIsNotComparedWith) {
  reload();
  inner_->now.workers = {"99"};  // somebody else's reload
  inner_->files[kMain] += "# theirs\n";
  EXPECT_EQ(pending(), "by its time");
}

TEST_F(Loaded, WhatChangedWhileItWasToldIsNotKept) {
  reload();
  inner_->edit_while_told = true;
  reload();
  EXPECT_EQ(pending(), "by its time") << "which of the two it has read is not known";
}

TEST_F(Loaded, SecretsAreNotKeptButTheirChangeIsSeen) {
  const std::string before = "env TOKEN=abc;\nhttp { set $password hunter2hunter2; }\n";
  inner_->files[kMain] = before + "# password=s3cr3t-one-two\n";
  reload();
  const std::string kept = read_text(folder_ / "loaded/web@web01");
  EXPECT_THAT(kept, testing::Not(HasSubstr("s3cr3t-one-two")));
  inner_->files[kMain] = before + "# password=s3cr3t-three\n";
  EXPECT_THAT(pending(), HasSubstr("nginx.conf"));
  EXPECT_THAT(pending(), testing::Not(HasSubstr("s3cr3t")));
}

// The fleet file names it in another way now, so there is nothing to compare it with.
TEST_F(Loaded, UnderAnotherNameItIsNotSaidToBeBroken) {
  reload();
  const std::string main = inner_->files[kMain];
  inner_->files = {{"/srv/old.conf", main}};
  reload();
  inner_->files = {{kMain, main}};
  EXPECT_EQ(pending(), "by its time");
}

TEST(LoadedConfig, AFileThatIsCutOrOddIsNone) {
  LoadedConfig loaded{"run", 5, {{"/a b", {"aa", "one\ntwo\n"}}, {"/c", {"bb", ""}}}};
  const std::string text = write_loaded(loaded);
  const auto back = read_loaded(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->run, "run");
  EXPECT_EQ(back->files.at("/a b").text, "one\ntwo\n");
  EXPECT_EQ(write_loaded(*back), text);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(read_loaded(text.substr(0, size))) << size;
  EXPECT_FALSE(read_loaded("hitless-loaded 1\nr\n1\n99999999999999999999 1 x\n"));
  EXPECT_FALSE(read_loaded("hitless-loaded 1\nr\n1\n18446744073709551615 1 x\ny\n"));
}

}  // namespace
}  // namespace hitless::service
