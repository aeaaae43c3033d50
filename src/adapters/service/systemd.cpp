// A program under systemd of which nothing else is known. A restart is proven by systemd's own
// account of it; a reload only where the program confirms it (Type=notify-reload) or a proof is
// configured.
#include "adapters/service/acting.hpp"
#include "adapters/service/config_tree.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/observer.hpp"
#include "adapters/service/pending_edits.hpp"
#include "adapters/service/preflight.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/staging.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

ProbeQuery query_of(const SystemdConfig& config) {
  ProbeQuery query;
  query.unit = config.unit;
  return query;
}

class SystemdService final : public ports::Service {
 public:
  SystemdService(ports::Host* host, SystemdConfig config)
      : host_(host),
        config_(std::move(config)),
        tree_(host, config_.config_files, Dialect::plain),
        observer_(host, &tree_, query_of(config_)) {}

  std::string describe() const override { return config_.unit; }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    const auto seen = co_await observer_.recent();
    if (!seen) co_return tl::unexpected<Error>(seen.error());
    const std::string type = seen->unit->get("Type");
    ports::ServiceCapabilities can;
    can.can_reload = seen->unit->get("CanReload") == "yes";
    can.proves_reload =
        can.can_reload && (type == "notify-reload" || !config_.reload_proof.empty());
    can.proves_restart = type != "oneshot";
    can.reload_failure_mode = config_.reload_failure;
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override { return observer_.identity(); }

  Task<std::vector<Check>> validate() override {
    PreflightQuery query{config_.unit, config_.config_files, {}};
    if (!config_.test.empty()) query.programs.push_back(config_.test.front());
    std::vector<Check> checks = co_await preflight(host_, std::move(query));
    if (!config_.test.empty()) checks.push_back(co_await test_config({}));
    if (const auto seen = co_await observer_.recent()) {
      if (auto pending = co_await pending_edits(host_, &tree_, seen->identity, seen->unit,
                                                LoadedAt::main_process)) {
        checks.push_back(std::move(*pending));
      }
    }
    co_return checks;
  }

  Task<Check> test_config(ports::Files changed) override {
    if (auto refused = refuse_unit_files(changed)) co_return std::move(*refused);
    if (config_.test.empty()) co_return no_test_command();
    co_return co_await test_command(host_, &tree_, config_.test, std::move(changed));
  }

  Task<Result<ports::Files>> config_files() override { return tree_.read_all({}); }
  Task<Result<ports::Files>> config_files_with(ports::Files changed) override {
    return tree_.read_all(std::move(changed));
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    co_return co_await act_on_unit(host_, config_.unit, std::move(order));
  }

  Task<Result<core::Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    co_return co_await await_unit_act(host_, std::move(operation_id), deadline_ms);
  }

  Task<ServiceReading> verify(core::Action action, ServiceIdentity before) override {
    const auto seen = co_await observer_.look();
    if (!seen) co_return cannot_tell(seen.error());
    if (action != core::Action::reload)
      co_return judge_restart(before, seen->identity, *seen->unit);
    if (config_.reload_proof.empty()) co_return judge_reload(before, seen->identity, *seen->unit);
    ServiceReading reading = judge_still_there(before, seen->identity, *seen->unit);
    if (reading.verdict != ServiceVerdict::proven) co_return reading;
    const auto proof =
        co_await host_->exec(config_.reload_proof, {}, kProofDeadlineMs, host_->sudo());
    const std::string name = config_.reload_proof.front();
    reading.verdict = ServiceVerdict::indeterminate;
    if (!proof) {
      reading.evidence = evidence(name + ": " + hitless::describe(proof.error()));
    } else if (proof->exit_code != 0) {
      reading.evidence = evidence(name + ": not yet, " + describe_exit(*proof));
    } else {
      reading.verdict = ServiceVerdict::proven;
      reading.evidence = evidence(reading.evidence + ", " + name + " → exit 0");
    }
    co_return reading;
  }

 private:
  static constexpr DurationMs kProofDeadlineMs = 10'000;
  ports::Host* host_;
  SystemdConfig config_;
  ConfigTree tree_;
  Observer observer_;
};

}  // namespace

std::unique_ptr<ports::Service> make_systemd_service(ports::Host& host, SystemdConfig config) {
  return std::make_unique<SystemdService>(&host, std::move(config));
}

}  // namespace hitless::service
