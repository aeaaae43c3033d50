#include "engine/shared_reading.hpp"

#include <gtest/gtest.h>

#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

class SlowPool final : public ports::Traffic {
 public:
  [[nodiscard]] std::string describe() const override { return "be_app @ lb-1"; }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    co_return ports::TrafficCapabilities{};
  }
  Task<std::vector<core::TargetReport>> read() override {
    ++reads;
    ++under_way;
    most = std::max(most, under_way);
    const std::int64_t seen = requests;  // what it tells is of its beginning
    co_await sleep_for(10);
    --under_way;
    core::TargetReport report;
    report.instance = {"app@web01"};
    report.requests = seen;
    std::vector<core::TargetReport> reports;
    reports.push_back(std::move(report));
    co_return reports;
  }
  Task<Status> drain(core::InstanceId) override { co_return Status{}; }
  Task<Status> rejoin(core::InstanceId) override { co_return Status{}; }
  Task<Status> close_remaining(core::InstanceId) override { co_return Status{}; }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return std::vector<ports::PoolCounters>{};
  }
  int reads = 0, under_way = 0, most = 0;
  std::int64_t requests = 1;
};

class SharedReading : public ::testing::Test {
 protected:
  SharedReading() {
    parts_.pools = {&pool_};
    InstanceParts instance;
    instance.id = {"app@web01"};
    parts_.instances.push_back(std::move(instance));
  }
  static Task<void> look_into(SharedReading* self, std::vector<std::int64_t>* seen) {
    const InstanceReading reading =
        co_await look_at(&self->parts_, &self->parts_.instances.front(), false);
    seen->push_back(reading.mine.requests.value_or(-1));
  }
  static Task<void> look_later(SharedReading* self, std::vector<std::int64_t>* seen) {
    co_await sleep_for(3);
    self->pool_.requests = 2;
    co_await look_into(self, seen);
  }
  static Task<void> look_and_be_cut_off(SharedReading* self) {
    const auto cut = co_await with_timeout(never_ready(self), 2, "the look");
    EXPECT_FALSE(cut);
  }
  static Task<Result<int>> never_ready(SharedReading* self) {
    (void)co_await read_shared(&self->parts_);
    co_return 1;
  }
  SlowPool pool_;
  ServiceParts parts_;
};

TEST_F(SharedReading, AHundredThatAskAtOnceAreOneReading) {
  std::vector<std::int64_t> seen;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> looks;
    for (int i = 0; i < 100; ++i) looks.push_back(look_into(this, &seen));
    co_await join_all(std::move(looks));
  });
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_LE(pool_.reads, 2);
  EXPECT_EQ(pool_.most, 1);
}

// What is under way may have begun before the drain that the caller wants to see.
TEST_F(SharedReading, WhoAsksWhileOneIsUnderWayGetsTheNext) {
  std::vector<std::int64_t> first, second;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> looks;
    looks.push_back(look_into(this, &first));
    looks.push_back(look_later(this, &second));
    co_await join_all(std::move(looks));
  });
  EXPECT_EQ(first, std::vector<std::int64_t>{1});
  EXPECT_EQ(second, std::vector<std::int64_t>{2});
}

TEST_F(SharedReading, WhenTheOneWhoReadsIsCutOffTheOthersGoOn) {
  std::vector<std::int64_t> seen;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> looks;
    looks.push_back(look_and_be_cut_off(this));
    looks.push_back(look_into(this, &seen));
    co_await join_all(std::move(looks));
  });
  EXPECT_EQ(seen, std::vector<std::int64_t>{1});
}

}  // namespace
}  // namespace hitless::engine
