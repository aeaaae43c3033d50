#include "adapters/service/daemon.hpp"

#include <utility>

#include "adapters/service/acting.hpp"
#include "adapters/service/config_tree.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/observer.hpp"
#include "adapters/service/preflight.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

constexpr DurationMs kClientDeadlineMs = 5'000;

class DaemonService final : public ports::Service {
 public:
  DaemonService(ports::Host* host, DaemonSpec spec)
      : host_(host),
        spec_(std::move(spec)),
        tree_(host, spec_.roots, spec_.test.dialect),
        observer_(host, &tree_, spec_.query) {}

  std::string describe() const override { return spec_.name + " (" + spec_.query.unit + ")"; }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    const auto seen = co_await look({});
    if (!seen) co_return tl::unexpected<Error>(seen.error());
    ports::ServiceCapabilities can;
    can.reload_failure_mode = spec_.on_bad_reload;
    can.can_reload = spec_.reloads && seen->unit->get("CanReload") == "yes";
    can.proves_reload = can.can_reload && spec_.prove_reload != nullptr &&
                        (!spec_.log_proves || seen->identity.log_offset >= 0);
    if (can.proves_reload && spec_.no_reload != nullptr) {
      const auto files = co_await tree_.read_all({});
      if (!files) co_return tl::unexpected<Error>(files.error());
      can.proves_reload = spec_.no_reload(*files, *seen).empty();
    }
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override {
    auto seen = co_await look({});
    if (!seen) co_return tl::unexpected<Error>(std::move(seen.error()));
    co_return std::move(seen->identity);
  }

  Task<std::vector<Check>> validate() override {
    std::vector<Check> checks =
        co_await preflight(host_, {spec_.query.unit, spec_.roots, spec_.programs});
    if (!spec_.test.argv.empty()) checks.push_back(co_await test_config({}));
    const auto seen = co_await look({});
    if (!seen) {
      checks.push_back(unknown_check(spec_.name, seen.error()));
      co_return checks;
    }
    if (spec_.log_proves && seen->identity.log_offset < 0) {
      checks.push_back(check("Error log", CheckStatus::warn,
                             "cannot be read, so a reload cannot be proven and is not chosen",
                             "set `error_log:` of the service to a file that hitless may read"));
    }
    if (spec_.remarks != nullptr && seen->identity.active) {
      for (Check& line : spec_.remarks(*seen)) checks.push_back(std::move(line));
    }
    if (spec_.config_remarks != nullptr || spec_.no_reload != nullptr) {
      for (Check& line : co_await from_configuration(*seen)) checks.push_back(std::move(line));
    }
    if (auto pending =
            co_await pending_edits(host_, &tree_, seen->identity, seen->unit, spec_.loaded_at))
      checks.push_back(std::move(*pending));
    co_return checks;
  }

  Task<Check> test_config(ports::Files changed) override {
    if (auto refused = refuse_unit_files(changed)) co_return std::move(*refused);
    if (spec_.test.argv.empty()) {
      co_return check(
          kSyntaxCheck, CheckStatus::warn,
          spec_.name + " has no test of its own: files are not tested before they are installed",
          "set `test:` of the service, with {config} or {dir} for the staged copy");
    }
    if (!has_placeholder(spec_.test.argv))
      co_return co_await test_command(host_, &tree_, spec_.test.argv, std::move(changed));
    co_return co_await test_staged(host_, &tree_, spec_.test, std::move(changed));
  }

  Task<Result<ports::Files>> config_files() override { return tree_.read_all({}); }
  Task<Result<ports::Files>> config_files_with(ports::Files changed) override {
    return tree_.read_all(std::move(changed));
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    co_return co_await act_on_unit(host_, spec_.query.unit, std::move(order));
  }

  Task<Result<core::Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    co_return co_await await_unit_act(host_, std::move(operation_id), deadline_ms);
  }

  Task<ServiceReading> verify(Action action, ServiceIdentity before) override {
    const auto seen = co_await look(before);
    if (!seen) co_return cannot_tell(seen.error());
    co_return action == Action::reload ? judge_reloaded(before, *seen)
                                       : judge_restarted(before, *seen);
  }

 private:
  Task<std::vector<Check>> from_configuration(const ProbeResult& seen) {
    std::vector<Check> checks;
    const auto files = co_await tree_.read_all({});
    if (!files) {
      checks.push_back(unknown_check(spec_.name, files.error()));
      co_return checks;
    }
    if (spec_.config_remarks != nullptr) checks = spec_.config_remarks(*files);
    if (spec_.no_reload == nullptr) co_return checks;
    if (const std::string why = spec_.no_reload(*files, seen); !why.empty())
      checks.push_back(check("Reload", CheckStatus::warn, "is not chosen: " + why,
                             "a restart is done in its place, after a drain"));
    co_return checks;
  }

  Task<Result<ProbeResult>> look(std::optional<ServiceIdentity> before) {
    auto seen = co_await observer_.look(std::move(before));
    if (!seen || spec_.complete == nullptr || !seen->identity.active) co_return seen;
    ports::ExecResult answer;
    if (!spec_.client.empty()) {
      auto asked =
          co_await host_->exec(spec_.client, spec_.client_input, kClientDeadlineMs, host_->sudo());
      if (!asked) co_return tl::unexpected<Error>(asked.error());
      answer = std::move(*asked);
    }
    spec_.complete(*seen, answer);
    co_return seen;
  }

  // The last thing it said before it went tells more than "failed".
  static ServiceReading with_last_words(ServiceReading reading, const ProbeResult& seen) {
    const bool down =
        reading.verdict == ServiceVerdict::down || reading.verdict == ServiceVerdict::flapping;
    if (down && !seen.log_lines.empty()) {
      std::string said;
      for (const std::string& line : seen.log_lines) said += line + "\n";
      reading.evidence = evidence(reading.evidence + "; log: " + last_lines(said, 2));
    }
    return reading;
  }

  ServiceReading judge_reloaded(const ServiceIdentity& before, const ProbeResult& seen) const {
    if (spec_.prove_reload == nullptr) return judge_reload(before, seen.identity, *seen.unit);
    ServiceReading proof = spec_.prove_reload(before, seen);
    proof.evidence = evidence(proof.evidence);
    if (proof.verdict == ServiceVerdict::not_applied) return proof;
    ServiceReading unit = judge_still_there(before, seen.identity, *seen.unit);
    if (unit.verdict == ServiceVerdict::proven) return proof;
    return with_last_words(std::move(unit), seen);
  }

  ServiceReading judge_restarted(const ServiceIdentity& before, const ProbeResult& seen) const {
    ServiceReading reading = judge_restart(before, seen.identity, *seen.unit);
    if (reading.verdict != ServiceVerdict::proven || spec_.still_missing == nullptr)
      return with_last_words(std::move(reading), seen);
    if (const std::string missing = spec_.still_missing(before, seen); !missing.empty()) {
      reading.verdict = ServiceVerdict::indeterminate;
      reading.evidence = evidence(reading.evidence + ", " + missing);
    }
    return reading;
  }

  ports::Host* host_;
  DaemonSpec spec_;
  ConfigTree tree_;
  Observer observer_;
};

}  // namespace

std::vector<std::string> roots_of(const DaemonConfig& config) {
  std::vector<std::string> roots;
  if (!config.main_config.empty()) roots.push_back(config.main_config);
  roots.insert(roots.end(), config.config_files.begin(), config.config_files.end());
  return roots;
}

DaemonSpec daemon_spec(DaemonKind kind, const DaemonConfig& config) {
  DaemonSpec spec;
  switch (kind) {
    case DaemonKind::apache:
      spec = apache_spec(config);
      break;
    case DaemonKind::haproxy:
      spec = haproxy_spec(config);
      break;
    case DaemonKind::php_fpm:
      spec = php_fpm_spec(config);
      break;
    case DaemonKind::gunicorn:
      spec = gunicorn_spec(config);
      break;
    case DaemonKind::redis:
      spec = redis_spec(config);
      break;
  }
  spec.query.unit = config.unit;
  spec.roots = roots_of(config);
  if (!config.test.empty()) spec.test.argv = config.test;
  if (!spec.test.argv.empty()) spec.programs.push_back(spec.test.argv.front());
  return spec;
}

std::unique_ptr<ports::Service> make_daemon_service(ports::Host& host, DaemonKind kind,
                                                    const DaemonConfig& config) {
  return std::make_unique<DaemonService>(&host, daemon_spec(kind, config));
}

}  // namespace hitless::service
