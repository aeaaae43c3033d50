// Timers of a real systemd host over ssh, and the lab's two HAProxy nodes; tests/e2e/guard_test.py
// brings the lab and says where its sockets are. web01 stands for the nodes' hosts too: it reaches
// them over tcp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "adapters/host/host.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/watchdog/watchdog.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::watchdog {
namespace {
using testing::HasSubstr;
using traffic::eventually;

class LabHost : public testing::Test {
 protected:
  void SetUp() override {
    if (::getenv("HITLESS_TEST_SSH_CONFIG") == nullptr) GTEST_SKIP() << "no lab is given";
    nodes = split(::getenv("HITLESS_TEST_LBS"), ' ');
    all_to("ready");
  }
  void TearDown() override {
    if (nodes.empty()) return;
    run([&](ports::Watchdog* dog) -> Task<void> {
      co_await dog->disarm(id, 1000);
      co_await dog->clear_alarms(id);
    });
    for (const std::string& node : nodes) {
      ask(node, "enable health be_app/web01");
    }
    all_to("ready");
  }
  static std::unique_ptr<ports::Host> web01() {
    host::SshConfig config;
    config.name = "web01";
    config.config_file = ::getenv("HITLESS_TEST_SSH_CONFIG");
    config.sudo = true;
    return std::move(*host::make_ssh_host(config));
  }
  // A watchdog of a new controller.
  template <class Body>
  void run(Body body) const {
    run_until_done([&]() -> Task<void> {
      auto host = web01();
      WatchdogConfig all;
      all.instances = {{id, "app", 8080, host.get(), {}}};
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        all.instances[0].targets.push_back(
            {"lb-" + std::to_string(i + 1), nodes[i], "be_app", "web01", host.get()});
      }
      auto dog = make_watchdog(std::move(all));
      co_await body(dog.get());
    });
  }
  void arm(DurationMs after_ms) const {
    run([&](ports::Watchdog* dog) -> Task<void> {
      const auto armed = co_await dog->arm({id, "R-1", 3, after_ms});
      EXPECT_TRUE(armed) << describe(armed.error());
    });
  }
  static std::string ask(const std::string& node, const std::string& command) {
    auto reply = traffic::await<Result<std::string>>(
        [&] { return traffic::exchange(*traffic::parse_socket_address(node), {command}, {}); });
    return reply ? *reply : "";
  }
  void all_to(const std::string& state) const {
    for (const std::string& node : nodes) {
      EXPECT_EQ(ask(node, "set server be_app/web01 state " + state), "\n") << node;
    }
  }
  static std::string admin(const std::string& node) {
    for (const auto& line : split(ask(node, "show servers state be_app"), '\n')) {
      const auto words = split(line, ' ');
      if (words.size() > 6 && words[3] == "web01") return words[6];
    }
    return "?";
  }
  bool comes_back() const {
    return eventually([&] { return admin(nodes[0]) == "0" && admin(nodes[1]) == "0"; });
  }
  std::vector<std::string> alarms() const {
    std::vector<std::string> found;
    run([&](ports::Watchdog* dog) -> Task<void> {
      const auto all = co_await dog->alarms();
      EXPECT_TRUE(all) << describe(all.error());
      if (all) {
        for (const auto& alarm : *all) found.push_back(alarm.at + ": " + alarm.what);
      }
    });
    return found;
  }
  // What systemd there knows of our timers, and the files.
  static std::string left_over() {
    std::string text;
    run_until_done([&]() -> Task<void> {
      auto host = web01();
      const auto listed = co_await host->script(
          "systemctl list-units --all --no-legend --plain 'hitless-wd-*'; ls /run/hitless/watchdog",
          {}, 10'000, true);
      text = listed ? listed->out : describe(listed.error());
    });
    return text;
  }
  std::string journal() const {
    std::string text;
    run_until_done([&]() -> Task<void> {
      auto host = web01();
      const auto read = co_await host->exec(
          {"journalctl", "-t", "hitless", "-p", "alert", "-o", "cat", "--no-pager"}, {}, 10'000,
          true);
      text = read ? read->out : describe(read.error());
    });
    return text;
  }
  const core::InstanceId id{"app@web01"};
  std::vector<std::string> nodes;
};

TEST_F(LabHost, AKilledControllersInstanceComesBackOnBothNodes) {
  run([&](ports::Watchdog* dog) -> Task<void> {
    const std::string told = co_await dog->describe(id);
    EXPECT_EQ(told, "systemd timer on lb-1, lb-2 (puts it back), web01 (alarm)");
  });
  const pid_t controller = ::fork();
  if (controller == 0) {
    arm(3000);
    all_to("drain");
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(controller, nullptr, 0);
  EXPECT_EQ(admin(nodes[0]), "8");
  EXPECT_TRUE(comes_back());
  EXPECT_TRUE(eventually([&] { return alarms().size() == 3; }));
  EXPECT_THAT(alarms(), testing::UnorderedElementsAre(
                            "lb-1: put back into be_app", "lb-2: put back into be_app",
                            "web01: flagged: it is being worked on, and no controller is alive"));
  EXPECT_THAT(journal(), HasSubstr("app@web01 on lb-2, rollout R-1: put back into be_app"));
  EXPECT_TRUE(eventually([&] { return left_over().empty(); })) << left_over();
}

TEST_F(LabHost, DisarmedNothingHappensAndNothingIsLeft) {
  arm(1000);
  arm(600'000);
  all_to("drain");
  EXPECT_THAT(left_over(), HasSubstr(".timer"));
  run([&](ports::Watchdog* dog) -> Task<void> {
    const auto done = co_await dog->disarm(id, 3);
    EXPECT_TRUE(done) << describe(done.error());
  });
  EXPECT_EQ(left_over(), "");
  EXPECT_EQ(admin(nodes[0]), "8");
  EXPECT_THAT(alarms(), testing::IsEmpty());
}

TEST_F(LabHost, WithoutACheckItIsFlaggedAndAHumansMaintIsNotTouched) {
  ask(nodes[0], "disable health be_app/web01");
  arm(1000);
  all_to("drain");
  ask(nodes[1], "set server be_app/web01 state maint");
  EXPECT_TRUE(eventually([&] { return alarms().size() == 2; }));
  EXPECT_THAT(alarms(), testing::UnorderedElementsAre(
                            "lb-1: flagged: no health check guards it in be_app",
                            "web01: flagged: it is being worked on, and no controller is alive"));
  EXPECT_EQ(admin(nodes[0]), "8");
  EXPECT_EQ(admin(nodes[1]), "1");
}

// kill -9 of the arming process at any point leaves a timer that does the right thing, once.
TEST_F(LabHost, KilledWhileArming) {
  for (int i = 0; i < 8; ++i) {
    arm(2000);
    all_to("drain");
    const pid_t controller = ::fork();
    if (controller == 0) {
      arm(2000);
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(60'000 * i));
    ::kill(controller, SIGKILL);
    ::waitpid(controller, nullptr, 0);
    EXPECT_TRUE(comes_back()) << i;
    EXPECT_TRUE(eventually([&] { return alarms().size() >= 3; })) << i;
    EXPECT_EQ(alarms().size(), 3u) << i;
    run([&](ports::Watchdog* dog) -> Task<void> { co_await dog->clear_alarms(id); });
  }
}

TEST_F(LabHost, StageBeforeReboot) {
  arm(600'000);
  EXPECT_THAT(left_over(), HasSubstr(".timer"));
}

// The host's own timers go with it; arming again is all that a controller has to do.
TEST_F(LabHost, StageAfterReboot) {
  EXPECT_THAT(alarms(), testing::IsEmpty());
  arm(1000);
  all_to("drain");
  EXPECT_TRUE(comes_back());
}

}  // namespace
}  // namespace hitless::watchdog
