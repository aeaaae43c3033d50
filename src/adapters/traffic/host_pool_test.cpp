#include "adapters/traffic/host_pool.hpp"

#include <gtest/gtest.h>

namespace hitless {
namespace {

using core::InstanceId;

class FakePool final : public ports::Traffic {
 public:
  std::string describe() const override { return "be_web @ lb-1"; }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    co_return ports::TrafficCapabilities{};
  }
  Task<std::vector<core::TargetReport>> read() override {
    std::vector<core::TargetReport> reports(3);
    reports[0].instance.value = "web@web01";
    reports[1].instance.value = "web@web02";
    reports[2].instance.value = "web@unknown";
    co_return reports;
  }
  Task<Status> drain(InstanceId target) override {
    told.push_back("drain " + target.value);
    co_return Status{};
  }
  Task<Status> rejoin(InstanceId target) override {
    told.push_back("rejoin " + target.value);
    co_return fail(ErrorCode::refused, "the load balancer said no");
  }
  Task<Status> close_remaining(InstanceId target) override {
    told.push_back("close " + target.value);
    co_return Status{};
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return std::vector<ports::PoolCounters>(1);
  }
  std::vector<std::string> told;
};

Task<void> use(FakePool* pool, bool* done) {
  const InstanceId one{"host@web01"}, two{"host@web02"}, other{"host@db01"};
  auto hosts = make_host_pool(*pool, {{one, {"web@web01"}}, {two, {"web@web02"}}});
  const auto reports = co_await hosts->read();
  EXPECT_EQ(reports.size(), 2U) << "what no host of ours stands for is not reported";
  EXPECT_EQ(reports.at(0).instance, one);
  EXPECT_EQ(reports.at(1).instance, two);
  EXPECT_TRUE(co_await hosts->drain(one));
  EXPECT_TRUE(co_await hosts->drain(other)) << "it has no target here";
  EXPECT_FALSE(co_await hosts->rejoin(two));
  EXPECT_TRUE(co_await hosts->close_remaining(two));
  EXPECT_EQ((co_await hosts->counters()).size(), 1U);
  EXPECT_EQ(hosts->describe(), "be_web @ lb-1");
  *done = true;
}

TEST(HostPool, SpeaksOfHostsAndTellsTargets) {
  FakePool pool;
  bool done = false;
  run_until_done([&] { return use(&pool, &done); });
  EXPECT_TRUE(done);
  EXPECT_EQ(pool.told,
            (std::vector<std::string>{"drain web@web01", "rejoin web@web02", "close web@web02"}));
}

}  // namespace
}  // namespace hitless
