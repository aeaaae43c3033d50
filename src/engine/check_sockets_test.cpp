#include "engine/check_sockets.hpp"

#include <gtest/gtest.h>

namespace hitless::engine {
namespace {

class Checker final : public ports::Traffic {
 public:
  [[nodiscard]] std::string describe() const override { return "be_app @ lb-1"; }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    co_return ports::TrafficCapabilities{};
  }
  Task<std::vector<core::TargetReport>> read() override {
    co_return std::vector<core::TargetReport>{};
  }
  Task<Status> drain(core::InstanceId) override { co_return Status{}; }
  Task<Status> rejoin(core::InstanceId) override { co_return Status{}; }
  Task<Status> close_remaining(core::InstanceId) override { co_return Status{}; }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return std::vector<ports::PoolCounters>{};
  }
  Task<std::vector<int>> check_ports(core::InstanceId) override {
    ++asked;
    co_return named;
  }
  std::vector<int> named;
  int asked = 0;
};

class Listing final : public ports::Host {
 public:
  [[nodiscard]] std::string name() const override { return "web01"; }
  [[nodiscard]] std::string address() const override { return "10.0.0.1"; }
  [[nodiscard]] bool sudo() const override { return false; }
  Task<Result<ports::ExecResult>> exec(std::vector<std::string>, std::string, DurationMs,
                                       bool) override {
    co_return ports::ExecResult{};
  }
  Task<Result<ports::ExecResult>> script(std::string, std::vector<std::string>, DurationMs,
                                         bool) override {
    co_return ports::ExecResult{};
  }
  Task<Result<ports::ExecResult>> run_operation(ports::Operation) override {
    co_return ports::ExecResult{};
  }
  Task<Result<ports::ExecResult>> await_operation(std::string, DurationMs, bool) override {
    co_return ports::ExecResult{};
  }
  Task<Result<std::string>> read_file(std::string, std::int64_t) override {
    co_return std::string();
  }
  Task<Status> put_atomic(std::string, std::string, std::string, std::string) override {
    co_return Status{};
  }
  Task<Result<ports::FileStat>> stat(std::string) override { co_return ports::FileStat{}; }
  Task<Result<std::string>> boot_id() override { co_return std::string("boot"); }
  Task<Result<std::int64_t>> connections_on(int) override {
    co_return static_cast<std::int64_t>(peers.size());
  }
  Task<Result<std::vector<std::string>>> peers_on(int) override {
    if (broken) co_return fail(ErrorCode::failed, "no ss");
    co_return peers;
  }
  Task<Result<std::string>> forward_unix(std::string path) override { co_return path; }
  std::vector<std::string> peers;
  bool broken = false;
};

class CheckSocketsTest : public ::testing::Test {
 protected:
  CheckSocketsTest() {
    parts_.pools = {&pool_};
    InstanceParts instance;
    instance.id = {"app@web01"};
    instance.host = &host_;
    instance.port = 8080;
    parts_.instances.push_back(std::move(instance));
  }
  // What still counts of the host's connections, while the load balancers say that nothing is in
  // flight.
  std::int64_t left(std::vector<std::string> peers, std::vector<int> named, std::int64_t idle = 0,
                    core::TargetState state = core::TargetState::out) {
    host_.peers = std::move(peers);
    pool_.named = std::move(named);
    core::TargetReading reading;
    reading.state = state;
    reading.idle = idle;
    reading.host_connections = static_cast<std::int64_t>(host_.peers.size());
    run_until_done([&]() -> Task<void> {
      co_await leave_out_checks(&parts_, &parts_.instances.front(), &memory_, &reading);
    });
    return *reading.host_connections;
  }
  void time_passes() { memory_.asked_at = steady_now_ms() - 1'000; }

  Checker pool_;
  Listing host_;
  ServiceParts parts_;
  CheckSockets memory_;
};

TEST_F(CheckSocketsTest, OnlyWhatALoadBalancerNamesAsItsCheckIsLeftOut) {
  EXPECT_EQ(left({"10.0.0.9:41450"}, {41450}), 0);
  time_passes();
  EXPECT_EQ(left({"10.0.0.9:41450", "10.0.0.9:41451"}, {41450}), 1) << "a client of that machine";
  time_passes();
  EXPECT_EQ(left({"10.0.0.7:50000"}, {41450}), 1) << "a client around the load balancer";
  time_passes();
  EXPECT_EQ(left({"10.0.0.9:41450"}, {}), 1) << "nobody names it";
  time_passes();
  EXPECT_EQ(left({"[::ffff:10.0.0.9]:41450"}, {41450}), 0);
}

TEST_F(CheckSocketsTest, TwoFromTheSamePortAreBothWork) {
  EXPECT_EQ(left({"10.0.0.9:41450", "10.0.0.7:41450"}, {41450}), 2);
}

TEST_F(CheckSocketsTest, IdleOnesStillCountAsTheLoadBalancerSays) {
  EXPECT_EQ(left({"10.0.0.9:1000", "10.0.0.9:41450"}, {41450}, 1), 1) << "and that one is idle";
}

// While the connection is there without a break it is the same one, and nobody is asked again. One
// that comes later from the same port is somebody else until it is named.
TEST_F(CheckSocketsTest, WhatWasNamedStaysSoWithoutABreak) {
  EXPECT_EQ(left({"10.0.0.9:41450"}, {41450}), 0);
  EXPECT_EQ(left({"10.0.0.9:41450"}, {}), 0);
  EXPECT_EQ(pool_.asked, 1);
  EXPECT_EQ(left({}, {}), 0);
  time_passes();
  EXPECT_EQ(left({"10.0.0.9:41450"}, {}), 1) << "the port was used again";
  time_passes();
  EXPECT_EQ(left({"10.0.0.9:41450"}, {41450}), 0);
  EXPECT_EQ(left({"10.0.0.9:41450"}, {}, 0, core::TargetState::in), 1) << "in rotation all counts";
  time_passes();
  EXPECT_EQ(left({"10.0.0.9:41450"}, {}), 1) << "nothing is remembered from before";
}

TEST_F(CheckSocketsTest, NobodyIsAskedTooOften) {
  EXPECT_EQ(left({"10.0.0.7:50000"}, {}), 1);
  EXPECT_EQ(left({"10.0.0.7:50000"}, {}), 1);
  EXPECT_EQ(pool_.asked, 1);
}

TEST_F(CheckSocketsTest, WhatCannotBeListedCounts) {
  host_.broken = true;
  EXPECT_EQ(left({"10.0.0.9:41450"}, {41450}), 1);
}

}  // namespace
}  // namespace hitless::engine
