#include "adapters/service/unit_status.hpp"

#include <charconv>

#include "adapters/service/evidence.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

// systemd.exec(5), "process exit codes": what stopped the program before it ran.
const char* systemd_exit_name(std::int64_t status) {
  switch (status) {
    case 200:
      return "CHDIR";
    case 202:
      return "FDS";
    case 203:
      return "EXEC";
    case 204:
      return "MEMORY";
    case 205:
      return "LIMITS";
    case 209:
      return "STDOUT";
    case 210:
      return "CHROOT";
    case 214:
      return "SETSCHEDULER";
    case 216:
      return "GROUP";
    case 217:
      return "USER";
    case 218:
      return "CAPABILITIES";
    case 219:
      return "CGROUP";
    case 226:
      return "NAMESPACE";
    case 233:
      return "RUNTIME_DIRECTORY";
    case 238:
      return "STATE_DIRECTORY";
    case 243:
      return "CREDENTIALS";
    default:
      return nullptr;
  }
}

std::string pid_change(const ServiceIdentity& before, const ServiceIdentity& now) {
  return "PID changed: " + std::to_string(before.main_pid) + " → " + std::to_string(now.main_pid);
}

ServiceReading reading(ServiceVerdict verdict, const ServiceIdentity& now, std::string_view text) {
  return {verdict, now, evidence(text)};
}

// What is seen whoever asked for what: a unit that is not up, or that systemd itself restarts.
std::optional<ServiceReading> judge_not_up(const ServiceIdentity& now, const UnitStatus& unit) {
  const std::string active = unit.get("ActiveState"), sub = unit.get("SubState");
  if (active.empty())
    return reading(ServiceVerdict::indeterminate, now, "systemd did not tell its state");
  if (sub == "auto-restart") {
    return reading(ServiceVerdict::flapping, now,
                   "the main process ended and systemd starts it again (" + unit.why_down() + ")");
  }
  // A job of ours may be between stop and start: the unit looks inactive then.
  if (unit.job_queued())
    return reading(ServiceVerdict::indeterminate, now, unit.state() + ", a job is queued");
  if (active == "failed" || active == "inactive") {
    return reading(ServiceVerdict::down, now, unit.state() + ": " + unit.why_down());
  }
  if (active != "active") return reading(ServiceVerdict::indeterminate, now, unit.state());
  return std::nullopt;
}

}  // namespace

const char* unit_properties() {
  return "LoadState,ActiveState,SubState,InvocationID,MainPID,NRestarts,Result,ReloadResult,Type,"
         "CanReload,NeedDaemonReload,StartLimitBurst,StartLimitIntervalUSec,"
         "ExecMainStartTimestampMonotonic,ExecMainStatus,ExecMainCode,Job,FragmentPath,"
         "PropagatesStopTo,BoundBy,RequiredBy,ConsistsOf,Restart,RefuseManualStart,"
         "RefuseManualStop,StateChangeTimestampMonotonic,TimeoutStopUSec,ExecStart,KillMode";
}

std::string UnitStatus::get(const std::string& name) const {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second;
}

std::int64_t UnitStatus::number(const std::string& name) const {
  const std::string text = get(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::string UnitStatus::state() const {
  return get("ActiveState") + "/" + get("SubState");
}
bool UnitStatus::running() const {
  return get("ActiveState") == "active" && number("MainPID") > 0;
}
bool UnitStatus::job_queued() const {
  return number("Job") != 0;
}

std::string UnitStatus::why_down() const {
  std::string text = "Result=" + get("Result");
  const std::int64_t code = number("ExecMainCode"), status = number("ExecMainStatus");
  if (code == 1 && status != 0) {
    text += ", main process exit " + std::to_string(status);
    if (const char* name = systemd_exit_name(status)) text += std::string("/") + name;
  } else if (code == 2 || code == 3) {
    text += ", main process killed by signal " + std::to_string(status);
  }
  if (get("Result") == "oom-kill") text += " (out of memory)";
  return text;
}

std::vector<std::string> UnitStatus::pulled_along() const {
  std::vector<std::string> units;
  for (const char* relation : {"RequiredBy", "BoundBy", "ConsistsOf", "PropagatesStopTo"}) {
    for (const std::string& name : split(get(relation), ' ')) {
      if (!name.empty()) units.push_back(name + " (" + relation + ")");
    }
  }
  return units;
}

UnitStatus parse_unit_status(std::string_view show_output) {
  UnitStatus unit;
  for (const std::string& line : split(show_output, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos)
      unit.properties[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return unit;
}

ServiceReading judge_restart(const ServiceIdentity& before, const ServiceIdentity& now,
                             const UnitStatus& unit) {
  if (const auto not_up = judge_not_up(now, unit)) return *not_up;
  if (now.invocation_id.empty()) {
    return reading(ServiceVerdict::indeterminate, now, "systemd did not tell the InvocationID");
  }
  if (now.invocation_id == before.invocation_id) {
    return reading(
        ServiceVerdict::not_applied, now,
        "not restarted: InvocationID and PID " + std::to_string(now.main_pid) + " are as before");
  }
  if (now.restarts > 0) {
    return reading(
        ServiceVerdict::flapping, now,
        "systemd restarted it " + std::to_string(now.restarts) + " times since (NRestarts)");
  }
  if (now.main_pid <= 0) {
    return reading(ServiceVerdict::indeterminate, now, unit.state() + " without a main process");
  }
  if (unit.get("SubState") != "running")
    return reading(ServiceVerdict::indeterminate, now, unit.state());
  if (now.start_time.empty()) {
    return reading(ServiceVerdict::indeterminate, now,
                   "main process " + std::to_string(now.main_pid) + " is gone");
  }
  if (now.main_pid == before.main_pid && now.start_time == before.start_time) {
    return reading(ServiceVerdict::indeterminate, now,
                   "a new InvocationID, but the same main process");
  }
  return reading(
      ServiceVerdict::proven, now,
      before.main_pid > 0 ? pid_change(before, now) : "PID " + std::to_string(now.main_pid));
}

ServiceReading judge_still_there(const ServiceIdentity& before, const ServiceIdentity& now,
                                 const UnitStatus& unit) {
  if (const auto not_up = judge_not_up(now, unit)) return *not_up;
  if (now.restarts > before.restarts) {
    return reading(ServiceVerdict::flapping, now,
                   "it died at the reload and systemd restarted it (NRestarts " +
                       std::to_string(now.restarts) + ")");
  }
  if (before.invocation_id.empty() || now.invocation_id != before.invocation_id) {
    return reading(ServiceVerdict::indeterminate, now,
                   "restarted, not reloaded: " + pid_change(before, now));
  }
  if (now.main_pid <= 0 || now.start_time.empty()) {
    return reading(ServiceVerdict::indeterminate, now,
                   unit.state() + ", but its main process is gone");
  }
  if (now.main_pid != before.main_pid || now.start_time != before.start_time) {
    return reading(ServiceVerdict::indeterminate, now,
                   "the main process is another one: " + pid_change(before, now));
  }
  const std::string result = unit.get("ReloadResult");
  if (!result.empty() && result != "success") {
    return reading(ServiceVerdict::not_applied, now, "ReloadResult=" + result);
  }
  return reading(ServiceVerdict::proven, now, "PID " + std::to_string(now.main_pid) + " kept");
}

ServiceReading judge_reload(const ServiceIdentity& before, const ServiceIdentity& now,
                            const UnitStatus& unit) {
  ServiceReading still_there = judge_still_there(before, now, unit);
  if (still_there.verdict != ServiceVerdict::proven) return still_there;
  if (unit.get("Type") == "notify-reload") {
    if (unit.get("SubState") != "running")
      return reading(ServiceVerdict::indeterminate, now, unit.state());
    return reading(ServiceVerdict::proven, now,
                   still_there.evidence + ", reload confirmed by the program");
  }
  return reading(
      ServiceVerdict::indeterminate, now,
      "a Type=" + unit.get("Type") + " program does not say whether a reload took effect");
}

}  // namespace hitless::service
