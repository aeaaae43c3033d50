#include "cli/trigger_look.hpp"

#include <charconv>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "cli/narrate.hpp"
#include "cli/unit_memory.hpp"
#include "engine/planner.hpp"

namespace hitless::cli {
namespace {

using agent::Trigger;
using agent::Wish;

constexpr DurationMs kLookDeadlineMs = 30'000;

// $1: the unit. Lines: its start, its memory, why needrestart cannot be asked; z: that was all.
std::string look_script() {
  return R"sh(
LC_ALL=C; export LC_ALL
echo "i $(systemctl show -p InvocationID --value -- "$1" 2>/dev/null)"
kib=$()sh" +
         kUnitMemoryScript + R"sh()
[ -z "$kib" ] || echo "m $kib"
command -v needrestart >/dev/null 2>&1 || [ -x /usr/sbin/needrestart ] || echo 'x needrestart is not installed'
echo z
)sh";
}

agent::Finding finding(Trigger trigger, const Wiring& wiring, const engine::InstanceParts& instance,
                       Wish wish, std::string evidence, std::string occurrence) {
  agent::Finding found;
  found.occurrence = std::move(occurrence);
  found.trigger = trigger;
  found.instance = instance.id.value;
  found.evidence = std::move(evidence);
  found.proposal.wish = wish;
  found.proposal.service = wiring.parts.name;
  found.proposal.hosts = {instance.host_name};
  found.proposal.reason = std::string(agent::to_string(trigger)) + ": " + found.evidence;
  return found;
}

struct Said {
  std::string invocation, needrestart;
  std::optional<std::int64_t> kib;
  std::vector<std::string> unknown;
  bool whole = false;
};

Said parse(std::string_view out) {
  Said said;
  for (const std::string& line : split(out, '\n')) {
    if (line == "z") said.whole = true;
    if (line.size() < 2 || line[1] != ' ') continue;
    const std::string rest = line.substr(2);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (line[0] == 'm' && error == std::errc()) said.kib = value;
    if (line[0] == 'i') said.invocation = rest;
    if (line[0] == 'x') said.unknown.push_back(rest);
  }
  return said;
}

void judge(const Wiring& wiring, const engine::InstanceParts& instance, const Said& said,
           Histories& histories, TriggerLook& look) {
  for (const std::string& each : said.unknown)
    look.unknown.push_back(instance.host_name + ": " + each);
  if (said.needrestart.empty()) look.blind.insert({Trigger::pending_restart, instance.id.value});
  for (const std::string& unit : agent::pending_units(said.needrestart)) {
    if (unit == wiring.unit)
      look.findings.push_back(finding(Trigger::pending_restart, wiring, instance, Wish::restart,
                                      unit + " still runs files that an upgrade has replaced",
                                      said.invocation));
  }
  if (!said.kib || said.invocation.empty()) {
    look.unknown.push_back(instance.id.value + ": its memory could not be read");
    look.blind.insert({Trigger::memory_growth, instance.id.value});
    return;
  }
  agent::MemoryHistory& history = histories[instance.id.value];
  history.add(said.invocation, {wall_now_ms(), *said.kib});
  if (const auto grows = agent::growth(history))
    look.findings.push_back(finding(Trigger::memory_growth, wiring, instance, Wish::restart,
                                    agent::describe(*grows), said.invocation));
}

// As root where the host has `sudo: true`; only root sees the processes of others.
Task<void> ask_needrestart(ports::Host* host, Said* said) {
  auto ran = co_await host->exec({"needrestart", "-b", "-r", "l"}, {}, kLookDeadlineMs, true);
  if (!ran) {
    said->unknown.push_back("needrestart: " + describe(ran.error()));
  } else if (ran->out.find("NEEDRESTART-VER:") == std::string::npos) {
    said->unknown.push_back("needrestart: " + truncate_utf8(trim(ran->err), 200));
  } else {
    said->needrestart = ran->out;
  }
}

Task<void> look_at_host(const Wiring* wiring, const engine::InstanceParts* instance,
                        Histories* histories, TriggerLook* look) {
  auto ran = co_await instance->host->script(look_script(), {wiring->unit}, kLookDeadlineMs, false);
  if (!ran) {
    look->unknown.push_back(describe(ran.error()));
    look->blind.insert({Trigger::pending_restart, instance->id.value});
    look->blind.insert({Trigger::memory_growth, instance->id.value});
    co_return;
  }
  Said said = parse(ran->out);
  if (!said.whole) look->unknown.push_back(instance->host_name + ": the look broke off");
  if (said.whole && said.unknown.empty()) co_await ask_needrestart(instance->host, &said);
  judge(*wiring, *instance, said, *histories, *look);
}

// What a plan to apply the fleet file's configuration would change.
Task<void> look_for_drift(Wiring* wiring, TriggerLook* look) {
  bool has_files = false;
  for (const engine::InstanceParts& instance : wiring->parts.instances)
    has_files |= !instance.files.empty();
  if (!has_files) co_return;
  engine::PlanOptions options;
  options.intent = core::Intent::apply;
  auto draft = co_await engine::make_plan(&wiring->parts, options);
  if (!draft) {
    look->unknown.push_back(wiring->parts.name + ": configuration: " + describe(draft.error()));
    for (const engine::InstanceParts& instance : wiring->parts.instances)
      look->blind.insert({Trigger::drift, instance.id.value});
    co_return;
  }
  for (const engine::InstanceDraft& each : draft->instances) {
    const engine::InstanceParts* instance = wiring->parts.instances.find(each.id);
    if (instance == nullptr || each.preflight.report.diff.empty()) continue;
    look->findings.push_back(finding(Trigger::drift, *wiring, *instance, Wish::apply,
                                     "the configuration there is not that of the fleet file (" +
                                         draft->plan.change_summary + ")",
                                     sha256_hex(each.preflight.report.diff)));
  }
}

}  // namespace

Task<void> look_for_triggers(Wiring* wiring, Histories* histories, TriggerLook* look) {
  look->services.push_back(wiring->parts.name);
  std::vector<Task<void>> looks;
  if (!wiring->unit.empty()) {
    for (const engine::InstanceParts& instance : wiring->parts.instances)
      looks.push_back(look_at_host(wiring, &instance, histories, look));
  }
  co_await join_all(std::move(looks));
  co_await look_for_drift(wiring, look);
}

}  // namespace hitless::cli
