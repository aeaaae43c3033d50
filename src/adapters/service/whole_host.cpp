#include "adapters/service/whole_host.hpp"

#include <algorithm>

#include "adapters/service/evidence.hpp"
#include "adapters/service/host_facts.hpp"
#include "adapters/service/observer.hpp"
#include "adapters/service/stale_script.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "ports/claim_files.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;
using core::Outcome;
using core::OutcomeStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

constexpr DurationMs kAskForRebootMs = 10'000;  // until systemd has taken the order
constexpr int kRebootedAlready = 96, kCannotTell = 97, kClaimLost = 98;

// $1 expected boot id, $2 epoch, then a service and its port for each claim that must still be
// ours. Behind the functions of ports/claim_files.hpp.
constexpr const char* kRebootScript = R"sh(
expected=$1 epoch=$2; shift 2
read -r boot </proc/sys/kernel/random/boot_id || exit 97
[ "$boot" = "$expected" ] || { echo "boot id is $boot"; exit 96; }
while [ $# -ge 2 ]; do
  ( fence "$1" "$2" "$epoch" ) || exit 98
  shift 2
done
# The shutdown that we ask for ends us as well.
trap '' TERM HUP INT
systemctl --no-block --no-wall reboot || { echo "systemctl reboot: exit $?"; exit 99; }
)sh";

// $1 epoch, $2 n, then service and port of n claims that must still be ours, then units, each with
// the InvocationID that was seen or -. Restarts those that run what is gone, that do not run, or
// that systemd has restarted since then, and no others. Behind the functions of
// ports/claim_files.hpp and stale_script.hpp.
constexpr const char* kRestartScript = R"sh(
epoch=$1 n=$2; shift 2
while [ "$n" -gt 0 ]; do
  ( fence "$1" "$2" "$epoch" ) || exit 98
  shift 2; n=$((n - 1))
done
systemctl daemon-reload || exit 1
gone=$(list_gone); named=$(list_named)
while [ $# -ge 2 ]; do
  unit=$1 seen=$2; shift 2
  if systemctl is-active --quiet -- "$unit"; then
    again=$(systemctl show -p NRestarts --value -- "$unit")
    [ "$(systemctl show -p InvocationID --value -- "$unit")" != "$seen" ] || again=0
    if reason=$(stale "$unit"); then
      echo "$reason"
    elif [ "${again:-0}" = 0 ]; then
      continue
    fi
  fi
  systemctl reset-failed -- "$unit" 2>/dev/null
  systemctl --job-mode=fail restart -- "$unit" && continue
  code=$?
  systemctl show -p Result,ActiveState,SubState,ExecMainStatus -- "$unit" | tr '\n' ' '
  echo
  exit $code
done
exit 0
)sh";

std::string short_id(const std::string& id) {
  return id.substr(0, 8);
}

Outcome outcome(OutcomeStatus status, std::string_view detail) {
  Outcome result;
  result.status = status;
  result.detail = evidence(detail);
  return result;
}

Outcome refused_or_unknown(const Error& error, const std::string& what) {
  const bool untouched = error.code == ErrorCode::unavailable || error.code == ErrorCode::refused ||
                         error.code == ErrorCode::invalid;
  return outcome(untouched ? OutcomeStatus::failed : OutcomeStatus::unknown,
                 what + ": " + describe(error));
}

Outcome restart_outcome(const Result<ports::ExecResult>& ran) {
  if (!ran) return refused_or_unknown(ran.error(), "restart of what needs it");
  const std::string said = last_lines(ran->err + "\n" + ran->out, 6);
  if (ran->exit_code == 0)
    return outcome(OutcomeStatus::ok, said.empty() ? "nothing needed a restart" : said);
  return outcome(OutcomeStatus::failed,
                 "systemctl restart → exit " + std::to_string(ran->exit_code) + ": " + said);
}

Task<void> identify(ports::Service* driver, Result<ServiceIdentity>* out) {
  *out = co_await driver->identity();
}

Task<void> validate_into(ports::Service* driver, std::vector<Check>* out) {
  *out = co_await driver->validate();
}

class WholeHost final : public ports::Service {
 public:
  WholeHost(ports::Host* host, WholeHostConfig config) : host_(host), config_(std::move(config)) {}

  std::string describe() const override {
    std::vector<std::string> names;
    for (const HostMember& member : config_.members) names.push_back(member.service);
    return "host " + host_->name() + " (" + join(names, ", ") + ")";
  }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    auto facts = co_await read_host_facts(host_);
    if (!facts) co_return tl::unexpected<Error>(facts.error());
    ports::ServiceCapabilities can;
    can.reboots = facts->systemd && config_.never.empty();
    can.needs_reboot = facts->reboot_required;
    can.reboot_reason = facts->reboot_reason;
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override {
    auto facts = co_await read_host_facts(host_);
    if (!facts) co_return tl::unexpected<Error>(facts.error());
    std::vector<Result<ServiceIdentity>> found(config_.members.size(),
                                               fail(ErrorCode::internal, "not asked"));
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < found.size(); ++i)
      tasks.push_back(identify(config_.members[i].driver, &found[i]));
    co_await join_all(std::move(tasks));
    ServiceIdentity identity;
    identity.active = true;
    identity.state = facts->system_state;
    identity.boot_id = facts->boot_id;
    std::string digests;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) co_return tl::unexpected<Error>(found[i].error());
      identity.active = identity.active && found[i]->active;
      identity.workers.push_back(config_.members[i].service + "=" + run_of(*found[i]));
      digests += found[i]->config_digest;
    }
    if (!digests.empty()) identity.config_digest = sha256_hex(digests);
    co_return identity;
  }

  Task<std::vector<Check>> validate() override {
    std::vector<std::vector<Check>> found(config_.members.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < found.size(); ++i)
      tasks.push_back(validate_into(config_.members[i].driver, &found[i]));
    co_await join_all(std::move(tasks));
    std::vector<Check> checks;
    for (std::size_t i = 0; i < found.size(); ++i) {
      for (Check& each : found[i]) {
        each.name = config_.members[i].service + ": " + each.name;
        checks.push_back(std::move(each));
      }
    }
    if (!config_.for_reboot) {
      for (const HostMember& member : config_.members) {
        if (member.unit.empty())
          checks.push_back(check(member.service + ": unit", CheckStatus::fail,
                                 "it is not under systemd: nobody would restart it",
                                 "restart it by hand after a patch by hand"));
      }
      co_return checks;
    }
    checks.push_back(co_await starts_at_boot());
    if (!config_.never.empty())
      checks.push_back(check("Reboot", CheckStatus::fail, config_.never, "reboot it by hand"));
    co_return checks;
  }

  Task<Check> test_config(ports::Files) override {
    co_return check("Configuration", CheckStatus::pass, "not changed");
  }
  Task<Result<ports::Files>> config_files() override { co_return ports::Files{}; }

  Task<Result<Outcome>> act(ports::ActOrder order) override {
    if (order.action == core::Action::restart) co_return co_await restart_stale(std::move(order));
    if (order.action != core::Action::reboot)
      co_return outcome(OutcomeStatus::failed, "a whole host is not reloaded");
    if (!config_.never.empty()) co_return outcome(OutcomeStatus::failed, config_.never);
    if (order.expected.boot_id.empty())
      co_return outcome(OutcomeStatus::failed, "nobody looked at its boot id: not rebooted");
    ports::Operation operation;
    operation.id = std::move(order.operation_id);
    operation.argv = {"sh",
                      "-c",
                      std::string(ports::claim_functions) + kRebootScript,
                      "hitless-reboot",
                      order.expected.boot_id,
                      std::to_string(order.fence.epoch)};
    if (!order.fence.service.empty()) add_claims(operation.argv);
    operation.deadline_ms = std::min(order.deadline_ms, kAskForRebootMs);
    operation.fence = std::move(order.fence);
    co_return outcome_of_reboot(co_await host_->run_operation(std::move(operation)));
  }

  Task<Result<Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    auto ran = co_await host_->await_operation(std::move(operation_id), deadline_ms, true);
    if (!ran) co_return tl::unexpected<Error>(ran.error());
    // Of a reboot or a restart, nobody says which; a restart that failed is seen to have.
    co_return outcome_of_reboot(ran);
  }

  Task<ServiceReading> verify(core::Action action, ServiceIdentity before) override {
    if (action == core::Action::restart) co_return co_await verify_patched(std::move(before));
    const auto facts = co_await read_host_facts(host_);
    if (!facts) {
      ServiceReading reading = cannot_tell(facts.error());
      reading.evidence = evidence("the host does not answer: " + reading.evidence);
      co_return reading;
    }
    ServiceReading reading;
    reading.now.boot_id = reading.now.start_time = facts->boot_id;
    reading.now.state = facts->system_state;
    if (before.boot_id.empty() || facts->boot_id == before.boot_id) {
      const bool going_down = facts->system_state == "stopping";
      reading.verdict = going_down ? ServiceVerdict::indeterminate : ServiceVerdict::not_applied;
      reading.evidence = evidence("still the same boot, " + short_id(facts->boot_id) + "…" +
                                  (going_down ? ", going down" : ""));
      co_return reading;
    }
    reading.evidence =
        "boot id " + short_id(before.boot_id) + "… → " + short_id(facts->boot_id) + "…";
    co_await add_members(&reading, facts->still_booting());
    co_return reading;
  }

 private:
  static std::string run_of(const ServiceIdentity& identity) {
    return identity.invocation_id.empty()
               ? std::to_string(identity.main_pid) + "/" + identity.start_time
               : identity.invocation_id;
  }

  // Of a service, as it was seen before; only the characters of an InvocationID pass.
  static std::string run_seen(const ServiceIdentity& expected, const std::string& service) {
    for (const std::string& each : expected.workers) {
      const std::size_t at = each.find('=');
      if (each.substr(0, at) != service) continue;
      const std::string run = each.substr(at + 1);
      if (!run.empty() && run.find_first_not_of("0123456789abcdef") == std::string::npos)
        return run;
    }
    return "-";
  }

  void add_claims(std::vector<std::string>& argv) const {
    for (const HostMember& member : config_.members) {
      argv.push_back(member.service);
      argv.push_back(std::to_string(member.port));
    }
  }

  Task<Result<Outcome>> restart_stale(ports::ActOrder order) {
    ports::Operation operation;
    operation.id = std::move(order.operation_id);
    const bool fenced = !order.fence.service.empty();
    operation.argv = {"sh",
                      "-c",
                      std::string(ports::claim_functions) + stale_functions + kRestartScript,
                      "hitless-restart",
                      std::to_string(order.fence.epoch),
                      std::to_string(fenced ? config_.members.size() : 0)};
    if (fenced) add_claims(operation.argv);
    for (const HostMember& member : config_.members) {
      if (member.unit.empty()) continue;
      operation.argv.push_back(member.unit);
      operation.argv.push_back(run_seen(order.expected, member.service));
    }
    operation.deadline_ms = order.deadline_ms;
    operation.fence = std::move(order.fence);
    co_return restart_outcome(co_await host_->run_operation(std::move(operation)));
  }

  // Every service well, those that were not restarted for they need not be as well as they were,
  // and none of them runs anything that is gone.
  Task<ServiceReading> verify_patched(ServiceIdentity before) {
    ServiceReading reading;
    co_await add_members(&reading, false, before.workers);
    if (reading.verdict != ServiceVerdict::proven) co_return reading;
    auto stale = co_await config_.packages->stale();
    if (!stale) {
      reading.verdict = ServiceVerdict::indeterminate;
      reading.evidence = evidence(hitless::describe(stale.error()));
      co_return reading;
    }
    for (const ports::StaleUnit& unit : *stale) {
      for (const HostMember& member : config_.members) {
        if (member.unit != unit.unit) continue;
        reading.verdict = ServiceVerdict::indeterminate;
        reading.evidence = evidence(unit.unit + " " + unit.reason);
        co_return reading;
      }
    }
    reading.evidence = evidence(reading.evidence + ", nothing runs what was replaced");
    co_return reading;
  }

  // The worst of them counts; while the host boots, what is down may be about to start. before:
  // "web=RUN" of each as it was; whoever still is the same run is only asked whether it is well.
  Task<void> add_members(ServiceReading* reading, bool booting,
                         std::vector<std::string> before = {}) {
    std::vector<ServiceReading> found(config_.members.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < found.size(); ++i)
      tasks.push_back(look_at(&config_.members[i], before, &found[i]));
    co_await join_all(std::move(tasks));
    reading->verdict = ServiceVerdict::proven;
    const auto rank = [](ServiceVerdict v) {
      return v == ServiceVerdict::down       ? 3
             : v == ServiceVerdict::flapping ? 2
             : v == ServiceVerdict::proven   ? 0
                                             : 1;
    };
    for (std::size_t i = 0; i < found.size(); ++i) {
      ServiceVerdict verdict = found[i].verdict;
      if (verdict == ServiceVerdict::not_applied || (verdict == ServiceVerdict::down && booting)) {
        verdict = ServiceVerdict::indeterminate;
      }
      if (rank(verdict) > rank(reading->verdict)) reading->verdict = verdict;
      reading->evidence += (reading->evidence.empty() ? "" : ", ") + config_.members[i].service +
                           ": " + found[i].evidence;
      reading->now.workers.push_back(config_.members[i].service + "=" + run_of(found[i].now));
      reading->now.start_time += " " + run_of(found[i].now);
    }
    if (booting) reading->evidence += ", still booting";
    reading->evidence = evidence(reading->evidence);
  }

  static Task<void> look_at(const HostMember* member, std::vector<std::string> before,
                            ServiceReading* out) {
    if (!before.empty()) {
      auto now = co_await member->driver->identity();
      if (!now) {
        *out = cannot_tell(now.error());
        co_return;
      }
      const std::string run = member->service + "=" + run_of(*now);
      if (now->active && std::find(before.begin(), before.end(), run) != before.end()) {
        *out = {ServiceVerdict::proven, *now, "kept running"};
        co_return;
      }
    }
    // Against nobody: whoever runs now is new.
    *out = co_await member->driver->verify(core::Action::restart, ServiceIdentity{});
  }

  Task<Check> starts_at_boot() {
    std::vector<std::string> units, unknown;
    for (const HostMember& member : config_.members) {
      if (member.unit.empty()) {
        unknown.push_back(member.service);
      } else {
        units.push_back(member.unit);
      }
    }
    const std::string name = "Starts at boot";
    auto found = co_await read_enabled(host_, units);
    if (!found) co_return unknown_check(name, found.error());
    Check result = check(name, CheckStatus::pass, join(units, ", "));
    for (std::size_t i = 0; i < units.size(); ++i) {
      if ((*found)[i] == "enabled" || (*found)[i] == "static" || (*found)[i] == "generated" ||
          (*found)[i] == "indirect" || (*found)[i] == "alias")
        continue;
      result = check(name, CheckStatus::fail, units[i] + " is " + (*found)[i],
                     "`systemctl enable " + units[i] + "` there, or it stays down after a reboot");
      co_return result;
    }
    if (!unknown.empty()) {
      result.status = CheckStatus::warn;
      result.evidence += (result.evidence.empty() ? "" : "; ") + std::string("not known of ") +
                         join(unknown, ", ") + ", which no unit starts";
    }
    co_return result;
  }

  ports::Host* host_;
  WholeHostConfig config_;
};

}  // namespace

Outcome outcome_of_reboot(const Result<ports::ExecResult>& ran) {
  if (!ran) return refused_or_unknown(ran.error(), "reboot");
  switch (ran->exit_code) {
    case 0:
      return outcome(OutcomeStatus::ok, "systemd has taken the order");
    case kRebootedAlready:
      return outcome(OutcomeStatus::ok, "it was rebooted since it was looked at, so not again: " +
                                            last_lines(ran->out, 1));
    case kCannotTell:
      return outcome(OutcomeStatus::failed, "its boot id could not be read: not rebooted");
    case kClaimLost:
      return outcome(OutcomeStatus::failed,
                     "not rebooted: " + last_lines(ran->err + "\n" + ran->out, 2));
    default:
      // The shutdown ends whoever asked for it, so that an end by a signal is no refusal.
      return outcome(OutcomeStatus::unknown, "the order ended with " + describe_exit(*ran));
  }
}

std::unique_ptr<ports::Service> make_whole_host(ports::Host& host, WholeHostConfig config) {
  return std::make_unique<WholeHost>(&host, std::move(config));
}

ports::PrivilegedCommands privileged_commands_of_host() {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  all.operations.push_back({{"sh"},
                            {"-c"},
                            {std::string(ports::claim_functions) + kRebootScript},
                            {"hitless-reboot"},
                            CommandWord::pattern("[0-9a-f-]{36}"),
                            CommandWord::pattern("[0-9]+"),
                            CommandWord::patterns("[A-Za-z0-9_][A-Za-z0-9_.:-]*")});
  all.operations.push_back(
      {{"sh"},
       {"-c"},
       {std::string(ports::claim_functions) + stale_functions + kRestartScript},
       {"hitless-restart"},
       CommandWord::pattern("[0-9]+"),
       CommandWord::pattern("[0-9]+"),
       CommandWord::patterns("[A-Za-z0-9_][A-Za-z0-9_.:@\\\\-]*")});
  return all;
}

}  // namespace hitless::service
