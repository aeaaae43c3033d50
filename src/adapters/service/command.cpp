// A service that the user tells us how to handle: commands, and a pid file that says who runs. A
// pid alone proves nothing (it may be an old file, or a reused number), so it counts only together
// with the start time that /proc gives.
#include <algorithm>

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

constexpr DurationMs kStatusDeadlineMs = 10'000;

ProbeQuery query_of(const CommandConfig& config) {
  ProbeQuery query;
  query.pid_file = config.pid_file;
  if (config.flavor == CommandFlavor::nginx) query.workers = Workers::nginx;
  query.log_file = config.error_log;
  return query;
}

// The value of nginx's option (-p: where relative logs are, -e: the first log) as the commands give
// it.
std::string option_of(const CommandConfig& config, const char* name) {
  if (config.flavor != CommandFlavor::nginx) return {};
  for (const auto* argv : {&config.reload, &config.test, &config.restart}) {
    const auto option = std::find(argv->begin(), argv->end(), name);
    if (option != argv->end() && option + 1 != argv->end()) return *(option + 1);
  }
  return {};
}

class CommandService final : public ports::Service {
 public:
  CommandService(ports::Host* host, CommandConfig config)
      : host_(host),
        config_(std::move(config)),
        nginx_(config_.flavor == CommandFlavor::nginx),
        tree_(host, config_.config_files, nginx_ ? Dialect::nginx : Dialect::plain,
              option_of(config_, "-p")),
        observer_(host, &tree_, query_of(config_), option_of(config_, "-e")) {}

  std::string describe() const override {
    return (nginx_ ? "nginx by commands (" : "commands (") + config_.pid_file + ")";
  }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    ports::ServiceCapabilities can;
    can.can_reload = !config_.reload.empty();
    can.proves_restart = !config_.restart.empty() && !config_.pid_file.empty();
    if (!nginx_) co_return can;
    can.reload_failure_mode = ports::ReloadFailureMode::keeps_old;
    const auto seen = co_await observer_.look();
    if (!seen) co_return tl::unexpected<Error>(seen.error());
    can.proves_reload = can.can_reload && seen->identity.log_offset >= 0;
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override {
    auto seen = co_await look(std::nullopt);
    if (!seen) co_return tl::unexpected<Error>(std::move(seen.error()));
    co_return std::move(seen->identity);
  }

  Task<std::vector<Check>> validate() override {
    PreflightQuery query{{}, config_.config_files, {}};
    for (const auto* argv : {&config_.test, &config_.reload, &config_.restart, &config_.status}) {
      if (!argv->empty()) query.programs.push_back(argv->front());
    }
    std::vector<Check> checks = co_await preflight(host_, std::move(query));
    const auto seen = co_await look(std::nullopt);
    checks.push_back(running_check(seen));
    if (!config_.test.empty()) checks.push_back(co_await test_config({}));
    // Of a reload of another program nothing is known, so neither is what it has read.
    if (seen && (nginx_ || config_.reload.empty())) {
      if (auto pending =
              co_await pending_edits(host_, &tree_, seen->identity, std::nullopt,
                                     nginx_ ? LoadedAt::oldest_worker : LoadedAt::main_process)) {
        checks.push_back(std::move(*pending));
      }
    }
    co_return checks;
  }

  Task<Check> test_config(ports::Files changed) override {
    if (config_.test.empty()) co_return no_test_command();
    if (!nginx_ || !has_placeholder(config_.test)) {
      co_return co_await test_command(host_, &tree_, config_.test, std::move(changed));
    }
    co_return co_await test_staged(host_, &tree_,
                                   StagedTest{config_.test, "nginx -t", Dialect::nginx, false},
                                   std::move(changed));
  }

  Task<Result<ports::Files>> config_files() override { return tree_.read_all({}); }
  Task<Result<ports::Files>> config_files_with(ports::Files changed) override {
    return tree_.read_all(std::move(changed));
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    std::vector<std::string> argv =
        order.action == Action::reload ? config_.reload : config_.restart;
    co_return co_await act_by_command(host_, config_.pid_file, std::move(argv), std::move(order));
  }

  Task<Result<core::Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    co_return co_await await_command_act(host_, std::move(operation_id), deadline_ms);
  }

  Task<ServiceReading> verify(Action action, ServiceIdentity before) override {
    const auto seen = co_await look(before);
    if (!seen) co_return cannot_tell(seen.error());
    if (action == Action::reload && nginx_) {
      co_return prove_nginx_reload(before, seen->identity, seen->log_known, seen->log_lines);
    }
    co_return judge(action, before, seen->identity);
  }

 private:
  // A probe, and what the status command says when there is one.
  Task<Result<ProbeResult>> look(std::optional<ServiceIdentity> before) {
    auto seen = co_await observer_.look(std::move(before));
    if (!seen || !seen->identity.active || config_.status.empty()) co_return seen;
    const auto status = co_await host_->exec(config_.status, {}, kStatusDeadlineMs, host_->sudo());
    if (!status) co_return tl::unexpected<Error>(status.error());
    if (status->exit_code != 0) {
      seen->identity.active = false;
      seen->identity.state = "status command: " + describe_exit(*status);
    }
    co_return seen;
  }

  Check running_check(const Result<ProbeResult>& seen) const {
    if (config_.pid_file.empty()) {
      return check("Process", CheckStatus::fail,
                   "no pid_file is configured: nothing would prove a restart",
                   "set `pid_file:` of the service");
    }
    if (!seen) return unknown_check("Process", seen.error());
    const ServiceIdentity& now = seen->identity;
    if (!now.active) {
      return check("Process", CheckStatus::fail,
                   now.main_pid > 0 ? now.state : config_.pid_file + " names no running process",
                   "start it first");
    }
    std::string text = "PID " + std::to_string(now.main_pid) + " runs";
    if (nginx_)
      text += ", " + std::to_string(now.workers.size()) + " worker" +
              (now.workers.size() == 1 ? "" : "s");
    if (nginx_ && now.log_offset < 0) {
      return check("Process", CheckStatus::warn,
                   text + "; its error log cannot be read, so a reload is not chosen",
                   "set `error_log:` of the service");
    }
    return check("Process", CheckStatus::pass, text);
  }

  ServiceReading judge(Action action, const ServiceIdentity& before,
                       const ServiceIdentity& now) const {
    const auto say = [&](ServiceVerdict verdict, const std::string& text) {
      return ServiceReading{verdict, now, evidence(text)};
    };
    if (!now.active) {
      return say(ServiceVerdict::down,
                 now.main_pid > 0 ? now.state : config_.pid_file + " names no running process");
    }
    const bool same = now.main_pid == before.main_pid && now.start_time == before.start_time;
    const std::string change = before.main_pid > 0
                                   ? "PID changed: " + std::to_string(before.main_pid) + " → " +
                                         std::to_string(now.main_pid)
                                   : "PID " + std::to_string(now.main_pid);
    if (action == Action::reload) {
      return say(ServiceVerdict::indeterminate,
                 same ? "a reload of an unknown program cannot be proven"
                      : "restarted, not reloaded: " + change);
    }
    // The old one may still be on its way out, when the command does not wait for it.
    if (same)
      return say(ServiceVerdict::indeterminate,
                 "PID " + std::to_string(now.main_pid) + " is still the one from before");
    if (nginx_ && now.workers.empty())
      return say(ServiceVerdict::indeterminate, change + ", no workers yet");
    return say(ServiceVerdict::proven, change);
  }

  ports::Host* host_;
  CommandConfig config_;
  bool nginx_;
  ConfigTree tree_;
  Observer observer_;
};

}  // namespace

std::unique_ptr<ports::Service> make_command_service(ports::Host& host, CommandConfig config) {
  return std::make_unique<CommandService>(&host, std::move(config));
}

}  // namespace hitless::service
