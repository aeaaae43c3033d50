// doctor: the way to every host, load balancer, health endpoint and sink. Each failure prints its
// fix. With --json one line for each finding.
#include <fmt/format.h>

#include <algorithm>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/load.hpp"
#include "cli/narrate.hpp"
#include "cli/sudoers_text.hpp"
#include "cli/wiring.hpp"
#include "core/names.hpp"
#include "engine/traffic_ops.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kMaxClockSkewMs = 5'000;
constexpr DurationMs kHostDeadlineMs = 15'000;

struct Findings {
  App* app;
  int bad = 0;
  std::vector<std::string> no_way;  // hosts that cannot be worked on, which has been said

  // Its help stands on a line of its own, and so does not stand in the evidence.
  void add(const std::string& what, Error error) {
    const std::string help = std::exchange(error.help, {});
    if (error.where == what) error.where.clear();
    add(core::CheckStatus::fail, what, describe(error), help);
  }

  void add(core::CheckStatus status, const std::string& what, const std::string& evidence,
           const std::string& help = {}) {
    if (status == core::CheckStatus::fail || status == core::CheckStatus::unknown) ++bad;
    if (app->options.json) {
      fmt::print(R"({{"format_version":1,"status":"{}","what":{},"evidence":{},"help":{}}})"
                 "\n",
                 core::to_string(status), journal::quote_json(what), journal::quote_json(evidence),
                 journal::quote_json(help));
      return;
    }
    const Terminal& t = app->out;
    const bool good = status == core::CheckStatus::pass;
    std::string glyph = good ? t.paint(Ink::good, t.tick()) : t.paint(Ink::bad, t.cross());
    if (status == core::CheckStatus::warn) glyph = t.paint(Ink::warn, t.warning());
    if (status == core::CheckStatus::unknown) glyph = t.paint(Ink::warn, t.question());
    fmt::print("  {} {}: {}\n", glyph, escape_for_terminal(what),
               t.plain(escape_for_terminal(evidence)));
    if (!good && !help.empty())
      fmt::print("      = help: {}\n", t.plain(escape_for_terminal(help)));
  }

  // Lines that are no findings: for people only.
  void say(const std::string& text) const {
    if (!app->options.json) fmt::print("{}\n", text);
  }
};

Task<void> check_host(Findings* findings, ports::Host* host) {
  const TimeMs before = wall_now_ms();
  auto said = co_await host->exec({"date", "+%s"}, {}, kHostDeadlineMs);
  if (!said || said->exit_code != 0) {
    const Error error = said ? Error{ErrorCode::failed, said->err, {}, {}} : said.error();
    findings->add(host->name(), error);
    findings->no_way.push_back(host->name());
    co_return;
  }
  findings->add(core::CheckStatus::pass, host->name(),
                fmt::format("answers in {}ms", wall_now_ms() - before));
  const TimeMs theirs = std::atoll(said->out.c_str()) * 1000;
  const TimeMs skew = theirs - wall_now_ms();
  if (std::abs(skew) > kMaxClockSkewMs) {
    findings->add(core::CheckStatus::warn, host->name(),
                  fmt::format("its clock is {} off", format_duration(std::abs(skew))),
                  "run an NTP client there");
  }
  if (!host->sudo()) co_return;
  auto root = co_await host->exec({"true"}, {}, kHostDeadlineMs, true);
  const bool ok = root && root->exit_code == 0;
  if (!ok) findings->no_way.push_back(host->name());
  findings->add(
      ok ? core::CheckStatus::pass : core::CheckStatus::fail, host->name() + " sudo -n",
      ok ? "works without a password" : (root ? redact(root->err) : root.error().what),
      "put the lines of `hitless doctor --sudoers` into /etc/sudoers.d/hitless on that host");
}

Task<void> check_instances(Findings* findings, const Wiring* wiring) {
  const engine::FullReading reading = co_await engine::read_traffic(&wiring->parts);
  for (const core::TargetReport& report : reading.reports) {
    const bool known =
        report.admin != core::AdminState::unknown && report.admin != core::AdminState::absent;
    if (known) continue;
    findings->add(core::CheckStatus::fail, report.pool + " @ " + report.node,
                  report.instance.value + ": " + report.note,
                  report.admin == core::AdminState::absent
                      ? "`pools:` must name it as the load balancer does"
                      : "can it be reached, and may it be asked? HAProxy: the stats socket needs "
                        "`level admin`");
  }
  for (const auto& pool : wiring->pools) {
    auto capabilities = co_await pool->capabilities();
    if (!capabilities) {
      findings->add(pool->describe(), capabilities.error());
      continue;
    }
    findings->add(core::CheckStatus::pass, pool->describe(), "answers");
    if (!capabilities->survives_lb_reload && capabilities->remarks.empty()) {
      findings->add(core::CheckStatus::warn, pool->describe(),
                    "a reload of the load balancer may forget drains (hitless re-asserts them)",
                    "load-server-state-from-file global");
    }
    for (const std::string& remark : capabilities->remarks)
      findings->add(core::CheckStatus::warn, pool->describe(), remark);
  }
  for (const engine::InstanceParts& instance : wiring->parts.instances) {
    const std::string host = host_part(instance.id);
    if (std::find(findings->no_way.begin(), findings->no_way.end(), host) !=
        findings->no_way.end()) {
      findings->add(core::CheckStatus::unknown, instance.id.value,
                    "not looked at: " + host + " cannot be worked on, see above");
    } else {
      for (const core::Check& check : co_await instance.service->validate())
        findings->add(check.status, instance.id.value + " " + check.name, check.evidence,
                      check.help);
    }
    if (instance.health == nullptr) continue;
    const core::HealthReading health = co_await instance.health->probe();
    findings->add(health.status == core::HealthStatus::pass ? core::CheckStatus::pass
                                                            : core::CheckStatus::fail,
                  instance.id.value + " health", health.evidence,
                  instance.health->describe() + " must answer as `health:` says");
  }
}

Task<void> examine(Findings* findings, const Wiring* wiring) {
  for (const auto& host : wiring->hosts) co_await check_host(findings, host.get());
  co_await check_instances(findings, wiring);
}

Task<void> check_sinks(Findings* findings, const std::vector<std::unique_ptr<ports::Sink>>* sinks) {
  for (const auto& sink : *sinks) {
    ports::Notification test;
    test.key = "doctor/" + std::to_string(wall_now_ms());
    test.kind = ports::NotificationKind::test;
    test.title = "hitless doctor: a test message";
    test.text = "If you can read this, notifications reach you.";
    test.actor = actor_name();
    test.at = wall_now_ms();
    auto delivered = co_await sink->deliver(std::move(test));
    const bool ok = delivered.has_value();
    findings->add(ok ? core::CheckStatus::pass : core::CheckStatus::fail,
                  "notification " + sink->name(),
                  ok ? "test message delivered" : delivered.error().error.what,
                  ok ? "" : delivered.error().error.help);
  }
}

bool uses_sudo(const fleet::Fleet& fleet, const fleet::Service& service) {
  return std::any_of(service.hosts.begin(), service.hosts.end(), [&](const std::string& name) {
    const fleet::Host* host = fleet.host(name);
    return host != nullptr && host->sudo;
  });
}

// Nothing but the text, ready for visudo; no host is contacted.
int print_sudoers(const App& app, const fleet::Fleet& fleet) {
  const auto text = sudoers_text(fleet, app.options.service);
  if (!text) {
    fmt::print(stderr, "error: {}\n", escape_for_terminal(describe(text.error())));
    if (!text.error().help.empty())
      fmt::print(stderr, "   = help: {}\n", escape_for_terminal(text.error().help));
    return kConfig;
  }
  if (text->empty())
    fmt::print(stderr, "No host of the fleet file has `sudo: true`; nothing is needed.\n");
  fmt::print("{}", *text);
  return kOk;
}

}  // namespace

int verb_doctor(App& app) {
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  const std::string& wanted = app.options.service;
  if (!wanted.empty() && fleet->service(wanted) == nullptr)
    return failed(app, wire(*fleet, wanted).error(), kUsage);
  if (app.options.sudoers) return print_sudoers(app, *fleet);
  Findings findings{&app, 0, {}};
  for (const auto& [name, service] : fleet->services) {
    if (!wanted.empty() && name != wanted) continue;
    findings.say(app.out.paint(Ink::bold, name));
    auto wiring = wire(*fleet, name);
    if (!wiring) {
      findings.add(name, wiring.error());
      continue;
    }
    run_with(std::move(*wiring), [&](Wiring* w) { return examine(&findings, w); });
    if (uses_sudo(*fleet, service)) findings.say("  minimal sudoers: hitless doctor --sudoers");
  }
  auto sinks = wire_sinks(*fleet);
  if (!sinks) {
    findings.add("notifications", sinks.error());
  } else if (!sinks->empty()) {
    findings.say(app.out.paint(Ink::bold, "notifications"));
    run_until_done([&] { return check_sinks(&findings, &*sinks); });
  }
  findings.say(findings.bad == 0 ? "All well."
                                 : fmt::format("{} thing{} to mend.", findings.bad,
                                               findings.bad == 1 ? "" : "s"));
  return findings.bad == 0 ? kOk : kError;
}

}  // namespace hitless::cli
