#include "engine/preflight.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "engine/package_ops.hpp"
#include "engine/shared_reading.hpp"

namespace hitless::engine {
namespace {

using core::Check;
using core::CheckStatus;

constexpr DurationMs kBaselineBudgetMs = 10'000;

// Collects what one preflight finds.
struct Work {
  const ServiceParts* parts;
  const InstanceParts* instance;
  PreflightOptions options;
  PreflightResult result;

  void add(Check check) { result.report.checks.push_back(std::move(check)); }
  void print(std::string name, std::string value) {
    result.fingerprint.emplace_back(std::move(name), std::move(value));
  }
};

std::string nodes_of(const InstanceReading& reading, const core::InstanceId& id) {
  std::vector<std::string> nodes;  // each once, also with several pools on it
  for (const core::TargetReport& report : reading.reports(id)) {
    if (!report.node.empty() && std::find(nodes.begin(), nodes.end(), report.node) == nodes.end())
      nodes.push_back(report.node);
  }
  return join(nodes, ", ");
}

// An earlier rollout of ours quarantined it, or was cut off: it is ours to work on and to put back.
bool left_out_by_us(const ServiceParts& parts, const core::InstanceId& id) {
  return std::find(parts.left_out.begin(), parts.left_out.end(), id) != parts.left_out.end();
}

std::string admin_words(const InstanceReading& reading, const core::InstanceId& id) {
  std::string words;
  for (const core::TargetReport& report : reading.reports(id)) {
    const char* word = report.admin == core::AdminState::maint ? "MAINT" : "DRAIN";
    if (report.admin != core::AdminState::ready)
      words += (words.empty() ? "" : ", ") + std::string(word) + " on " + report.node;
  }
  return words;
}

// Without the help, which a check shows by itself.
std::string words_of(const Error& error) {
  const std::string what = error.what.empty() ? name_of(error.code) : error.what;
  return error.where.empty() ? what : error.where + ": " + what;
}

std::string before_what(core::Intent intent) {
  switch (intent) {
    case core::Intent::restart:
    case core::Intent::reboot:
    case core::Intent::patch:
    case core::Intent::reload:
      break;
    case core::Intent::apply:
      return "change";  // what it needs is not known yet
  }
  return std::string(core::to_string(intent));
}

void check_connections(Work* work, const InstanceReading& reading) {
  const core::TargetReading& mine = reading.mine;
  const bool counted =
      std::ranges::any_of(reading.reports(work->instance->id),
                          [](const core::TargetReport& report) { return !report.uncounted; });
  work->result.report.connections = counted ? mine.in_flight : mine.host_connections;
  Check connections{"Current active connections", CheckStatus::pass, "", {}};
  if (!counted && mine.host_connections) {
    connections.evidence = std::to_string(*mine.host_connections) +
                           " sockets on the host (the load balancer does not count)";
  } else if (mine.in_flight) {
    connections.evidence = std::to_string(*mine.in_flight) + " (will be drained before the " +
                           before_what(work->options.intent) + ")";
    if (mine.host_connections)
      connections.evidence +=
          ", host counts " + std::to_string(*mine.host_connections) + " sockets";
  } else {
    connections.status = CheckStatus::unknown;
    connections.evidence = mine.note;
  }
  const bool need_host = work->parts->policy.drain.host_count && work->instance->port != 0;
  if (need_host && !mine.host_connections) {
    connections.status = CheckStatus::unknown;
    connections.evidence += ", the host's own sockets could not be counted";
    connections.help = "install `ss` on the host, or set `policy.drain.host_count: false`";
    if (reading.count_error) {
      connections.evidence += ": " + words_of(*reading.count_error);
      if (!reading.count_error->help.empty()) connections.help = reading.count_error->help;
    }
  }
  work->add(std::move(connections));
}

Task<void> check_traffic(Work* work) {
  const InstanceReading reading = co_await look_at(work->parts, work->instance, true);
  const core::InstanceId& id = work->instance->id;
  const core::TargetReading& mine = reading.mine;
  work->print("load balancer state", std::string(core::to_string(mine.state)));
  const std::string nodes = nodes_of(reading, id);
  Check check{"Load balancer healthcheck", CheckStatus::unknown, mine.note, {}};
  switch (mine.state) {
    case core::TargetState::in:
      check.status = CheckStatus::pass;
      check.evidence =
          (mine.check == core::LbCheck::none ? "in rotation, the load balancer does not check, on "
                                             : "PASSING on ") +
          nodes;
      break;
    case core::TargetState::in_unhealthy:
      check.status = CheckStatus::fail;
      check.evidence = "FAILING: in rotation, but the check does not pass on " + nodes;
      check.help = "find out what is wrong with it first; hitless only works on healthy instances";
      break;
    case core::TargetState::absent:
      check.status = CheckStatus::fail;
      check.evidence = "not registered. " + mine.note;
      check.help = "compare `pools:` in the fleet file with the load balancer's own configuration";
      break;
    case core::TargetState::out:
    case core::TargetState::draining:
    case core::TargetState::leaving:
      if (!left_out_by_us(*work->parts, id)) {
        work->result.report.skip_reason =
            "out of rotation by someone else's hand (" + admin_words(reading, id) + ")";
      }
      check.status = CheckStatus::warn;
      check.evidence = admin_words(reading, id);
      break;
    case core::TargetState::unknown:
      check.help = "the load balancer could not be asked; `hitless doctor` checks the way to it";
      if (work->parts->pools.empty()) {
        check.evidence = "the service is in no load balancer";
        check.help = "who cannot take it out of rotation may not touch it: give it `pools:`";
      }
      break;
  }
  work->add(std::move(check));

  check_connections(work, reading);
}

Task<void> check_service(Work* work) {
  auto identity = co_await work->instance->service->identity();
  if (!identity) {
    work->add({"Service", CheckStatus::unknown, words_of(identity.error()), identity.error().help});
    co_return;
  }
  work->result.report.identity = *identity;
  if (!identity->boot_id.empty()) {
    work->print("boot", identity->boot_id);
    for (const std::string& run : identity->workers)
      work->print("run of " + run.substr(0, run.find('=')), run.substr(run.find('=') + 1));
  } else {
    work->print("invocation", identity->invocation_id.empty()
                                  ? std::to_string(identity->main_pid) + "/" + identity->start_time
                                  : identity->invocation_id);
  }
  if (!identity->config_digest.empty())
    work->print("configuration on disk", identity->config_digest);
  for (Check& check : co_await work->instance->service->validate()) work->add(std::move(check));
}

// Every reload is drained first; for some services that is what saves the clients.
void say_what_a_bad_reload_does(Work* work, const ports::ServiceCapabilities& can) {
  switch (can.reload_failure_mode) {
    case ports::ReloadFailureMode::keeps_old:
      return;
    case ports::ReloadFailureMode::dies:
      work->add({"Reload",
                 CheckStatus::pass,
                 "drained first, because a reload that fails ends it; the way back is a restart",
                 {}});
      return;
    case ports::ReloadFailureMode::unknown:
      work->add({"Reload",
                 CheckStatus::pass,
                 "drained first; what a reload that fails does to it is not known",
                 {}});
      return;
  }
}

// Which of reload and restart this instance gets, and whether the driver can prove it.
Task<void> choose_action(Work* work, core::Action wanted) {
  auto capabilities = co_await work->instance->service->capabilities();
  if (!capabilities) {
    work->add({"Service driver", CheckStatus::unknown, describe(capabilities.error()), {}});
    co_return;
  }
  const bool reload_ok = capabilities->can_reload && capabilities->proves_reload;
  if (wanted == core::Action::reload && !reload_ok) {
    if (work->options.intent == core::Intent::reload) {
      work->add({"Reload", CheckStatus::fail,
                 capabilities->can_reload
                     ? "a reload of " + work->instance->service->describe() +
                           " cannot be proven to take effect"
                     : work->instance->service->describe() + " cannot be reloaded",
                 "use `hitless restart`"});
      co_return;
    }
    wanted = core::Action::restart;
  }
  if (wanted == core::Action::reload) say_what_a_bad_reload_does(work, *capabilities);
  work->result.action = wanted;
}

// A host is rebooted or not; what it says about needing it is for people, and for --if-needed.
Task<void> choose_reboot(Work* work) {
  work->add({"Rollback",
             CheckStatus::warn,
             "there is no way back from a reboot: a host that does not come back stays out of "
             "rotation, with an incident",
             {}});
  auto capabilities = co_await work->instance->service->capabilities();
  if (!capabilities) {
    work->add({"Reboot", CheckStatus::unknown, describe(capabilities.error()), {}});
    co_return;
  }
  const ports::ServiceCapabilities& can = *capabilities;
  if (work->options.if_needed && !can.needs_reboot) {
    work->result.report.skip_reason = "it does not ask for a reboot (/run/reboot-required)";
    co_return;
  }
  if (!can.reboots) {
    work->add({"Reboot", CheckStatus::fail, "this host is not rebooted from here",
               "it needs systemd, and must neither carry a load balancer nor be this machine"});
    co_return;
  }
  work->add({"Reboot",
             CheckStatus::pass,
             can.needs_reboot
                 ? "asked for by the host" +
                       (can.reboot_reason.empty() ? std::string() : " (" + can.reboot_reason + ")")
                 : "not asked for by the host, done all the same",
             {}});
  work->result.action = core::Action::reboot;
}

Task<void> check_packages(Work* work) {
  PackageWish wish;
  wish.names = work->options.packages;
  wish.without_way_back = work->options.without_way_back;
  wish.runs = !work->options.rollout.empty();
  wish.planned = packages_of(work->options.planned, work->instance->id);
  PackageFinding finding = co_await look_at_packages(work->instance, std::move(wish));
  for (Check& check : finding.checks) work->add(std::move(check));
  for (const core::PlannedPackage& each : finding.packages)
    work->print("package " + each.name, each.from + " → " + each.to);
  work->result.change_summary = finding.summary;
  work->result.packages = std::move(finding.packages);
  work->result.action = core::Action::restart;
  if (!finding.anything) work->result.report.skip_reason = "up to date";
}

std::string short_list(const confdiff::Files& files) {
  std::string text;
  for (const auto& [path, content] : files) text += (text.empty() ? "" : ", ") + path;
  return text;
}

Task<void> check_rollback(Work* work, const ConfigPlan* plan) {
  Check check{"Rollback config", CheckStatus::pass, "", {}};
  confdiff::Files previous;
  for (const auto& [path, content] : plan->changed) {
    if (const auto old = plan->on_disk.find(path); old != plan->on_disk.end())
      previous[path] = old->second;
  }
  if (work->options.rollout.empty()) {
    check.evidence = "will be kept beside each file as .backup-" + format_day(wall_now_ms());
  } else {
    auto backups =
        co_await back_up(work->parts, work->instance, plan, work->options.rollout, wall_now_ms());
    if (!backups) {
      work->add(
          {"Rollback config", CheckStatus::fail, words_of(backups.error()), backups.error().help});
      co_return;
    }
    auto files = co_await read_backups(work->instance->host, *backups);
    if (!files) {
      work->add(
          {"Rollback config", CheckStatus::fail, words_of(files.error()), files.error().help});
      co_return;
    }
    previous = std::move(*files);
    for (const core::Backup& backup : *backups) {
      check.evidence +=
          (check.evidence.empty() ? "" : ", ") +
          (backup.existed ? backup.backup_path : backup.path + " is new, rollback removes it");
    }
    check.evidence += " ready";
    work->result.report.backups = std::move(*backups);
  }
  // With today's binary: a package upgraded since then may refuse what ran until now.
  const Check tested = co_await work->instance->service->test_config(previous);
  if (tested.status == CheckStatus::warn) {  // there is nothing to test it with, as for the new one
    check.status = CheckStatus::warn;
    check.evidence += ", not tested: " + tested.evidence;
    check.help = tested.help;
  } else if (tested.status != CheckStatus::pass) {
    check.status = tested.status == CheckStatus::unknown ? CheckStatus::unknown : CheckStatus::fail;
    check.evidence =
        "today's binary does not accept the configuration that we would roll back to: " +
        tested.evidence;
    check.help = tested.help;
  } else {
    check.evidence += ", tested";
  }
  work->add(std::move(check));
}

Task<void> check_config_change(Work* work) {
  auto plan = co_await plan_config(work->parts, work->instance);
  if (!plan) {
    work->add({"New config diff", CheckStatus::unknown, words_of(plan.error()), plan.error().help});
    co_return;
  }
  const confdiff::Summary& summary = plan->diff.summary;
  work->result.report.diff = plan->unified;
  work->result.change_summary = summary.text;
  work->result.change_class = summary.change_class;
  if (plan->changed.empty()) {
    work->add({"New config diff", CheckStatus::pass, "no difference to what is on disk", {}});
    // Who was left out by us is put back, also when its configuration is right already.
    if (left_out_by_us(*work->parts, work->instance->id))
      co_await choose_action(work, core::Action::reload);
    else
      work->result.report.skip_reason = "up to date";
    co_return;
  }
  Check diff{"New config diff",
             CheckStatus::pass,
             summary.text + " (class " + confdiff::name_of(summary.change_class) + ")",
             {}};
  if (summary.change_class == confdiff::ChangeClass::human_only) {
    diff.status = CheckStatus::fail;
    diff.help = "this change is not made without a person: make it by hand, or split it";
    for (const confdiff::Change& change : plan->diff.changes) {
      if (change.change_class == confdiff::ChangeClass::human_only)
        diff.evidence += "; " + change.path + ": " + change.reason;
    }
  }
  if (plan->diff.after_error)
    diff.evidence +=
        "; " + confdiff::place_of(*plan->diff.after_error) + ": " + plan->diff.after_error->what;
  work->add(std::move(diff));
  const std::string bar = co_await what_bars(work->instance->host, &*plan);
  if (!bar.empty())
    work->add({"Destination", CheckStatus::fail, bar,
               "name the file itself, not a link to it, in a folder that is there"});
  Check test = co_await work->instance->service->test_config(plan->changed);
  test.name = "New configuration tested";
  if (test.evidence.empty()) test.evidence = short_list(plan->changed);
  work->add(std::move(test));
  if (bar.empty()) co_await check_rollback(work, &*plan);  // nothing is written for what is refused
  const core::Action wanted =
      plan->action == core::Action::none ? core::Action::reload : plan->action;
  co_await choose_action(work, wanted);
}

Task<void> probe_dependency(const Dependency* dependency, core::HealthReading* out) {
  *out = co_await dependency->check->probe();
}

Task<Check> check_dependencies(const ServiceParts* parts) {
  std::vector<core::HealthReading> readings(parts->dependencies.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < readings.size(); ++i)
    tasks.push_back(probe_dependency(&parts->dependencies[i], &readings[i]));
  co_await join_all(std::move(tasks));
  Check check{"Downstream dependencies", CheckStatus::pass, "", {}};
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const bool ok = readings[i].status == core::HealthStatus::pass;
    if (!check.evidence.empty()) check.evidence += ", ";
    check.evidence += parts->dependencies[i].name +
                      (ok ? " reports healthy" : " is not healthy: " + readings[i].evidence);
    if (ok) continue;
    check.status =
        readings[i].status == core::HealthStatus::fail ? CheckStatus::fail : CheckStatus::unknown;
    check.help =
        "wait until the dependency is healthy: a rollout now could not tell its failures from "
        "yours";
  }
  if (readings.empty()) check.evidence = "none configured";
  co_return check;
}

Task<void> check_health(Work* work) {
  if (work->instance->health == nullptr) co_return;
  const core::HealthReading reading = co_await work->instance->health->probe();
  Check check{"Health endpoint", CheckStatus::fail, reading.evidence, {}};
  if (reading.status == core::HealthStatus::pass) check.status = CheckStatus::pass;
  if (reading.status == core::HealthStatus::unknown) check.status = CheckStatus::unknown;
  if (check.status != CheckStatus::pass)
    check.help = "the instance is unfit already; hitless only works on healthy ones";
  const bool healthy = check.status == CheckStatus::pass;
  work->add(std::move(check));
  const core::VerifyPolicy& policy = work->parts->policy.verify;
  if (!healthy || !policy.compare_latency) co_return;
  work->result.report.baseline =
      co_await measure_baseline(work->instance->health, policy.latency_samples, kBaselineBudgetMs);
  const core::LatencyBaseline& base = work->result.report.baseline;
  Check latency{"Latency baseline",
                CheckStatus::pass,
                fmt::format("{:.1f}ms median, {:.1f}ms p95 ({} samples)",
                            static_cast<double>(base.median_us) / 1000.0,
                            static_cast<double>(base.p95_us) / 1000.0, base.samples),
                {}};
  if (base.samples < policy.latency_samples) {
    latency.status = CheckStatus::unknown;
    latency.evidence = fmt::format("only {} of {} samples: too few to compare with later",
                                   base.samples, policy.latency_samples);
    latency.help = "set `policy.verify.samples` lower or `compare_latency: false`";
  }
  work->add(std::move(latency));
}

}  // namespace

namespace {

Task<void> check_dependencies_into(const ServiceParts* parts, Check* out) {
  *out = co_await check_dependencies(parts);
}

Task<void> probe_into(ports::Health* health, core::HealthReading* out) {
  *out = co_await health->probe();
}

// What was found at the same time, in the order in which it is told.
void append(PreflightResult& to, PreflightResult&& from) {
  core::PreflightReport& report = to.report;
  std::ranges::move(from.report.checks, std::back_inserter(report.checks));
  std::ranges::move(from.fingerprint, std::back_inserter(to.fingerprint));
  report.identity = std::move(from.report.identity);
}

}  // namespace

Task<PreflightResult> preflight(const ServiceParts* parts, const InstanceParts* instance,
                                PreflightOptions options) {
  Work work{parts, instance, options, {}}, service{parts, instance, options, {}};
  Check dependencies;
  std::vector<Task<void>> looks;
  looks.push_back(check_traffic(&work));
  looks.push_back(check_service(&service));
  looks.push_back(check_dependencies_into(parts, &dependencies));
  co_await join_all(std::move(looks));
  if (!work.result.report.skip_reason.empty()) co_return std::move(work.result);
  append(work.result, std::move(service.result));
  if (work.options.intent == core::Intent::apply) {
    co_await check_config_change(&work);
    if (!work.result.report.skip_reason.empty()) co_return std::move(work.result);
  } else if (work.options.intent == core::Intent::reboot) {
    co_await choose_reboot(&work);
    if (!work.result.report.skip_reason.empty()) co_return std::move(work.result);
  } else if (work.options.intent == core::Intent::patch) {
    co_await check_packages(&work);
    if (!work.result.report.skip_reason.empty()) co_return std::move(work.result);
  } else {
    const bool reload = work.options.intent == core::Intent::reload;
    work.add({"Rollback config", CheckStatus::pass, "not needed: no configuration is changed", {}});
    co_await choose_action(&work, reload ? core::Action::reload : core::Action::restart);
  }
  work.add(std::move(dependencies));
  co_await check_health(&work);  // alone: it measures latency
  co_return std::move(work.result);
}

Task<core::Outcome> recheck(const ServiceParts* parts, const InstanceParts* instance) {
  core::Outcome outcome;
  outcome.status = core::OutcomeStatus::ok;
  Check dependencies;
  core::HealthReading reading;
  std::vector<Task<void>> looks;
  looks.push_back(check_dependencies_into(parts, &dependencies));
  if (instance->health != nullptr) looks.push_back(probe_into(instance->health, &reading));
  co_await join_all(std::move(looks));
  if (dependencies.status != CheckStatus::pass) {
    outcome.status = dependencies.status == CheckStatus::fail ? core::OutcomeStatus::failed
                                                              : core::OutcomeStatus::unknown;
    outcome.detail = dependencies.evidence;
    co_return outcome;
  }
  if (instance->health != nullptr && reading.status != core::HealthStatus::pass) {
    outcome.status = reading.status == core::HealthStatus::fail ? core::OutcomeStatus::failed
                                                                : core::OutcomeStatus::unknown;
    outcome.detail = "health: " + reading.evidence;
  }
  co_return outcome;
}

}  // namespace hitless::engine
