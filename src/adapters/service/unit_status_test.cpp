#include "adapters/service/unit_status.hpp"

#include <gtest/gtest.h>

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceVerdict;

// As printed by systemctl 252 on Debian 12.
constexpr const char* kRunning =
    "Type=forking\nRestart=no\nMainPID=812\nNRestarts=0\nResult=success\nReloadResult=success\n"
    "ExecMainStartTimestampMonotonic=5000000\nExecMainCode=0\nExecMainStatus=0\n"
    "RequiredBy=\nBoundBy=\nConsistsOf=\nPropagatesStopTo=\nLoadState=loaded\nActiveState=active\n"
    "SubState=running\nFragmentPath=/lib/systemd/system/nginx.service\nInvocationID=aaaa\n"
    "CanReload=yes\nNeedDaemonReload=no\nStartLimitIntervalUSec=10s\nStartLimitBurst=5\n";

UnitStatus with(std::map<std::string, std::string> changes) {
  UnitStatus unit = parse_unit_status(kRunning);
  for (auto& [name, value] : changes) unit.properties[name] = value;
  return unit;
}

ServiceIdentity identity_of(const UnitStatus& unit, std::string start) {
  ServiceIdentity identity;
  identity.active = unit.running();
  identity.state = unit.state();
  identity.main_pid = unit.number("MainPID");
  identity.start_time = std::move(start);
  identity.invocation_id = unit.get("InvocationID");
  identity.restarts = unit.number("NRestarts");
  return identity;
}

struct Case {
  std::string name;
  std::map<std::string, std::string> after;
  std::string start;
  ServiceVerdict verdict;
  std::string says;
};

TEST(UnitStatus, JudgesARestartFromOneReading) {
  const ServiceIdentity before = identity_of(with({}), "100");
  const std::vector<Case> cases = {
      {"good",
       {{"InvocationID", "bbbb"}, {"MainPID", "900"}},
       "200",
       ServiceVerdict::proven,
       "PID changed: 812 → 900"},
      {"reused pid is still a new process",
       {{"InvocationID", "bbbb"}},
       "200",
       ServiceVerdict::proven,
       "812 → 812"},
      {"nothing happened", {}, "100", ServiceVerdict::not_applied, "as before"},
      {"crash loop",
       {{"InvocationID", "cccc"}, {"MainPID", "903"}, {"NRestarts", "3"}},
       "300",
       ServiceVerdict::flapping,
       "3 times"},
      {"between two tries",
       {{"InvocationID", "cccc"},
        {"ActiveState", "activating"},
        {"SubState", "auto-restart"},
        {"MainPID", "0"},
        {"Result", "exit-code"}},
       "",
       ServiceVerdict::flapping,
       "exit-code"},
      {"cannot be executed",
       {{"InvocationID", "cccc"},
        {"ActiveState", "failed"},
        {"SubState", "failed"},
        {"MainPID", "0"},
        {"Result", "exit-code"},
        {"ExecMainCode", "1"},
        {"ExecMainStatus", "203"}},
       "",
       ServiceVerdict::down,
       "203/EXEC"},
      {"killed for memory",
       {{"ActiveState", "failed"},
        {"SubState", "failed"},
        {"MainPID", "0"},
        {"Result", "oom-kill"},
        {"ExecMainCode", "2"},
        {"ExecMainStatus", "9"}},
       "",
       ServiceVerdict::down,
       "out of memory"},
      {"gone quietly",
       {{"InvocationID", "bbbb"},
        {"ActiveState", "inactive"},
        {"SubState", "dead"},
        {"MainPID", "0"}},
       "",
       ServiceVerdict::down,
       "inactive/dead"},
      {"on its way down, job running",
       {{"ActiveState", "inactive"}, {"SubState", "dead"}, {"MainPID", "0"}, {"Job", "77"}},
       "",
       ServiceVerdict::indeterminate,
       "job"},
      {"starting",
       {{"InvocationID", "bbbb"},
        {"ActiveState", "activating"},
        {"SubState", "start"},
        {"MainPID", "900"}},
       "200",
       ServiceVerdict::indeterminate,
       "activating/start"},
      {"stopping",
       {{"ActiveState", "deactivating"}, {"SubState", "stop-sigterm"}},
       "100",
       ServiceVerdict::indeterminate,
       "deactivating"},
      {"no process yet",
       {{"InvocationID", "bbbb"}, {"MainPID", "0"}},
       "",
       ServiceVerdict::indeterminate,
       "without a main process"},
      {"process just died",
       {{"InvocationID", "bbbb"}, {"MainPID", "900"}},
       "",
       ServiceVerdict::indeterminate,
       "gone"},
      {"active but exited",
       {{"InvocationID", "bbbb"}, {"MainPID", "900"}, {"SubState", "exited"}},
       "200",
       ServiceVerdict::indeterminate,
       "exited"},
      {"systemd says nothing",
       {{"ActiveState", ""}},
       "100",
       ServiceVerdict::indeterminate,
       "did not tell"},
  };
  for (const Case& c : cases) {
    const UnitStatus unit = with(c.after);
    const auto reading = judge_restart(before, identity_of(unit, c.start), unit);
    EXPECT_EQ(reading.verdict, c.verdict) << c.name << ": " << reading.evidence;
    EXPECT_NE(reading.evidence.find(c.says), std::string::npos)
        << c.name << ": " << reading.evidence;
  }
}

TEST(UnitStatus, AnOldRestartCountIsNotOurCrashLoop) {
  const UnitStatus unit = with({{"NRestarts", "2"}});
  const ServiceIdentity before = identity_of(unit, "100");
  EXPECT_EQ(judge_restart(before, before, unit).verdict, ServiceVerdict::not_applied);
}

TEST(UnitStatus, JudgesAReload) {
  const ServiceIdentity before = identity_of(with({}), "100");
  const std::vector<Case> cases = {
      {"of an unknown program", {}, "100", ServiceVerdict::indeterminate, "does not say"},
      {"confirmed by the program",
       {{"Type", "notify-reload"}},
       "100",
       ServiceVerdict::proven,
       "PID 812 kept"},
      {"still reloading",
       {{"Type", "notify-reload"}, {"ActiveState", "reloading"}, {"SubState", "reload"}},
       "100",
       ServiceVerdict::indeterminate,
       "reloading"},
      {"refused",
       {{"Type", "notify-reload"}, {"ReloadResult", "exit-code"}},
       "100",
       ServiceVerdict::not_applied,
       "ReloadResult=exit-code"},
      {"kill -HUP killed it",
       {{"ActiveState", "inactive"},
        {"SubState", "dead"},
        {"MainPID", "0"},
        {"ExecMainCode", "2"},
        {"ExecMainStatus", "1"}},
       "",
       ServiceVerdict::down,
       "signal 1"},
      {"killed and restarted",
       {{"Type", "notify-reload"},
        {"InvocationID", "bbbb"},
        {"MainPID", "950"},
        {"NRestarts", "1"}},
       "200",
       ServiceVerdict::flapping,
       "NRestarts 1"},
      {"somebody restarted it",
       {{"Type", "notify-reload"}, {"InvocationID", "bbbb"}, {"MainPID", "950"}},
       "200",
       ServiceVerdict::indeterminate,
       "not reloaded"},
      {"dead, systemd does not know yet",
       {{"Type", "notify-reload"}},
       "",
       ServiceVerdict::indeterminate,
       "gone"},
  };
  for (const Case& c : cases) {
    const UnitStatus unit = with(c.after);
    const auto reading = judge_reload(before, identity_of(unit, c.start), unit);
    EXPECT_EQ(reading.verdict, c.verdict) << c.name << ": " << reading.evidence;
    EXPECT_NE(reading.evidence.find(c.says), std::string::npos)
        << c.name << ": " << reading.evidence;
  }
}

TEST(UnitStatus, ListsWhoGoesDownWithIt) {
  const UnitStatus unit =
      with({{"RequiredBy", "a.service b.service"}, {"ConsistsOf", "c.service"}});
  EXPECT_EQ(unit.pulled_along(),
            (std::vector<std::string>{"a.service (RequiredBy)", "b.service (RequiredBy)",
                                      "c.service (ConsistsOf)"}));
  EXPECT_TRUE(with({}).pulled_along().empty());
}

}  // namespace
}  // namespace hitless::service
