// Operations as transient units, on a real systemd: needs a lab that is up, such as
//   lab/lab -n x up 1; HITLESS_TEST_SSH_CONFIG=/run/hitless-lab/x/ssh_config …_tests
//   --gtest_filter='LabHost*'
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "adapters/host/host.hpp"
#include "adapters/host/shell_host.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

class LabHost : public testing::Test {
 protected:
  void SetUp() override {
    if (::getenv("HITLESS_TEST_SSH_CONFIG") == nullptr) GTEST_SKIP() << "no lab is given";
  }
  template <class Body>
  void with_host(Body body) {
    SshConfig config;
    config.name = "web01";
    config.config_file = ::getenv("HITLESS_TEST_SSH_CONFIG");
    config.sudo = true;
    run_until_done([&]() -> Task<void> {
      auto host = make_ssh_host(config);
      co_await body(host->get());
    });
  }
  static ports::Operation operation(std::vector<std::string> argv) {
    ports::Operation made;
    made.id = "test-" + random_hex(8);
    made.argv = std::move(argv);
    made.deadline_ms = 30'000;
    return made;
  }
  static Task<std::string> show(ports::Host* host, std::string unit, std::string property) {
    const auto result = co_await host->exec({"systemctl", "show", "-p", property, "--value", unit});
    co_return result ? std::string(trim(result->out)) : "lost";
  }
  // Nothing of our operations is left there.
  static Task<void> expect_clean(ports::Host* host, std::string id) {
    const std::string unit = "hitless-op-" + id + ".service";
    bool clean = false;  // it is collected in the background
    for (int i = 0; i < 100 && !clean; ++i) {
      const auto state = co_await show(host, unit, "LoadState");
      const auto file = co_await host->stat("/run/hitless-op-" + id + ".out");
      clean = state == "not-found" && file && !file->exists;
      if (!clean) co_await sleep_for(50);
    }
    EXPECT_TRUE(clean) << id;
  }
};

TEST_F(LabHost, OutcomesOfUnits) {
  with_host([](ports::Host* host) -> Task<void> {
    auto good = operation(
        {"sh", "-c", "id -u; echo \"$1\"; echo err >&2", "sh", "a $HOME ${X} %n 'b' \\ \"c\""});
    const auto result = co_await host->run_operation(good);
    EXPECT_TRUE(result) << result.error().what;
    if (!result) co_return;
    EXPECT_EQ(result->exit_code, 0);
    EXPECT_EQ(result->out, "0\na $HOME ${X} %n 'b' \\ \"c\"\n");
    EXPECT_EQ(result->err, "err\n");
    co_await expect_clean(host, good.id);
    auto bad = operation({"sh", "-c", "echo no >&2; exit 7"});
    const auto failed = co_await host->run_operation(bad);
    EXPECT_EQ(failed ? failed->exit_code : -1, 7);
    EXPECT_EQ(failed ? failed->err : "", "no\n");
    co_await expect_clean(host, bad.id);
    auto killed = operation({"sh", "-c", "kill -TERM $$"});
    const auto by_signal = co_await host->run_operation(killed);
    EXPECT_EQ(by_signal ? by_signal->exit_code : -1, 143);
    auto missing = operation({"/no/such/program"});
    const auto none = co_await host->run_operation(missing);
    EXPECT_EQ(none ? ErrorCode::internal : none.error().code, ErrorCode::failed);
    auto slow = operation({"sleep", "60"});
    slow.deadline_ms = 1000;
    const auto late = co_await host->run_operation(slow);
    EXPECT_EQ(late ? ErrorCode::internal : late.error().code, ErrorCode::timed_out);
    co_await expect_clean(host, slow.id);
  });
}

TEST_F(LabHost, ARestartSurvivesTheLossOfItsSession) {
  with_host([](ports::Host* host) -> Task<void> {
    const auto before = co_await show(host, "app.service", "InvocationID");
    auto restart =
        operation({"sh", "-c", "sleep 1; systemctl restart app.service; sleep 1; echo done"});
    auto cut = [](ports::Host* on, std::string unit) -> Task<void> {
      std::string state;
      while (state != "activating") state = co_await show(on, unit, "ActiveState");
      for (int i = 0; i < 3; ++i) {
        const int pid = dynamic_cast<ShellHost*>(on)->session().pid();
        if (pid > 1) ::kill(pid, SIGKILL);
        co_await sleep_for(700);
      }
    };
    auto run = [](ports::Host* on, ports::Operation what) -> Task<void> {
      const auto result = co_await on->run_operation(what);
      EXPECT_TRUE(result) << result.error().what;
      EXPECT_EQ(result ? result->out : "", "done\n");
    };
    std::vector<Task<void>> both;
    both.push_back(cut(host, "hitless-op-" + restart.id + ".service"));
    both.push_back(run(host, restart));
    co_await join_all(std::move(both));
    const auto after = co_await show(host, "app.service", "InvocationID");
    EXPECT_NE(before, after);
    EXPECT_GE(dynamic_cast<ShellHost*>(host)->session().generation(), 2);
    co_await expect_clean(host, restart.id);
  });
}

TEST_F(LabHost, TheSameIdStartsOnce) {
  with_host([](ports::Host* host) -> Task<void> {
    for (const std::string code : {"0", "3"}) {
      co_await host->exec({"rm", "-f", "/run/test-count"}, {}, 10'000, true);
      auto once = operation({"sh", "-c", "echo x >> /run/test-count; sleep 3; exit " + code});
      auto abandoned = [&]() -> Task<void> { co_await host->run_operation(once); };
      // Cut off somewhere after its start, many times.
      for (int i = 1; i <= 6; ++i) co_await finish_within(abandoned(), 25 * i);
      const auto result = co_await host->run_operation(once);
      EXPECT_EQ(result ? std::to_string(result->exit_code) : result.error().what, code);
      const auto count = co_await host->read_file("/run/test-count");
      EXPECT_EQ(count.value_or("none"), "x\n");
    }
  });
}

TEST_F(LabHost, ANewControllerGetsTheOutcomeOfAnOldOne) {
  auto restart = operation({"sh", "-c", "sleep 1; echo x >> /run/test-count; exit 3"});
  with_host([&](ports::Host* host) -> Task<void> {
    co_await host->exec({"rm", "-f", "/run/test-count"}, {}, 10'000, true);
    auto run = [&]() -> Task<void> { co_await host->run_operation(restart); };
    co_await finish_within(run(), 700);
  });
  with_host([&](ports::Host* host) -> Task<void> {
    const auto result = co_await host->run_operation(restart);
    EXPECT_EQ(result ? result->exit_code : -1, 3);
    const auto count = co_await host->read_file("/run/test-count");
    EXPECT_EQ(count.value_or("none"), "x\n");
  });
}

TEST_F(LabHost, ADaemonStartedByAnOperationOutlivesItsUnit) {
  with_host([](ports::Host* host) -> Task<void> {
    auto start = operation({"sh", "-c", "setsid sleep 3417 >/dev/null 2>&1 & echo $!"});
    const auto result = co_await host->run_operation(start);
    EXPECT_EQ(result ? result->exit_code : -1, 0);
    const std::string pid(trim(result->out));
    const auto alive = co_await host->exec({"kill", "-0", pid}, {}, 10'000, true);
    EXPECT_EQ(alive ? alive->exit_code : -1, 0);
    co_await host->exec({"kill", pid}, {}, 10'000, true);
  });
}

TEST_F(LabHost, FilesOfRootThroughSudo) {
  with_host([](ports::Host* host) -> Task<void> {
    const std::string path = "/etc/nginx/hitless-test.conf";
    const auto put = co_await host->put_atomic(path, "secret\n", "0600");
    EXPECT_TRUE(put) << put.error().what;
    const auto about = co_await host->stat(path);
    EXPECT_TRUE(about && about->owner == "root" && about->mode == "0600");
    const auto again = co_await host->put_atomic(path, "other\n");
    EXPECT_TRUE(again);
    const auto back = co_await host->read_file(path);
    EXPECT_EQ(back.value_or("none"), "other\n");
    co_await host->exec({"rm", "-f", "--", path}, {}, 10'000, true);
    const auto count = co_await host->connections_on(80);
    EXPECT_TRUE(count) << count.error().what;
  });
}

TEST_F(LabHost, TimeOfAnOperation) {
  with_host([](ports::Host* host) -> Task<void> {
    std::vector<long> times_ms;
    for (int i = 0; i < 11; ++i) {
      const auto started = std::chrono::steady_clock::now();
      const auto result = co_await host->run_operation(operation({"true"}));
      EXPECT_TRUE(result && result->exit_code == 0);
      times_ms.push_back(static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                               std::chrono::steady_clock::now() - started)
                                               .count()));
    }
    std::sort(times_ms.begin(), times_ms.end());
    std::printf("[ MEASURE  ] operation `true` as a unit: median %ld ms\n", times_ms[5]);
  });
}

}  // namespace
}  // namespace hitless::host
