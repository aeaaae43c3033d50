// PostgreSQL: it says itself when it loaded its configuration, what of it is wrong and what waits
// for a restart (pg_conf_load_time, pg_file_settings, pg_settings), so that nothing is taken from
// an exit code. A restart is a new postmaster that accepts queries.
#include "adapters/service/acting.hpp"
#include "adapters/service/config_tree.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/observer.hpp"
#include "adapters/service/pending_edits.hpp"
#include "adapters/service/postgresql_facts.hpp"
#include "adapters/service/preflight.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/staging.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

std::string pid_file(const PostgresqlConfig& config) {
  return config.unit.empty() ? config.data_dir + "/postmaster.pid" : std::string();
}

ProbeQuery query_of(const PostgresqlConfig& config) {
  ProbeQuery query;
  query.unit = config.unit;
  query.pid_file = pid_file(config);
  return query;
}

StagedTest test_of(const PostgresqlConfig& config) {
  StagedTest test;
  test.argv = postgresql_test(config);
  test.title = "postgres -C";
  return test;
}

class PostgresqlService final : public ports::Service {
 public:
  PostgresqlService(ports::Host* host, PostgresqlConfig config)
      : host_(host),
        config_(std::move(config)),
        tree_(host, config_.config_files, Dialect::plain),
        observer_(host, &tree_, query_of(config_)) {}

  std::string describe() const override {
    return "PostgreSQL (" + (config_.unit.empty() ? config_.data_dir : config_.unit) + ")";
  }

  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    const auto facts = co_await ask_postgresql(host_, config_);
    if (!facts) co_return tl::unexpected<Error>(facts.error());
    ports::ServiceCapabilities can;
    can.can_reload = can.proves_reload = true;
    can.reload_failure_mode = ports::ReloadFailureMode::keeps_old;
    co_return can;
  }

  Task<Result<ServiceIdentity>> identity() override {
    auto seen = co_await observer_.look();
    if (!seen) co_return tl::unexpected<Error>(std::move(seen.error()));
    // One that is down has no generation; that is no reason not to know its process.
    if (seen->identity.active) {
      if (const auto facts = co_await ask_postgresql(host_, config_))
        seen->identity.workers = generation_of(*facts);
    }
    co_return std::move(seen->identity);
  }

  Task<std::vector<Check>> validate() override {
    PreflightQuery query{config_.unit, {}, {}};
    if (!config_.config_files.empty()) query.config_files = {config_.config_files.front()};
    query.programs = {config_.psql, config_.bin_dir + "/postgres"};
    if (config_.unit.empty()) query.programs.push_back(config_.bin_dir + "/pg_ctl");
    std::vector<Check> checks = co_await preflight(host_, std::move(query));
    const auto facts = co_await ask_postgresql(host_, config_);
    if (!facts) {
      checks.push_back(unknown_check("PostgreSQL", facts.error()));
    } else {
      for (Check& each : judge(*facts)) checks.push_back(std::move(each));
      if (auto pending = co_await pending_edits_since(host_, &tree_, facts->loaded_s))
        checks.push_back(std::move(*pending));
    }
    if (!config_.config_files.empty()) checks.push_back(co_await test_config({}));
    co_return checks;
  }

  // With today's binary, which reads the settings. Of pg_hba.conf only the running server can tell;
  // verify() asks it.
  Task<Check> test_config(ports::Files changed) override {
    const bool hba = std::ranges::any_of(
        changed, [](const auto& file) { return file.first.ends_with("pg_hba.conf"); });
    Check result = co_await test_staged(host_, &tree_, test_of(config_), std::move(changed));
    if (hba && result.status == CheckStatus::pass)
      result.evidence += "; pg_hba.conf can only be checked once it is loaded";
    co_return result;
  }

  Task<Result<ports::Files>> config_files() override { return tree_.read_all(); }

  Task<Result<std::optional<ports::ChangeNeeds>>> needed_for(ports::Files before,
                                                             ports::Files after) override {
    const PostgresqlChange change = postgresql_change(before, after);
    const auto facts = co_await ask_postgresql(host_, config_, change.settings);
    if (!facts) co_return tl::unexpected<Error>(facts.error());
    co_return judge_postgresql_change(change, facts->contexts);
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    if (!config_.unit.empty())
      co_return co_await act_on_unit(host_, config_.unit, std::move(order));
    std::vector<std::string> argv = postgresql_pg_ctl(config_, order.action);
    co_return co_await act_by_command(host_, pid_file(config_), std::move(argv), std::move(order));
  }

  Task<Result<core::Outcome>> await_act(std::string operation_id, DurationMs deadline_ms) override {
    if (!config_.unit.empty())
      co_return co_await await_unit_act(host_, std::move(operation_id), deadline_ms);
    co_return co_await await_command_act(host_, std::move(operation_id), deadline_ms);
  }

  Task<ServiceReading> verify(Action action, ServiceIdentity before) override {
    auto seen = co_await observer_.look();
    if (!seen) co_return cannot_tell(seen.error());
    ServiceReading process = judge_process(action, before, *seen);
    if (process.verdict != ServiceVerdict::proven) co_return process;
    const auto facts = co_await ask_postgresql(host_, config_);
    if (!facts) {
      process.verdict = ServiceVerdict::indeterminate;
      process.evidence = evidence(process.evidence + ", " + facts.error().what);
      co_return process;
    }
    process.now.workers = generation_of(*facts);
    if (action == Action::reload) co_return prove_postgresql_reload(before, process.now, *facts);
    co_return prove_postgresql_restart(before, std::move(process), *facts);
  }

 private:
  // proven: for a restart another postmaster, for a reload the same one.
  ServiceReading judge_process(Action action, const ServiceIdentity& before,
                               const ProbeResult& seen) const {
    const ServiceIdentity& now = seen.identity;
    if (seen.unit) {
      return action == Action::reload ? judge_still_there(before, now, *seen.unit)
                                      : judge_restart(before, now, *seen.unit);
    }
    const auto say = [&](ServiceVerdict verdict, const std::string& text) {
      return ServiceReading{verdict, now, evidence(text)};
    };
    if (!now.active) return say(ServiceVerdict::down, "no postmaster runs in " + config_.data_dir);
    const bool same = now.main_pid == before.main_pid && now.start_time == before.start_time;
    const std::string pid = std::to_string(now.main_pid);
    const std::string change = before.main_pid > 0
                                   ? "PID changed: " + std::to_string(before.main_pid) + " → " + pid
                                   : "PID " + pid;
    if (action == Action::reload) {
      return same ? say(ServiceVerdict::proven, "PID " + pid + " kept")
                  : say(ServiceVerdict::indeterminate, "restarted, not reloaded: " + change);
    }
    return same ? say(ServiceVerdict::indeterminate, "PID " + pid + " is still the one from before")
                : say(ServiceVerdict::proven, change);
  }

  static std::vector<Check> judge(const PostgresqlFacts& facts) {
    std::vector<Check> checks;
    checks.push_back(check("PostgreSQL", CheckStatus::pass,
                           facts.version + " since " + facts.started + " UTC, " +
                               std::to_string(facts.sessions) + " sessions" +
                               (facts.in_recovery ? ", in recovery (a standby)" : "")));
    std::vector<std::string> wrong = facts.file_errors;
    wrong.insert(wrong.end(), facts.hba_errors.begin(), facts.hba_errors.end());
    if (!wrong.empty()) {
      checks.push_back(check("Configuration on disk", CheckStatus::fail, join(wrong, "; "),
                             "correct it first: a restart with it would not come up"));
    } else if (!facts.pending.empty()) {
      checks.push_back(check("Configuration on disk", CheckStatus::warn,
                             "waits for a restart already: " + join(facts.pending, ", "),
                             "a restart activates it, whoever wrote it"));
    } else {
      checks.push_back(check("Configuration on disk", CheckStatus::pass,
                             "no errors, nothing waits for a restart"));
    }
    return checks;
  }

  ports::Host* host_;
  PostgresqlConfig config_;
  ConfigTree tree_;
  Observer observer_;
};

}  // namespace

std::unique_ptr<ports::Service> make_postgresql_service(ports::Host& host,
                                                        PostgresqlConfig config) {
  return std::make_unique<PostgresqlService>(&host, std::move(config));
}

}  // namespace hitless::service
