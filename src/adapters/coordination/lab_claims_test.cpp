// Claims and fenced operations on a real systemd host over ssh; tests/e2e/guard_test.py brings the
// lab and reboots the host in between. HITLESS_TEST_SERVICE is a name for the stages to share.
#include <gtest/gtest.h>

#include <cstdlib>

#include "adapters/coordination/claims.hpp"
#include "adapters/host/host.hpp"
#include "base/digest.hpp"

namespace hitless::coordination {
namespace {

class LabHost : public testing::Test {
 protected:
  void SetUp() override {
    if (::getenv("HITLESS_TEST_SSH_CONFIG") == nullptr) GTEST_SKIP() << "no lab is given";
    if (::getenv("HITLESS_TEST_SERVICE") != nullptr) service = ::getenv("HITLESS_TEST_SERVICE");
  }
  struct Controller {
    std::unique_ptr<ports::Host> host;
    std::unique_ptr<ports::Coordination> claims;
  };
  Controller controller(DurationMs ttl_ms = 60'000) const {
    host::SshConfig config;
    config.name = "web01";
    config.config_file = ::getenv("HITLESS_TEST_SSH_CONFIG");
    config.sudo = true;
    Controller made;
    made.host = std::move(*host::make_ssh_host(config));
    ClaimsConfig claims;
    claims.service = service;
    claims.ttl_ms = ttl_ms;
    claims.instances = {{{service + "@web01"}, made.host.get(), 8080}};
    made.claims = make_host_claims(std::move(claims));
    return made;
  }
  static ports::Claimant from(const std::string& home) {
    return {home, "root@" + home, "R-" + home};
  }
  [[nodiscard]] ports::Operation operation(std::int64_t epoch,
                                           std::vector<std::string> argv = {"true"}) const {
    ports::Operation made;
    made.id = "test-" + random_hex(8);
    made.argv = std::move(argv);
    made.fence = {service, 8080, epoch};
    return made;
  }
  static ErrorCode code_of(const Result<ports::ExecResult>& result) {
    return result ? ErrorCode::internal : result.error().code;
  }
  std::string service = "t" + random_hex(6);
};

TEST_F(LabHost, TwoClaimantsOneHolds) {
  run_until_done([&]() -> Task<void> {
    auto one = controller(), two = controller();
    const auto first = co_await one.claims->acquire(from("ctl1"), 4);
    EXPECT_EQ(first ? first->epoch : -1, 5);
    const auto second = co_await two.claims->acquire(from("ctl2"), 0);
    EXPECT_EQ(second ? ErrorCode::internal : second.error().code, ErrorCode::refused);
    const auto ran = co_await one.host->run_operation(operation(5));
    EXPECT_TRUE(ran) << describe(ran.error());
    co_await one.claims->release();
    const auto then = co_await two.claims->acquire(from("ctl2"), 0);
    EXPECT_EQ(then ? then->epoch : -1, 6);
    const auto stale = operation(5, {"sh", "-c", "echo x >> /run/test-fence-$0", service});
    const auto refused = co_await one.host->run_operation(stale);
    EXPECT_EQ(code_of(refused), ErrorCode::refused);
    const auto none = co_await one.host->await_operation(stale.id, 5000);
    EXPECT_EQ(code_of(none), ErrorCode::not_found) << "the refused operation has a unit";
  });
}

// A controller that was taken over in mid-operation: the next one waits for it, and starts nothing.
TEST_F(LabHost, ZombieOperationsAreWaitedFor) {
  run_until_done([&]() -> Task<void> {
    auto next = controller();
    auto slow = operation(1, {"sh", "-c", "sleep 2; echo zombie; exit 4"});
    {
      auto dead = controller(1000);
      EXPECT_TRUE(co_await dead.claims->acquire(from("ctl1"), 0));
      const auto start = [&]() -> Task<void> { co_await dead.host->run_operation(slow); };
      co_await finish_within(start(), 900);
    }
    Result<ports::Lease> lease = fail(ErrorCode::refused, "");
    for (int i = 0; i < 100 && !lease && lease.error().code == ErrorCode::refused; ++i) {
      lease = co_await next.claims->acquire(from("ctl2"), 0);
    }
    EXPECT_EQ(lease ? lease->epoch : -1, 2);
    const auto runs = co_await next.host->await_operation(slow.id, 1);
    if (!runs) EXPECT_EQ(runs.error().code, ErrorCode::timed_out);
    if (!runs) {
      const auto ended = co_await next.host->await_operation(slow.id, 20'000);
      EXPECT_EQ(ended ? ended->exit_code : -1, 4);
      EXPECT_EQ(ended ? ended->out : "", "zombie\n");
    }
    ErrorCode then = ErrorCode::internal;  // it is collected in the background
    for (int i = 0; i < 100 && then == ErrorCode::internal; ++i) {
      then = code_of(co_await next.host->await_operation(slow.id, 5000));
    }
    EXPECT_EQ(then, ErrorCode::not_found);
  });
}

TEST_F(LabHost, StageBeforeReboot) {
  run_until_done([&]() -> Task<void> {
    auto one = controller();
    const auto first = co_await one.claims->acquire(from("ctl1"), 6);
    EXPECT_EQ(first ? first->epoch : -1, 7);
  });
}

TEST_F(LabHost, StageAfterReboot) {
  run_until_done([&]() -> Task<void> {
    auto old = controller(), next = controller();
    const auto wiped = co_await old.host->run_operation(operation(7));
    EXPECT_EQ(code_of(wiped), ErrorCode::refused) << "no claim is no permission";
    const auto lease = co_await next.claims->acquire(from("ctl2"), 7);
    EXPECT_EQ(lease ? lease->epoch : -1, 8) << "above what the journal says";
    const auto stale = co_await old.host->run_operation(operation(7));
    EXPECT_EQ(code_of(stale), ErrorCode::refused);
    const auto good = co_await next.host->run_operation(operation(8));
    EXPECT_TRUE(good) << describe(good.error());
  });
}

}  // namespace
}  // namespace hitless::coordination
