// nginx, under systemd or on its own. A restart is proven as systemd tells it, a reload by
// nginx_proof.
#include "adapters/service/acting.hpp"
#include "adapters/service/config_tree.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/nginx_proof.hpp"
#include "adapters/service/observer.hpp"
#include "adapters/service/pending_edits.hpp"
#include "adapters/service/preflight.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/staging.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

ProbeQuery query_of(const NginxConfig& config) {
  ProbeQuery query;
  query.unit = config.unit;
  query.pid_file = config.pid_file;
  query.workers = Workers::nginx;
  query.log_file = config.error_log;
  if (config.binary.starts_with('/')) query.binary = config.binary;
  return query;
}

class NginxService final : public ports::Service {
 public:
  NginxService(ports::Host* host, NginxConfig config)
      : host_(host),
        config_(std::move(config)),
        tree_(host, {config_.main_config}, Dialect::nginx, config_.prefix),
        observer_(host, &tree_, query_of(config_)) {}

  std::string describe() const override {
    return "nginx (" + (config_.unit.empty() ? config_.pid_file : config_.unit) + ")";
  }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    const auto seen = co_await observer_.recent();
    if (!seen) co_return tl::unexpected<Error>(seen.error());
    ports::ServiceCapabilities can;
    can.can_reload = !seen->unit || seen->unit->get("CanReload") == "yes";
    can.proves_reload = can.can_reload && seen->identity.log_offset >= 0;
    can.reload_failure_mode = ports::ReloadFailureMode::keeps_old;
    can.proves_restart = !config_.unit.empty();
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override { return observer_.identity(); }

  Task<std::vector<Check>> validate() override {
    std::vector<Check> checks =
        co_await preflight(host_, {config_.unit, {config_.main_config}, {config_.binary}});
    checks.push_back(co_await test_config({}));
    const auto seen = co_await observer_.recent();
    if (!seen) {
      checks.push_back(unknown_check("nginx", seen.error()));
      co_return checks;
    }
    if (config_.unit.empty() && !seen->identity.active) {
      checks.push_back(check("nginx", CheckStatus::fail,
                             config_.pid_file + " names no running process", "start it first"));
    } else if (seen->identity.active && seen->identity.workers.empty()) {
      checks.push_back(
          check("nginx", CheckStatus::warn,
                "no workers of master PID " + std::to_string(seen->identity.main_pid) + " are seen",
                "a reload cannot be proven without them"));
    }
    if (seen->binary_current == false) {
      checks.push_back(check("Binary", CheckStatus::warn,
                             "the binary on disk is not the one that runs: a restart upgrades "
                             "nginx, a reload does not"));
    }
    if (seen->identity.log_offset < 0) {
      checks.push_back(check("Error log", CheckStatus::warn,
                             "cannot be read, so a reload cannot be proven and is not chosen",
                             "set `error_log:` of the service to a file that hitless may read"));
    }
    if (auto pending = co_await pending_edits(host_, &tree_, seen->identity, seen->unit,
                                              LoadedAt::oldest_worker)) {
      checks.push_back(std::move(*pending));
    }
    co_return checks;
  }

  Task<Check> test_config(ports::Files changed) override {
    if (auto refused = refuse_unit_files(changed)) co_return std::move(*refused);
    StagedTest test{{config_.binary, "-t", "-c", "{config}"}, "nginx -t", Dialect::nginx, true};
    if (!config_.prefix.empty()) test.argv.insert(test.argv.end(), {"-p", config_.prefix});
    co_return co_await test_staged(host_, &tree_, std::move(test), std::move(changed));
  }

  Task<Result<ports::Files>> config_files() override { return tree_.read_all({}); }
  Task<Result<ports::Files>> config_files_with(ports::Files changed) override {
    return tree_.read_all(std::move(changed));
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    if (order.action == Action::restart && upgrades() && order.expected.active) {
      co_return co_await upgrade_nginx(host_, config_.unit, config_.pid_file, std::move(order));
    }
    if (!config_.unit.empty()) {
      co_return co_await act_on_unit(host_, config_.unit, std::move(order));
    }
    std::vector<std::string> argv;
    if (order.action == Action::reload) {
      argv = {config_.binary, "-c", config_.main_config, "-s", "reload"};
      if (!config_.prefix.empty()) argv.insert(argv.end(), {"-p", config_.prefix});
    }
    co_return co_await act_by_command(host_, config_.pid_file, std::move(argv), std::move(order));
  }

  Task<Result<core::Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    if (!config_.unit.empty())
      co_return co_await await_unit_act(host_, std::move(operation_id), deadline_ms);
    co_return co_await await_command_act(host_, std::move(operation_id), deadline_ms);
  }

  Task<ServiceReading> verify(Action action, ServiceIdentity before) override {
    const auto seen = co_await observer_.look(before);
    if (!seen) co_return cannot_tell(seen.error());
    if (action != Action::reload) {
      if (seen->unit) co_return verify_restart(before, *seen);
      co_return cannot_tell(Error{
          ErrorCode::invalid, "nginx without a unit cannot be restarted by this driver", {}, {}});
    }
    ServiceReading proof =
        prove_nginx_reload(before, seen->identity, seen->log_known, seen->log_lines);
    if (!seen->unit) co_return proof;
    // What nginx itself said tells more than "failed"; so it comes first.
    if (proof.verdict == ServiceVerdict::not_applied) co_return proof;
    ServiceReading unit = judge_still_there(before, seen->identity, *seen->unit);
    co_return unit.verdict == ServiceVerdict::proven ? proof : unit;
  }

 private:
  bool upgrades() const {
    return config_.binary_upgrade && !config_.unit.empty() && !config_.pid_file.empty();
  }

  ServiceReading verify_restart(const ServiceIdentity& before, const ProbeResult& seen) const {
    // One that was not well was started anew, by systemd: its InvocationID tells.
    const bool in_place =
        upgrades() && before.active && seen.identity.invocation_id == before.invocation_id;
    if (in_place && seen.identity.active)
      return prove_nginx_upgrade(before, seen.identity, seen.binary_current);
    ServiceReading reading = judge_restart(before, seen.identity, *seen.unit);
    if (reading.verdict == ServiceVerdict::proven && seen.identity.workers.empty()) {
      reading.verdict = ServiceVerdict::indeterminate;
      reading.evidence += ", no workers yet";
    }
    return reading;
  }

  ports::Host* host_;
  NginxConfig config_;
  ConfigTree tree_;
  Observer observer_;
};

}  // namespace

std::unique_ptr<ports::Service> make_nginx_service(ports::Host& host, NginxConfig config) {
  return std::make_unique<NginxService>(&host, std::move(config));
}

}  // namespace hitless::service
