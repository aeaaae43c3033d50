// Fenced operations and waiting for those of others, on this machine without systemd. Claims are
// written here by hand, as the coordination adapter would; each test has a service name of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/host/host.hpp"
#include "base/digest.hpp"

namespace hitless::host {
namespace {
namespace fs = std::filesystem;

class FenceTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder());
    fs::permissions(folder(), fs::perms::owner_all);
  }
  void TearDown() override {
    for (const auto& entry : fs::directory_iterator(folder())) {
      if (entry.path().filename().string().starts_with(service)) fs::remove(entry.path());
    }
    fs::remove(marker);
  }
  static std::string folder() {
    return ::geteuid() == 0 ? "/run/hitless/claims"
                            : "/tmp/hitless-claims-" + std::to_string(::geteuid());
  }
  void claim(int port, const std::string& epoch) const {
    std::ofstream(folder() + "/" + service + "@" + std::to_string(port))
        << epoch << "\n0\nboot\ntoken\nhome\nroot@ctl2\nR-new\n1700000000\n";
  }
  [[nodiscard]] ports::Operation operation(int port, std::int64_t epoch) const {
    ports::Operation made;
    made.id = "test-" + random_hex(8);
    made.argv = {"sh", "-c", "echo x >> \"$1\"; echo ran", "sh", marker};
    made.fence = {service, port, epoch};
    return made;
  }
  template <class Body>
  static void with_host(Body body) {
    run_until_done([&]() -> Task<void> {
      auto host = make_local_host("here", "127.0.0.1");
      co_await body(host.get());
    });
  }
  // How it ended: "ran", or the name of the error.
  static Task<std::string> run(ports::Host* host, ports::Operation operation) {
    const auto result = co_await host->run_operation(std::move(operation));
    if (!result) co_return std::string(name_of(result.error().code)) + ": " + result.error().what;
    co_return result->out;
  }
  [[nodiscard]] bool touched() const { return fs::exists(marker); }

  std::string service = "t" + random_hex(6);
  std::string marker = "/tmp/hitless-fence-" + service;
};

TEST_F(FenceTest, OnlyTheEpochThatHoldsTheClaimStarts) {
  claim(80, "7");
  with_host([&](ports::Host* host) -> Task<void> {
    const auto stale = co_await run(host, operation(80, 6));
    EXPECT_TRUE(stale.starts_with(name_of(ErrorCode::refused))) << stale;
    EXPECT_NE(stale.find("taken over by root@ctl2, rollout R-new, epoch 7"), std::string::npos);
    const auto early = co_await run(host, operation(80, 8));
    EXPECT_TRUE(early.starts_with(name_of(ErrorCode::refused))) << early;
    const auto other_port = co_await run(host, operation(81, 7));
    EXPECT_TRUE(other_port.starts_with(name_of(ErrorCode::refused))) << other_port;
    EXPECT_FALSE(touched());
    const auto good = co_await run(host, operation(80, 7));
    EXPECT_EQ(good, "ran\n");
    EXPECT_TRUE(touched());
  });
}

TEST_F(FenceTest, AClaimWithoutAPortFencesEveryPort) {
  claim(80, "7");
  claim(0, "8");
  with_host([&](ports::Host* host) -> Task<void> {
    const auto stale = co_await run(host, operation(80, 7));
    EXPECT_TRUE(stale.starts_with(name_of(ErrorCode::refused))) << stale;
    EXPECT_FALSE(touched());
    const auto good = co_await run(host, operation(0, 8));
    EXPECT_EQ(good, "ran\n");
  });
}

TEST_F(FenceTest, AGarbledClaimIsNoPermission) {
  for (const std::string text : {"", "x", "7x", "-1", "7 8", "$(touch /tmp/x)"}) {
    claim(80, text);
    with_host([&](ports::Host* host) -> Task<void> {
      const auto result = co_await run(host, operation(80, 7));
      EXPECT_NE(result, "ran\n") << text;
      EXPECT_FALSE(touched()) << text;
    });
  }
}

TEST_F(FenceTest, ImproperFencesAreRefusedHere) {
  with_host([&](ports::Host* host) -> Task<void> {
    for (const std::string name : {"-", "../x", "a b", "a@b", "x\n", "$x", "*"}) {
      auto bad = operation(80, 7);
      bad.fence.service = name;
      const auto result = co_await host->run_operation(bad);
      EXPECT_EQ(result ? ErrorCode::internal : result.error().code, ErrorCode::invalid) << name;
    }
  });
}

TEST_F(FenceTest, ALockThatNothingHoldsAnyMoreIsFree) {
  claim(80, "7");
  std::ofstream(folder() + "/" + service + ".lock") << "";
  with_host([&](ports::Host* host) -> Task<void> {
    // A daemon that an operation leaves behind does not hold the lock.
    auto daemon = operation(80, 7);
    daemon.argv = {"sh", "-c", "sleep 20 >/dev/null 2>&1 & echo $!"};
    const auto started = co_await host->run_operation(daemon);
    EXPECT_TRUE(started) << started.error().what;
    const auto next = co_await run(host, operation(80, 7));
    EXPECT_EQ(next, "ran\n");
    if (started) ::kill(std::stoi(started->out), SIGKILL);
  });
}

TEST_F(FenceTest, WaitingForSomebodysOperation) {
  ports::Operation slow;
  slow.id = "test-" + random_hex(8);
  slow.argv = {"sh", "-c", "until [ -e \"$1\" ]; do sleep 0.05; done; echo done; exit 3", "sh",
               marker};
  with_host([&](ports::Host* host) -> Task<void> {
    const auto never = co_await host->await_operation(slow.id, 2000);
    EXPECT_EQ(never ? ErrorCode::internal : never.error().code, ErrorCode::not_found);
    auto run_it = [&]() -> Task<void> { co_await host->run_operation(slow); };
    co_await finish_within(run_it(), 500);
  });  // its controller is gone
  with_host([&](ports::Host* host) -> Task<void> {
    const auto runs = co_await host->await_operation(slow.id, 100);
    EXPECT_EQ(runs ? ErrorCode::internal : runs.error().code, ErrorCode::timed_out);
    std::ofstream(marker) << "";
    const auto ended = co_await host->await_operation(slow.id, 20'000);
    EXPECT_EQ(ended ? ended->exit_code : -1, 3);
    EXPECT_EQ(ended ? ended->out : "", "done\n");
    const auto collected = co_await host->await_operation(slow.id, 2000);
    EXPECT_EQ(collected ? ErrorCode::internal : collected.error().code, ErrorCode::not_found);
    const auto path = co_await host->await_operation("../x", 2000);
    EXPECT_EQ(path ? ErrorCode::internal : path.error().code, ErrorCode::invalid);
  });
}

}  // namespace
}  // namespace hitless::host
