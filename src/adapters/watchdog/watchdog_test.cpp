// Timers as background processes on this machine, with a real HAProxy. "Nothing happens" is seen
// by a second instance whose timer ends at the same time or later and does act.
#include "adapters/watchdog/watchdog.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/host/host.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/watchdog/watchdog_script.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/child.hpp"

namespace hitless::watchdog {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;
using traffic::eventually;
using traffic::HaproxyProcess;

std::string private_folder(const std::string& name) {
  return ::geteuid() == 0 ? "/run/hitless/" + name
                          : "/tmp/hitless-" + name + "-" + std::to_string(::geteuid());
}

constexpr int servers = 8;

// s0… have a check that passes, plain has none.
std::string config() {
  std::string text =
      "frontend f\n  bind unix@{dir}/front.sock\n  http-request return status 200\n"
      "backend be\n  default-server inter 50ms rise 1 fall 1\n"
      "  server plain unix@{dir}/front.sock\n";
  for (int i = 0; i < servers; ++i) {
    text += "  server s" + std::to_string(i) + " unix@{dir}/front.sock check\n";
  }
  return text;
}

class WatchdogTest : public testing::Test {
 protected:
  // Without its order a timer ends by itself.
  void TearDown() override {
    for (const std::string name : {"claims", "watchdog", "alarms"}) {
      if (!fs::exists(private_folder(name))) continue;
      for (const auto& entry : fs::directory_iterator(private_folder(name))) {
        std::string text;
        std::getline(std::ifstream(entry.path()), text, '\0');
        if (entry.path().filename().string().starts_with(service)) fs::remove(entry.path());
        if (entry.path().extension() == ".sh" || text.find(service) == text.npos) continue;
        // One that fires just now comes to its end first.
        const Fd lock(::open(fs::path(entry.path()).replace_extension(".lock").c_str(), O_RDWR));
        ::flock(lock.get(), LOCK_EX);
        for (const std::string part : {".order", ".sh", ".lock"}) {
          fs::remove(fs::path(entry.path()).replace_extension(part));
        }
        fs::remove(entry.path());
      }
    }
  }
  [[nodiscard]] core::InstanceId id(const std::string& server) const {
    return {service + "@" + server};
  }
  [[nodiscard]] ports::WatchdogOrder order(const std::string& server, DurationMs after_ms,
                                           std::int64_t epoch = 3) const {
    return {id(server), "R-1", epoch, after_ms};
  }
  // A watchdog of a new controller: nothing is kept between two of them.
  template <class Body>
  void run(const std::string& server, Body body) {
    run_until_done([&]() -> Task<void> {
      auto node = host::make_local_host("lb-1", "127.0.0.1");
      auto own = host::make_local_host(server, "127.0.0.1");
      WatchdogConfig all;
      all.instances = {{id(server),
                        service,
                        80,
                        own.get(),
                        {{"lb-1", haproxy.admin(), "be", server, node.get()}}}};
      auto dog = make_watchdog(std::move(all));
      co_await body(dog.get());
    });
  }
  void arm(const ports::WatchdogOrder& what) {
    const std::string server = what.instance.value.substr(service.size() + 1);
    run(server, [&](ports::Watchdog* dog) -> Task<void> {
      const auto armed = co_await dog->arm(what);
      EXPECT_TRUE(armed) << describe(armed.error());
    });
  }
  void set_state(const std::string& server, const std::string& state) {
    EXPECT_EQ(haproxy.ask("set server be/" + server + " state " + state), "\n");
  }
  [[nodiscard]] std::string admin(const std::string& server) const {
    for (const auto& line : split(haproxy.ask("show servers state be"), '\n')) {
      const auto words = split(line, ' ');
      if (words.size() > 6 && words[3] == server) return words[6];
    }
    return "?";
  }
  bool comes_back(const std::string& server) {
    return eventually([&] { return admin(server) == "0"; });
  }
  // "lb-1: put back into be", of one instance.
  std::vector<std::string> alarms(const std::string& server) {
    std::vector<std::string> found;
    run(server, [&](ports::Watchdog* dog) -> Task<void> {
      const auto all = co_await dog->alarms();
      EXPECT_TRUE(all) << describe(all.error());
      for (const auto& alarm : all.value_or(std::vector<ports::WatchdogAlarm>{})) {
        EXPECT_EQ(alarm.rollout, "R-1");
        EXPECT_GT(alarm.fired_at, 1'600'000'000'000);
        if (alarm.instance == id(server)) found.push_back(alarm.at + ": " + alarm.what);
      }
    });
    return found;
  }
  bool rings(const std::string& server, std::size_t count) {
    return eventually([&] { return alarms(server).size() >= count; });
  }
  std::string service = "t" + random_hex(6);
  HaproxyProcess haproxy{config()};
};

const std::string abandoned = ": flagged: it is being worked on, and no controller is alive";

TEST_F(WatchdogTest, PutsBackWhatACheckGuardsAndFlagsTheRest) {
  for (const std::string server : {"s0", "plain"}) {
    arm(order(server, 1000));
    set_state(server, "drain");
  }
  EXPECT_TRUE(comes_back("s0"));
  EXPECT_TRUE(rings("s0", 2));
  EXPECT_TRUE(rings("plain", 2));
  EXPECT_THAT(alarms("s0"),
              testing::UnorderedElementsAre("lb-1: put back into be", "s0" + abandoned));
  EXPECT_THAT(alarms("plain"),
              testing::UnorderedElementsAre("lb-1: flagged: no health check guards it in be",
                                            "plain" + abandoned));
  EXPECT_EQ(admin("plain"), "8");
  run("s0", [&](ports::Watchdog* dog) -> Task<void> { co_await dog->clear_alarms(id("s0")); });
  EXPECT_THAT(alarms("s0"), testing::IsEmpty());
  EXPECT_EQ(alarms("plain").size(), 2u);
}

TEST_F(WatchdogTest, NothingHappensToMaintNorToWhatIsIn) {
  arm(order("s0", 1000));
  set_state("s0", "maint");
  arm(order("s1", 1000));
  arm(order("s2", 1000));
  set_state("s2", "drain");
  set_state("s2", "maint");  // a hand that came after us
  EXPECT_TRUE(rings("s0", 1));
  EXPECT_TRUE(rings("s1", 1));
  EXPECT_TRUE(rings("s2", 1));
  for (const std::string server : {"s0", "s1", "s2"}) {
    EXPECT_THAT(alarms(server), testing::ElementsAre(server + abandoned));
  }
  EXPECT_EQ(admin("s0"), "1");
  EXPECT_EQ(admin("s2"), "1");
}

TEST_F(WatchdogTest, DisarmedItDoesNothingAndLeavesNothing) {
  arm(order("s0", 1000));
  set_state("s0", "drain");
  run("s0", [&](ports::Watchdog* dog) -> Task<void> {
    const auto done = co_await dog->disarm(id("s0"), 3);
    EXPECT_TRUE(done) << describe(done.error());
    EXPECT_TRUE(co_await dog->disarm(id("s0"), 3)) << "twice is once";
  });
  arm(order("s1", 2000));
  set_state("s1", "drain");
  EXPECT_TRUE(comes_back("s1"));
  EXPECT_EQ(admin("s0"), "8");
  EXPECT_THAT(alarms("s0"), testing::IsEmpty());
}

TEST_F(WatchdogTest, ArmedAgainItMoves) {
  arm(order("s0", 1000));
  set_state("s0", "drain");
  arm(order("s0", 4000));
  arm(order("s1", 2000));
  set_state("s1", "drain");
  EXPECT_TRUE(comes_back("s1"));
  EXPECT_EQ(admin("s0"), "8");
  EXPECT_TRUE(comes_back("s0"));
  EXPECT_TRUE(rings("s0", 2));
  EXPECT_EQ(alarms("s0").size(), 2u) << "it fired twice";
}

TEST_F(WatchdogTest, AnotherFleetWithTheSameNamesHasTimersOfItsOwn) {
  arm(order("s0", 1500));
  set_state("s0", "drain");
  run_until_done([&]() -> Task<void> {
    auto node = host::make_local_host("lb-1", "127.0.0.1");
    auto own = host::make_local_host("s0", "127.0.0.2");
    WatchdogConfig other;
    other.instances = {
        {id("s0"), service, 80, own.get(), {{"lb-1", haproxy.admin(), "be", "s1", node.get()}}}};
    const auto disarmed = co_await make_watchdog(std::move(other))->disarm(id("s0"), 9);
    EXPECT_TRUE(disarmed) << describe(disarmed.error());
  });
  EXPECT_TRUE(comes_back("s0"));
}

TEST_F(WatchdogTest, AnotherControllersClaimSilencesIt) {
  arm(order("s0", 1000, 3));
  set_state("s0", "drain");
  fs::create_directories(private_folder("claims"));
  fs::permissions(private_folder("claims"), fs::perms::owner_all);
  std::ofstream(private_folder("claims") + "/" + service + "@80")
      << "4\n0\nboot\ntoken\nhome\nroot@ctl2\nR-2\n1700000000\n";
  arm(order("s1", 2000, 4));
  set_state("s1", "drain");
  EXPECT_TRUE(comes_back("s1"));
  EXPECT_EQ(admin("s0"), "8");
  EXPECT_THAT(alarms("s0"), testing::IsEmpty());
}

TEST_F(WatchdogTest, ALowerEpochChangesNothing) {
  arm(order("s0", 2000, 5));
  set_state("s0", "drain");
  run("s0", [&](ports::Watchdog* dog) -> Task<void> {
    const auto stale = co_await dog->arm(order("s0", 600'000, 4));
    EXPECT_EQ(stale ? ErrorCode::internal : stale.error().code, ErrorCode::refused);
    EXPECT_TRUE(co_await dog->disarm(id("s0"), 4)) << "not ours any more: nothing to do";
  });
  EXPECT_TRUE(comes_back("s0"));
}

// As systemd would start one that a killed controller left behind.
TEST_F(WatchdogTest, ATimerOfAnotherGenerationDoesNothing) {
  arm(order("s0", 600'000));
  set_state("s0", "drain");
  const std::string folder = private_folder("watchdog");
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string generation, text;
    std::ifstream file(entry.path());
    std::getline(file, generation);
    std::getline(file, text, '\0');
    if (entry.path().extension() != ".order" || text.find(service) == text.npos) continue;
    const std::string key = entry.path().stem().string(),
                      fire = "sh " + folder + "/" + key + ".sh ";
    EXPECT_EQ(std::system((fire + key + " 0123456789ab").c_str()), 0);
    EXPECT_EQ(admin("s0"), "8");
    EXPECT_THAT(alarms("s0"), testing::IsEmpty());
    EXPECT_EQ(std::system((fire + key + " " + generation).c_str()), 0);
    break;
  }
  EXPECT_EQ(alarms("s0").size(), 1u) << "only the timer of that one host";
}

// Cut off at any point of arming anew, the timer fires at its old or its new time, once.
TEST_F(WatchdogTest, CutOffWhileArmingATimerIsThere) {
  for (int i = 0; i < servers; ++i) {
    const std::string server = "s" + std::to_string(i);
    arm(order(server, 2000));
    set_state(server, "drain");
    run(server, [&](ports::Watchdog* dog) -> Task<void> {
      const auto again = [&]() -> Task<void> { co_await dog->arm(order(server, 3000)); };
      co_await finish_within(again(), 2 + 4 * i);
    });
  }
  for (int i = 0; i < servers; ++i) {
    const std::string server = "s" + std::to_string(i);
    EXPECT_TRUE(comes_back(server)) << server;
    EXPECT_TRUE(rings(server, 2));
    EXPECT_EQ(alarms(server).size(), 2u) << server;
  }
}

const std::vector<std::string> tools = {"socat", "python3", "perl", "nc"};

TEST_F(WatchdogTest, AnyOfItsToolsWillDo) {
  const std::string old_path = ::getenv("PATH");
  const std::string folder = haproxy.path("tools");
  int tried = 0;
  for (const std::string& tool : tools) {
    if (!fs::exists("/usr/bin/" + tool)) continue;
    ++tried;
    fs::remove_all(folder);
    fs::create_directory(folder);
    for (const std::string& other : tools) {  // all others fail
      fs::create_symlink(other == tool ? "/usr/bin/" + tool : "/bin/false", folder + "/" + other);
    }
    ::setenv("PATH", (folder + ":" + old_path).c_str(), 1);
    std::string told;
    run("s0", [&](ports::Watchdog* dog) -> Task<void> { told = co_await dog->describe(id("s0")); });
    EXPECT_EQ(told, "background process on lb-1 (puts it back), s0 (alarm)") << tool;
    arm(order("s0", 1000));
    set_state("s0", "drain");
    EXPECT_TRUE(comes_back("s0")) << tool;
    ::setenv("PATH", old_path.c_str(), 1);
  }
  EXPECT_GT(tried, 1);
}

TEST_F(WatchdogTest, WithoutAToolItFlagsAndSaysSoBefore) {
  const std::string old_path = ::getenv("PATH");
  const std::string folder = haproxy.path("tools"), base = haproxy.path("base");
  fs::create_directory(folder);
  fs::create_directory(base);
  for (const std::string& tool : tools) fs::create_symlink("/bin/false", folder + "/" + tool);
  for (const std::string name : {"id", "cat"})
    fs::create_symlink("/bin/" + name, base + "/" + name);
  ::setenv("PATH", (folder + ":" + old_path).c_str(), 1);
  std::string told;
  run("s0", [&](ports::Watchdog* dog) -> Task<void> { told = co_await dog->describe(id("s0")); });
  EXPECT_EQ(told, "background process on lb-1 (alarm only: it does not answer), s0 (alarm)");
  arm(order("s0", 1000));
  set_state("s0", "drain");
  EXPECT_TRUE(rings("s0", 2));
  ::setenv("PATH", old_path.c_str(), 1);
  EXPECT_THAT(alarms("s0"),
              testing::Contains("lb-1: flagged: its load balancer node does not answer"));
  EXPECT_EQ(admin("s0"), "8");
  // None at all.
  run_until_done([&]() -> Task<void> {
    auto here = host::make_local_host("here", "127.0.0.1");
    const auto probed =
        co_await here->exec({"env", "PATH=" + base, "/bin/sh", "-c", watchdog_script(), "sh",
                             "probe", "lb-1", haproxy.admin(), "be", "s0"});
    EXPECT_EQ(probed ? probed->out : "", "process\nno tool\n");
  });
}

TEST_F(WatchdogTest, HostileNamesNeverReachAHost) {
  run_until_done([&]() -> Task<void> {
    auto here = host::make_local_host("here", "127.0.0.1");
    const std::vector<WatchedTarget> bad = {
        {"lb 1", "unix:/a", "be", "s", here.get()},     {"lb", "unix:/a;b", "be", "s", here.get()},
        {"lb", "exec:/bin/sh", "be", "s", here.get()},  {"lb", "unix:/a,x", "be", "s", here.get()},
        {"lb", "unix:/a", "be;show", "s", here.get()},  {"lb", "unix:/a", "be", "s\nx", here.get()},
        {"lb", "unix:/$(id)", "be", "s", here.get()},   {"-lb", "unix:/a", "be", "s", here.get()},
        {"lb", "unix:relative", "be", "s", here.get()}, {"lb", "unix:/a", "be", "", here.get()}};
    for (const auto& target : bad) {
      WatchdogConfig all;
      all.instances = {{id("s0"), service, 80, here.get(), {target}}};
      const auto armed = co_await make_watchdog(all)->arm(order("s0", 1000));
      EXPECT_EQ(armed ? ErrorCode::internal : armed.error().code, ErrorCode::invalid)
          << target.node << target.socket << target.backend << target.server;
    }
    WatchdogConfig good;
    good.instances = {{id("s0"), service, 80, here.get(), {}}};
    auto dog = make_watchdog(good);
    auto odd = order("s0", 1000);
    odd.rollout = "R 1\n";
    EXPECT_FALSE(co_await dog->arm(odd));
    EXPECT_FALSE(co_await dog->arm(order("s0", 10)));
    EXPECT_FALSE(co_await dog->arm(order("plain", 1000)));
    good.instances[0].targets = {{"lb-9", "unix:/far/away", "be", "s0", nullptr}};
    const auto told = co_await make_watchdog(good)->describe(id("s0"));
    EXPECT_THAT(told, HasSubstr("no timer on lb-9 (its socket is out of reach)"));
    good.instances[0].not_covered = {"f5 (command)"};
    EXPECT_THAT(co_await make_watchdog(good)->describe(id("s0")),
                HasSubstr("not put back in f5 (command) (no timer speaks to that kind)"));
  });
}

}  // namespace
}  // namespace hitless::watchdog
