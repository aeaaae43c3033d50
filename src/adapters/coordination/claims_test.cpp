// Claims on this machine, without systemd: several claimants are several objects, as several
// controllers would be. Each test has a service name of its own, because the folder is shared.
#include "adapters/coordination/claims.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/coordination/claim_script.hpp"
#include "adapters/host/host.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::coordination {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

std::string claims_folder() {
  return ::geteuid() == 0 ? "/run/hitless/claims"
                          : "/tmp/hitless-claims-" + std::to_string(::geteuid());
}

class ClaimsTest : public testing::Test {
 protected:
  void TearDown() override {
    if (!fs::exists(claims_folder())) return;
    for (const auto& entry : fs::directory_iterator(claims_folder())) {
      const std::string name = entry.path().filename().string();
      if (name.find(service) != std::string::npos) fs::remove(entry.path());
    }
  }
  struct Options {
    std::vector<int> ports = {80};
    DurationMs ttl_ms = 60'000;
    bool locked = false;
    std::string name = {};  // of the service; empty: the test's
    bool outlives_reboot = false;
    std::string second = {};  // another service on the same hosts, held along
  };
  // All on this machine, each through a shell of its own.
  std::unique_ptr<ports::Coordination> claims(const Options& options) {
    ClaimsConfig config;
    config.service = options.name.empty() ? service : options.name;
    config.ttl_ms = options.ttl_ms;
    config.home_is_locked = options.locked;
    config.outlives_reboot = options.outlives_reboot;
    for (const int port : options.ports) {
      const std::string name = "web" + std::to_string(config.instances.size() + 1);
      hosts.push_back(host::make_local_host(name, "127.0.0.1"));
      config.instances.push_back({{service + "@" + name}, hosts.back().get(), port});
      if (options.second.empty()) continue;
      config.instances.push_back(
          {{service + "@" + name}, hosts.back().get(), port, options.second});
    }
    return make_host_claims(std::move(config));
  }
  std::unique_ptr<ports::Coordination> claims() { return claims(Options{}); }
  static ports::Claimant from(const std::string& home) {
    return {home, "root@" + home, "R-" + home};
  }
  static Task<std::int64_t> epoch_of(ports::Coordination* claim, std::string home,
                                     std::int64_t at_least = 0) {
    const auto lease = co_await claim->acquire(from(home), at_least);
    co_return lease ? lease->epoch : -static_cast<std::int64_t>(lease.error().code);
  }
  template <class Body>
  void run(Body body) {
    run_until_done([&]() -> Task<void> {
      co_await body();
      hosts.clear();
    });
  }
  std::string file(int port) const {
    return claims_folder() + "/" + service + "@" + std::to_string(port);
  }
  std::string service = "t" + random_hex(6);
  std::vector<std::unique_ptr<ports::Host>> hosts;
  static constexpr auto refused = -static_cast<std::int64_t>(ErrorCode::refused);
};

TEST_F(ClaimsTest, AnotherHomeIsRefusedAndToldWhy) {
  run([&]() -> Task<void> {
    auto first = claims(), second = claims();
    const auto epoch = co_await epoch_of(first.get(), "ctl1");
    EXPECT_EQ(epoch, 1);
    const auto no = co_await second->acquire(from("ctl2"), 0);
    EXPECT_FALSE(no);
    if (no) co_return;
    EXPECT_EQ(no.error().code, ErrorCode::refused);
    EXPECT_THAT(no.error().what,
                HasSubstr("being worked on by root@ctl1 (rollout R-ctl1, since 2"));
    EXPECT_THAT(no.error().what, HasSubstr("its lease ends in"));
    EXPECT_EQ(no.error().where, "web1");
    const auto still = co_await first->renew();
    EXPECT_TRUE(still) << describe(still.error());
    const auto back = co_await first->release();
    EXPECT_TRUE(back);
    const auto then = co_await epoch_of(second.get(), "ctl2");
    EXPECT_EQ(then, 2) << "the epoch outlives the lease";
    const auto late = co_await first->check({service + "@web1"}, 1);
    EXPECT_EQ(late ? ErrorCode::internal : late.error().code, ErrorCode::refused);
    const auto own = co_await second->check({service + "@web1"}, 2);
    EXPECT_TRUE(own);
  });
}

TEST_F(ClaimsTest, AnEndedLeaseIsTakenOverAndItsHolderIsRefused) {
  run([&]() -> Task<void> {
    auto paused = claims({.ttl_ms = 1000}), next = claims();
    EXPECT_EQ(co_await epoch_of(paused.get(), "ctl1"), 1);
    std::int64_t epoch = refused;
    for (int i = 0; i < 100 && epoch == refused; ++i) {
      epoch = co_await epoch_of(next.get(), "ctl2");
      if (epoch == refused) co_await sleep_for(50);
    }
    EXPECT_EQ(epoch, 2);
    const auto renewed = co_await paused->renew();
    EXPECT_EQ(renewed ? ErrorCode::internal : renewed.error().code, ErrorCode::refused);
    EXPECT_THAT(describe(renewed.error()), HasSubstr("taken over by root@ctl2"));
    co_await paused->release();
    const auto held = co_await next->renew();
    EXPECT_TRUE(held) << "the old holder's release changed the new one's claim";
  });
}

TEST_F(ClaimsTest, TheSameHomeTakesOverAtOnceOnlyWithItsFileLock) {
  run([&]() -> Task<void> {
    auto dead = claims(), careless = claims(), resumed = claims({.locked = true}),
         other = claims({.locked = true});
    EXPECT_EQ(co_await epoch_of(dead.get(), "ctl1"), 1);
    EXPECT_EQ(co_await epoch_of(careless.get(), "ctl1"), refused);
    EXPECT_EQ(co_await epoch_of(other.get(), "ctl2"), refused);
    EXPECT_EQ(co_await epoch_of(resumed.get(), "ctl1"), 2);
    const auto stale = co_await dead->renew();
    EXPECT_FALSE(stale);
  });
}

TEST_F(ClaimsTest, EpochsAreAboveWhatTheJournalKnows) {
  run([&]() -> Task<void> {
    auto first = claims();
    EXPECT_EQ(co_await epoch_of(first.get(), "ctl1", 41), 42);
    EXPECT_EQ(co_await epoch_of(first.get(), "ctl1", 41), 42) << "asked again, it is the same one";
    EXPECT_EQ(co_await epoch_of(first.get(), "ctl1", 42), 43);
  });
}

TEST_F(ClaimsTest, AllHostsGetOneEpochOrNothingIsHeld) {
  run([&]() -> Task<void> {
    auto one = claims({.ports = {81}}), all = claims({.ports = {80, 81, 82}});
    EXPECT_EQ(co_await epoch_of(one.get(), "ctl1", 9), 10);
    EXPECT_EQ(co_await epoch_of(all.get(), "ctl2"), refused);
    auto free = claims({.ports = {80, 82}});
    EXPECT_GE(co_await epoch_of(free.get(), "ctl3"), 1) << "what was taken was not given back";
    co_await free->release();
    co_await one->release();
    EXPECT_EQ(co_await epoch_of(all.get(), "ctl2"), 11);
    for (const std::string name : {"@web1", "@web2", "@web3"}) {
      const auto same = co_await one->check({service + "@web1"}, 10);
      EXPECT_FALSE(same) << name;
      const auto own = co_await all->check({service + name}, 11);
      EXPECT_TRUE(own) << name;
    }
  });
}

TEST_F(ClaimsTest, WithoutAPortItCollidesWithEveryPort) {
  run([&]() -> Task<void> {
    auto any = claims({.ports = {0}}), port = claims({.ports = {80}}),
         other = claims({.ports = {81}});
    EXPECT_GE(co_await epoch_of(port.get(), "ctl1"), 1);
    EXPECT_GE(co_await epoch_of(other.get(), "ctl2"), 1) << "other ports are other services";
    EXPECT_EQ(co_await epoch_of(any.get(), "ctl3"), refused);
    co_await port->release();
    co_await other->release();
    EXPECT_GE(co_await epoch_of(any.get(), "ctl3"), 2);
    EXPECT_EQ(co_await epoch_of(port.get(), "ctl1"), refused);
    const auto fenced = co_await port->check({service + "@web1"}, 1);
    EXPECT_FALSE(fenced);
  });
}

TEST_F(ClaimsTest, TwoServicesDoNotDisturbEachOther) {
  run([&]() -> Task<void> {
    auto web = claims(), near = claims({.name = service + ".80"}),
         longer = claims({.name = service + "2"});
    EXPECT_EQ(co_await epoch_of(web.get(), "ctl1"), 1);
    EXPECT_EQ(co_await epoch_of(near.get(), "ctl2"), 1);
    EXPECT_EQ(co_await epoch_of(longer.get(), "ctl3"), 1);
  });
}

// As a reboot does it: the file is gone.
TEST_F(ClaimsTest, AWipedClaimIsPutBackByItsHolderAlone) {
  run([&]() -> Task<void> {
    auto holder = claims(), stale = claims({.ttl_ms = 1000});
    EXPECT_EQ(co_await epoch_of(stale.get(), "ctl1"), 1);
    co_await sleep_for(1100);  // its lease must end; that is time itself
    fs::remove(file(80));
    const auto late = co_await stale->renew();
    EXPECT_EQ(late ? ErrorCode::internal : late.error().code, ErrorCode::refused);
    EXPECT_FALSE(fs::exists(file(80)));
    EXPECT_EQ(co_await epoch_of(holder.get(), "ctl2", 1), 2);
    fs::remove(file(80));
    const auto wiped = co_await holder->check({service + "@web1"}, 2);
    EXPECT_EQ(wiped ? ErrorCode::internal : wiped.error().code, ErrorCode::not_found);
    const auto renewed = co_await holder->renew();
    EXPECT_TRUE(renewed) << describe(renewed.error());
    const auto own = co_await holder->check({service + "@web1"}, 2);
    EXPECT_TRUE(own);
    const auto old = co_await holder->check({service + "@web1"}, 1);
    EXPECT_FALSE(old);
  });
}

// A reboot that we asked for may take longer than the lease.
TEST_F(ClaimsTest, AClaimThatOutlivesItsRebootIsTakenAnewHoweverLate) {
  run([&]() -> Task<void> {
    auto holder = claims({.ttl_ms = 1000, .outlives_reboot = true});
    EXPECT_EQ(co_await epoch_of(holder.get(), "ctl1", 4), 5);
    co_await sleep_for(1100);  // its lease must end; that is time itself
    fs::remove(file(80));
    const auto renewed = co_await holder->renew();
    EXPECT_TRUE(renewed) << describe(renewed.error());
    // Not when somebody else has taken it by then.
    auto other = claims();
    co_await sleep_for(2100);
    EXPECT_EQ(co_await epoch_of(other.get(), "ctl2", 5), 6);
    const auto late = co_await holder->renew();
    EXPECT_EQ(late ? ErrorCode::internal : late.error().code, ErrorCode::refused);
  });
}

TEST_F(ClaimsTest, AHostIsHeldForAllItsServicesUnderOneEpoch) {
  run([&]() -> Task<void> {
    const std::string other = service + "b";
    auto alone = claims({.name = other});
    EXPECT_EQ(co_await epoch_of(alone.get(), "ctl2", 6), 7);
    auto both = claims({.second = other});
    EXPECT_EQ(co_await epoch_of(both.get(), "ctl1"), refused);
    EXPECT_TRUE(co_await alone->release());
    EXPECT_EQ(co_await epoch_of(both.get(), "ctl1"), 8) << "above what either has seen";
    EXPECT_EQ(co_await epoch_of(alone.get(), "ctl2"), refused);
    EXPECT_TRUE(co_await both->check({service + "@web1"}, 8));
    EXPECT_FALSE(co_await both->check({service + "@web1"}, 7));
    EXPECT_FALSE(co_await both->check({service + "@web9"}, 8));
  });
}

TEST_F(ClaimsTest, AClaimOfAnotherBootHasEndedButItsEpochCounts) {
  run([&]() -> Task<void> {
    auto first = claims(), second = claims();
    EXPECT_EQ(co_await epoch_of(first.get(), "ctl1", 6), 7);
    std::string text;
    std::getline(std::ifstream(file(80)), text, '\0');
    auto lines = split(text, '\n');
    lines[2] = "00000000-0000-0000-0000-000000000000";
    std::ofstream(file(80)) << join(lines, "\n");
    EXPECT_EQ(co_await epoch_of(second.get(), "ctl2"), 8);
  });
}

TEST_F(ClaimsTest, WhatCannotBeReadIsNotFree) {
  run([&]() -> Task<void> {
    auto first = claims();
    for (const std::string text : {"", "garbage\n", "1\n2\n"}) {
      fs::create_directories(claims_folder());
      fs::permissions(claims_folder(), fs::perms::owner_all);
      std::ofstream(file(80)) << text;
      const auto lease = co_await first->acquire(from("ctl1"), 0);
      EXPECT_EQ(lease ? ErrorCode::internal : lease.error().code, ErrorCode::unavailable);
    }
  });
}

// Many at the same moment, again and again: the lock lets one win.
TEST_F(ClaimsTest, OfManyAtOnceOneWins) {
  run([&]() -> Task<void> {
    constexpr int many = 12, rounds = 8;
    std::vector<std::unique_ptr<ports::Coordination>> all;
    for (int i = 0; i < many; ++i) {
      all.push_back(claims());
      co_await all.back()->check({service + "@web1"}, 0);  // its shell is up
    }
    for (int round = 1; round <= rounds; ++round) {
      std::vector<std::int64_t> got(many);
      std::vector<Task<void>> tasks;
      for (std::size_t i = 0; i < many; ++i) {
        tasks.push_back(
            [](ports::Coordination* claim, std::size_t n, std::int64_t* epoch) -> Task<void> {
              *epoch = co_await epoch_of(claim, "ctl" + std::to_string(n));
            }(all[i].get(), i, &got[i]));
      }
      co_await join_all(std::move(tasks));
      EXPECT_EQ(std::ranges::count(got, round), 1) << "round " << round;
      EXPECT_EQ(std::ranges::count(got, refused), many - 1);
      for (auto& each : all) co_await each->release();
    }
  });
}

TEST_F(ClaimsTest, HostileNamesNeverReachAHost) {
  run([&]() -> Task<void> {
    for (const std::string name : {"../x", "a/b", "a b", "*", "$(id)", "-x", "a\nb", "a@b"}) {
      auto bad = claims({.name = name});
      const auto lease = co_await bad->acquire(from("ctl1"), 0);
      EXPECT_EQ(lease ? ErrorCode::internal : lease.error().code, ErrorCode::invalid) << name;
    }
    auto good = claims();
    ports::Claimant odd{"/home/x y;rm", "a\n99\n\x1b[31m$(id)", "R-1"};
    EXPECT_TRUE(co_await good->acquire(odd, 0));
    auto other = claims();
    const auto no = co_await other->acquire(from("ctl2"), 0);
    EXPECT_THAT(no ? "" : no.error().what, HasSubstr("a_99___31m__id_ (rollout R-1"));
    odd.rollout = "R 1";
    EXPECT_FALSE(co_await good->acquire(odd, 0));
  });
}

TEST_F(ClaimsTest, FencesOperations) {
  run([&]() -> Task<void> {
    auto old = claims(), next = claims();
    EXPECT_EQ(co_await epoch_of(old.get(), "ctl1"), 1);
    ports::Operation operation;
    operation.id = "test-" + random_hex(8);
    operation.argv = {"true"};
    operation.fence = {service, 80, 1};
    const auto first = co_await hosts[0]->run_operation(operation);
    EXPECT_TRUE(first) << describe(first.error());
    co_await old->release();
    EXPECT_EQ(co_await epoch_of(next.get(), "ctl2"), 2);
    operation.id = "test-" + random_hex(8);
    const auto stale = co_await hosts[0]->run_operation(operation);
    EXPECT_EQ(stale ? ErrorCode::internal : stale.error().code, ErrorCode::refused);
    EXPECT_THAT(stale ? "" : stale.error().what, HasSubstr("taken over by root@ctl2"));
  });
}

}  // namespace
}  // namespace hitless::coordination
