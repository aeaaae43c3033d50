// The driver against a real HAProxy (skipped where none is installed).
#include "adapters/traffic/haproxy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "adapters/traffic/haproxy_for_tests.hpp"
#include "base/text.hpp"
#include "tiny_server.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::LbCheck;
using tests::TinyServer;

const core::InstanceId web_a{"web@a"}, web_b{"web@b"};

// Two servers behind one HAProxy; all requests go to s1 while it is in rotation.
class HaproxyTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v haproxy >/dev/null") != 0)
      GTEST_SKIP() << "haproxy is not installed";
    const auto handler = [this](const std::string& path, const std::string&) {
      TinyServer::Answer answer;
      if (path == "/healthz") answer.status = health_;
      answer.hold = path.ends_with("/slow");
      return answer;
    };
    a_ = std::make_unique<TinyServer>(handler);
    b_ = std::make_unique<TinyServer>(handler);
    const std::string check = " check inter 100ms fall 2 rise 2\n";
    lb_ = std::make_unique<HaproxyProcess>(
        "frontend f\n  bind unix@{dir}/front.sock\n  default_backend be\n"
        "backend be\n  option httpchk GET /healthz\n  balance first\n"
        "  server s1 127.0.0.1:" +
        std::to_string(a_->port()) + check + "  server s2 127.0.0.1:" + std::to_string(b_->port()) +
        check + extra_config());
    driver_ = make(pool());
    ASSERT_TRUE(eventually([&] {
      return report(*driver_, web_a).check == LbCheck::pass &&
             report(*driver_, web_b).check == LbCheck::pass;
    }));
  }
  void TearDown() override {
    if (a_) a_->release();
    lb_.reset();
  }

  static std::unique_ptr<ports::Traffic> make(HaproxyPool pool) {
    return make_haproxy(std::move(pool));
  }
  [[nodiscard]] virtual std::string extra_config() const { return ""; }
  [[nodiscard]] HaproxyPool pool(bool with_master = true) const {
    HaproxyPool pool;
    pool.lb = "lb";
    pool.nodes.push_back({"lb-1", lb_->admin(), with_master ? lb_->master() : "", {}, {}});
    pool.backend = "be";
    pool.servers = {{web_a, "s1"}, {web_b, "s2"}};
    pool.rejoin_check_wait_ms = 10'000;
    return pool;
  }
  static std::vector<core::TargetReport> read(ports::Traffic& driver) {
    return await<std::vector<core::TargetReport>>([&] { return driver.read(); });
  }
  static core::TargetReport report(ports::Traffic& driver, const core::InstanceId& id) {
    for (auto& report : read(driver)) {
      if (report.instance == id) return report;
    }
    return {};
  }
  core::TargetReport report_a() { return report(*driver_, web_a); }
  static Status drain(ports::Traffic& driver, core::InstanceId id = web_a) {
    return await<Status>([&] { return driver.drain(id); });
  }
  static Status rejoin(ports::Traffic& driver, core::InstanceId id = web_a) {
    return await<Status>([&] { return driver.rejoin(id); });
  }
  static std::string text(const Status& status) { return status ? "ok" : describe(status.error()); }
  // A request that stays in flight at s1 until it is released.
  std::unique_ptr<Client> hold_one() {
    const int before = a_->held();
    auto client = std::make_unique<Client>(lb_->path("front.sock"), "/slow");
    EXPECT_TRUE(eventually([&] { return a_->held() == before + 1; }));
    return client;
  }

  std::atomic<int> health_ = 200;
  std::unique_ptr<TinyServer> a_, b_;
  std::unique_ptr<HaproxyProcess> lb_;
  std::unique_ptr<ports::Traffic> driver_;
};

TEST_F(HaproxyTest, DrainsKeepsCountingAndPutsBack) {
  const auto before = report_a();
  EXPECT_EQ(before.admin, AdminState::ready);
  EXPECT_EQ(before.in_flight, 0);
  EXPECT_EQ(before.note, "");
  auto client = hold_one();
  const Status drained = drain(*driver_);
  ASSERT_TRUE(drained) << text(drained);
  const auto draining = report_a();
  EXPECT_EQ(draining.admin, AdminState::drain);
  EXPECT_EQ(draining.check, LbCheck::pass) << "checks go on while it drains";
  EXPECT_EQ(draining.in_flight, 1);
  EXPECT_EQ(draining.requests, 1);
  EXPECT_EQ(draining.epoch, before.epoch);
  EXPECT_EQ(report(*driver_, web_b).admin, AdminState::ready);
  EXPECT_TRUE(drain(*driver_)) << "draining what drains is fine";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Client(lb_->path("front.sock"), "/").status(), 200);
  EXPECT_EQ(report_a().requests, 1) << "new work goes elsewhere";
  a_->release();
  EXPECT_EQ(client->status(), 200);
  EXPECT_TRUE(eventually([&] { return report_a().in_flight == 0; }));
  const Status back = rejoin(*driver_);
  ASSERT_TRUE(back) << text(back);
  EXPECT_EQ(report_a().admin, AdminState::ready);
  EXPECT_TRUE(rejoin(*driver_)) << "what is in is in";
  EXPECT_EQ(Client(lb_->path("front.sock"), "/").status(), 200);
  EXPECT_EQ(report_a().requests, 2);
}

TEST_F(HaproxyTest, ReloadForgetsTheDrainButTheOldWorkersSessionIsSeen) {
  auto blind = make(pool(false));
  auto client = hold_one();
  ASSERT_TRUE(drain(*driver_));
  ASSERT_TRUE(drain(*blind));
  const auto before = report_a();
  EXPECT_EQ(report(*blind, web_a).in_flight, 1);
  const auto counted = await<std::vector<ports::PoolCounters>>([&] { return driver_->counters(); });
  lb_->reload();
  const auto after = report_a();
  EXPECT_NE(after.epoch, before.epoch);
  EXPECT_EQ(after.admin, AdminState::ready) << "the drain is forgotten, and the report says so";
  EXPECT_EQ(after.in_flight, 1) << "in the old worker: " << after.note;
  EXPECT_EQ(after.requests, 0) << "since the epoch began";
  const auto recounted =
      await<std::vector<ports::PoolCounters>>([&] { return driver_->counters(); });
  EXPECT_EQ(recounted[0].epoch, counted[0].epoch) << "no worker that was counted is gone";
  EXPECT_EQ(recounted[0].requests, counted[0].requests);

  const auto unseen = report(*blind, web_a);
  EXPECT_FALSE(unseen.in_flight) << "unknown, not 0";
  EXPECT_NE(unseen.note.find("old worker"), std::string::npos) << unseen.note;
  EXPECT_EQ(unseen.admin, AdminState::ready);
  auto fresh = make(pool(false));
  EXPECT_EQ(report(*fresh, web_a).in_flight, 0) << "a fresh driver reports what the worker counts";

  ASSERT_TRUE(drain(*driver_));
  EXPECT_EQ(report_a().admin, AdminState::drain);
  EXPECT_EQ(report_a().in_flight, 1);
  a_->release();
  EXPECT_EQ(client->status(), 200);
  EXPECT_TRUE(eventually([&] { return report_a().in_flight == 0; }));
  EXPECT_TRUE(eventually([&] {
    return await<std::vector<ports::PoolCounters>>([&] { return driver_->counters(); })[0].epoch !=
           counted[0].epoch;
  })) << "the old worker's counts are gone with it";
  EXPECT_FALSE(report(*blind, web_a).in_flight) << "it cannot see that the old worker ended";
}

TEST_F(HaproxyTest, QuietServerStaysKnownOverAReloadWithoutMaster) {
  auto blind = make(pool(false));
  ASSERT_TRUE(drain(*blind));
  EXPECT_EQ(report(*blind, web_a).in_flight, 0);
  lb_->reload();
  EXPECT_EQ(report(*blind, web_a).in_flight, 0) << "it was out with nothing in flight before";
  EXPECT_FALSE(report(*blind, web_b).in_flight);
}

TEST_F(HaproxyTest, MaintOfSomeoneElseIsLeftAlone) {
  lb_->ask("set server be/s1 state maint");
  const auto found = report_a();
  EXPECT_EQ(found.admin, AdminState::maint);
  EXPECT_EQ(found.check, LbCheck::unknown);
  EXPECT_NE(found.note.find("someone else"), std::string::npos);
  EXPECT_TRUE(drain(*driver_)) << "it is out";
  EXPECT_EQ(report_a().admin, AdminState::maint) << "`drain` would have lifted it";
  const Status back = rejoin(*driver_);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::refused) << text(back);
  EXPECT_EQ(report_a().admin, AdminState::maint);

  lb_->ask("set server be/s2 weight 0");
  EXPECT_EQ(report(*driver_, web_b).admin, AdminState::drain);
  const Status heavy = rejoin(*driver_, web_b);
  ASSERT_FALSE(heavy);
  EXPECT_EQ(heavy.error().code, ErrorCode::refused) << text(heavy);
}

TEST_F(HaproxyTest, RejoinWaitsForTheCheckAndIsRefusedWithoutIt) {
  ASSERT_TRUE(drain(*driver_));
  a_->stop();
  ASSERT_TRUE(eventually([&] { return report_a().check == LbCheck::fail; }));
  EXPECT_EQ(report_a().admin, AdminState::drain) << "HAProxy shows DOWN, and it is drained still";
  HaproxyPool impatient = pool();
  impatient.rejoin_check_wait_ms = 200;
  const Status refused = rejoin(*make(impatient));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_NE(refused.error().what.find("L4CON"), std::string::npos) << text(refused);
  EXPECT_EQ(report_a().admin, AdminState::drain);
  a_->restart();
  const Status back = rejoin(*driver_);
  ASSERT_TRUE(back) << text(back);
  EXPECT_EQ(report_a().check, LbCheck::pass) << "put back only once it passed";
}

TEST_F(HaproxyTest, ClosesRemainingSessionsOfAllWorkersOnlyWhenDrained) {
  const auto close = [&] { return await<Status>([&] { return driver_->close_remaining(web_a); }); };
  auto old_client = hold_one();
  lb_->reload();
  auto client = hold_one();
  EXPECT_EQ(report_a().in_flight, 2);
  const Status too_early = close();
  ASSERT_FALSE(too_early);
  EXPECT_EQ(too_early.error().code, ErrorCode::refused);
  EXPECT_EQ(report_a().in_flight, 2);
  ASSERT_TRUE(drain(*driver_));
  const Status closed = close();
  ASSERT_TRUE(closed) << text(closed);
  EXPECT_TRUE(eventually([&] { return report_a().in_flight == 0; }));
  EXPECT_NE(client->status(), 200);
  EXPECT_NE(old_client->status(), 200);
}

TEST_F(HaproxyTest, DeadNodeIsUnknownForEveryTargetAndStopsADrain) {
  HaproxyPool two = pool();
  two.nodes.push_back({"lb-2", "unix:" + lb_->path("nobody.sock"), "", {}, {}});
  auto driver = make(two);
  const auto reports = read(*driver);
  ASSERT_EQ(reports.size(), 4u) << "each target on each node";
  for (const auto& report : reports) {
    EXPECT_EQ(report.admin, report.node == "lb-2" ? AdminState::unknown : AdminState::ready);
    EXPECT_EQ(report.note.find("cannot connect") != std::string::npos, report.node == "lb-2");
  }
  const Status drained = drain(*driver);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, ErrorCode::unavailable);
  EXPECT_FALSE(rejoin(*driver));
  EXPECT_EQ(report_a().admin, AdminState::drain) << "nothing is put back while a node is unknown";
  lb_->stop();
  for (const auto& report : read(*driver_)) EXPECT_EQ(report.admin, AdminState::unknown);
}

TEST_F(HaproxyTest, UnreachableMasterMakesTheCountUnknownOnly) {
  HaproxyPool broken = pool();
  broken.nodes[0].master = "unix:" + lb_->path("nobody.sock");
  auto driver = make(broken);
  const auto found = report(*driver, web_a);
  EXPECT_EQ(found.admin, AdminState::ready);
  EXPECT_FALSE(found.in_flight);
  EXPECT_NE(found.note.find("master"), std::string::npos);
  EXPECT_FALSE(await<Result<ports::TrafficCapabilities>>([&] { return driver->capabilities(); }));
}

TEST_F(HaproxyTest, SocketWithoutAdminLevelIsSaidClearly) {
  HaproxyPool weak = pool();
  weak.nodes[0].socket = "unix:" + lb_->path("operator.sock");
  auto driver = make(weak);
  EXPECT_EQ(report(*driver, web_a).admin, AdminState::ready);
  auto capabilities =
      await<Result<ports::TrafficCapabilities>>([&] { return driver->capabilities(); });
  const Status drained = drain(*driver);
  ASSERT_FALSE(capabilities);
  ASSERT_FALSE(drained);
  for (const Error& error : {capabilities.error(), drained.error()}) {
    EXPECT_EQ(error.code, ErrorCode::refused) << describe(error);
    EXPECT_NE(error.help.find("level admin"), std::string::npos) << describe(error);
  }
}

TEST_F(HaproxyTest, UnknownNamesAreAbsentWithASuggestion) {
  HaproxyPool wrong = pool();
  wrong.backend = "bee";
  auto no_backend = make(wrong);
  EXPECT_EQ(report(*no_backend, web_a).admin, AdminState::absent);
  EXPECT_EQ(report(*no_backend, web_a).note, "lb-1: there is no backend bee");
  auto asked =
      await<Result<ports::TrafficCapabilities>>([&] { return no_backend->capabilities(); });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().help, "did you mean be?");
  wrong = pool();
  wrong.servers[0].second = "s9";
  auto no_server = make(wrong);
  EXPECT_EQ(report(*no_server, web_a).admin, AdminState::absent);
  EXPECT_EQ(report(*no_server, web_b).admin, AdminState::ready);
  const Status drained = drain(*no_server);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, ErrorCode::not_found);
  wrong.servers[0].second = "s1;shutdown sessions server be/s2";
  auto evil = make(wrong);
  EXPECT_EQ(report(*evil, web_b).admin, AdminState::unknown);
  EXPECT_FALSE(drain(*evil));
}

TEST_F(HaproxyTest, ForwardMapsRemotePaths) {
  HaproxyPool remote = pool();
  int asked = 0;
  const std::string local = lb_->path("admin.sock"), local_master = lb_->path("master.sock");
  remote.nodes[0].socket = "unix:/remote/admin.sock";
  remote.nodes[0].master = "unix:/remote/master.sock";
  remote.nodes[0].forward = [&](std::string path) -> Task<Result<std::string>> {
    ++asked;
    co_return path == "/remote/admin.sock" ? local : local_master;
  };
  auto driver = make(remote);
  EXPECT_EQ(report(*driver, web_a).in_flight, 0);
  EXPECT_EQ(report(*driver, web_a).in_flight, 0);
  EXPECT_EQ(asked, 2) << "once for each path, then remembered";
}

// ---- other kinds of backends
// ----------------------------------------------------------------------
class HaproxyKinds : public HaproxyTest {
 protected:
  [[nodiscard]] std::string extra_config() const override {
    const std::string a = " 127.0.0.1:" + std::to_string(a_->port());
    const std::string check = " check inter 100ms\n";
    return "backend cookies\n  cookie SRV insert\n  server s1" + a + " cookie x" + check +
           "  server s2" + a + check +
           "backend stick\n  stick-table type ip size 1k\n  stick on src\n  server s1" + a + check +
           "  server s2" + a + check + "backend raw\n  mode tcp\n  server s1" + a +
           "\n  server s2" + a +
           " disabled\n"
           "frontend twin\n  bind unix@{dir}/twin.sock\n  default_backend twin\n"
           "backend twin\n  server s1" +
           a + " track be/s1\n  server s2" + a + check +
           "backend gone\n  option httpchk GET /healthz\n  http-check disable-on-404\n"
           "  server s1" +
           a + check + "  server s2" + a + check;
  }
  std::unique_ptr<ports::Traffic> on(const std::string& backend) {
    HaproxyPool other = pool();
    other.backend = backend;
    return make(other);
  }
  static ports::TrafficCapabilities capabilities(ports::Traffic& driver) {
    auto result = await<Result<ports::TrafficCapabilities>>([&] { return driver.capabilities(); });
    EXPECT_TRUE(result) << describe(result.error());
    return result.value_or(ports::TrafficCapabilities{});
  }
};

TEST_F(HaproxyKinds, Capabilities) {
  const auto plain = capabilities(*driver_);
  EXPECT_TRUE(plain.checked_rejoin);
  EXPECT_FALSE(plain.sticky_leak);
  EXPECT_FALSE(plain.counts_idle);
  EXPECT_FALSE(plain.survives_lb_reload);
  EXPECT_TRUE(capabilities(*on("cookies")).sticky_leak);
  EXPECT_TRUE(capabilities(*on("stick")).sticky_leak);
  const auto raw = capabilities(*on("raw"));
  EXPECT_TRUE(raw.counts_idle);
  EXPECT_FALSE(raw.checked_rejoin) << join(raw.remarks, "; ");
}

TEST_F(HaproxyKinds, FrontendOfTheSameNameDoesNotHideTheBackend) {
  auto twin = on("twin");
  EXPECT_TRUE(eventually([&] { return report(*twin, web_a).check == LbCheck::pass; }));
  EXPECT_EQ(report(*twin, web_a).in_flight, 0);
  ASSERT_TRUE(drain(*twin, web_b));
  EXPECT_EQ(report(*twin, web_b).admin, AdminState::drain);
  // s1 tracks be/s1: a drain there is a drain here, and only that one can be undone.
  ASSERT_TRUE(drain(*driver_));
  EXPECT_EQ(report(*twin, web_a).admin, AdminState::drain);
  const Status back = rejoin(*twin);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::refused);
}

TEST_F(HaproxyKinds, DisabledInTheConfigurationAndEnabledByHandIsReady) {
  auto raw = on("raw");
  EXPECT_EQ(report(*raw, web_b).admin, AdminState::maint);
  lb_->ask("set server raw/s2 state ready");
  EXPECT_EQ(report(*raw, web_b).admin, AdminState::ready);
  EXPECT_EQ(report(*raw, web_b).check, LbCheck::none);
}

TEST_F(HaproxyKinds, DisableOn404IsADrainThatIsNotOurs) {
  auto gone = on("gone");
  ASSERT_TRUE(eventually([&] { return report(*gone, web_a).check == LbCheck::pass; }));
  health_ = 404;
  ASSERT_TRUE(eventually([&] { return report(*gone, web_a).admin == AdminState::drain; }));
  EXPECT_NE(report(*gone, web_a).check, LbCheck::pass);
  const Status back = rejoin(*gone);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::refused) << text(back);
}

class HaproxyFifty : public HaproxyTest {
 protected:
  [[nodiscard]] std::string extra_config() const override {
    std::string text = "backend fifty\n";
    for (int i = 0; i < 50; ++i) {
      text += "  server w" + std::to_string(i) + " 127.0.0.1:" + std::to_string(a_->port()) + "\n";
    }
    return text;
  }
};

TEST_F(HaproxyFifty, ReadsFiftyServersInOneLook) {
  HaproxyPool fifty = pool();
  fifty.backend = "fifty";
  fifty.servers.clear();
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    fifty.servers.emplace_back(core::InstanceId{"web@" + number}, "w" + number);
  }
  auto driver = make(fifty);
  std::vector<std::int64_t> took_us;
  run_until_done([&]() -> Task<void> {
    for (int i = 0; i < 21; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const auto reports = co_await driver->read();
      const auto took = std::chrono::steady_clock::now() - begin;
      took_us.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
      EXPECT_EQ(reports.size(), 50u);
      for (const auto& report : reports) EXPECT_EQ(report.in_flight, 0) << report.note;
    }
  });
  std::sort(took_us.begin(), took_us.end());
  RecordProperty("median_us", std::to_string(took_us[took_us.size() / 2]));
  std::printf("one read of 50 servers: median %ld us, slowest %ld us\n",
              static_cast<long>(took_us[took_us.size() / 2]), static_cast<long>(took_us.back()));
}

}  // namespace
}  // namespace hitless::traffic
