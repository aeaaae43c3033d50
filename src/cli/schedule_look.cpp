#include "cli/schedule_look.hpp"

#include <charconv>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::cli {
namespace {

Result<TimeMs> known_since(ports::Journal& journal, const fleet::Schedule& schedule, TimeMs now) {
  auto kept = journal.get_fact(fact_of(schedule));
  if (!kept) return tl::unexpected<Error>(kept.error());
  TimeMs since = 0;
  const char* end = kept->data() + kept->size();
  const auto [at, error] = std::from_chars(kept->data(), end, since);
  if (!kept->empty() && error == std::errc() && at == end && since <= now) return since;
  if (Status ok = journal.put_fact(fact_of(schedule), std::to_string(now)); !ok)
    return tl::unexpected<Error>(ok.error());
  return now;
}

agent::Finding finding(const fleet::Schedule& schedule, TimeMs due) {
  agent::Finding found;
  found.trigger = agent::Trigger::schedule;
  found.rule = schedule.name;
  found.instance = schedule.service;
  found.occurrence = format_timestamp(due);
  found.evidence = "due since " + fleet::wall_clock(due, schedule.time_zone);
  for (const agent::Wish wish : {agent::Wish::restart, agent::Wish::reload, agent::Wish::apply,
                                 agent::Wish::patch, agent::Wish::reboot})
    if (schedule.intent == agent::to_string(wish)) found.proposal.wish = wish;
  found.proposal.service = schedule.service;
  found.proposal.hosts = schedule.hosts;
  found.proposal.reason = name_of(found) + ": " + found.evidence;
  return found;
}

}  // namespace

std::string fact_of(const fleet::Schedule& schedule) {
  std::string text = schedule.service + "\n" + schedule.intent + "\n" + schedule.time_zone + "\n" +
                     std::to_string(schedule.at.days) + "\n" + std::to_string(schedule.at.minutes) +
                     "\n" + join(schedule.hosts, ",");
  return "schedule:" + schedule.name + ":" + sha256_hex(text).substr(0, 16);
}

std::optional<TimeMs> due_at(const fleet::Schedule& schedule, TimeMs known_since, TimeMs now) {
  const auto due = fleet::last_due(schedule.at, schedule.time_zone, now);
  if (!due || *due <= known_since || now - *due > schedule.within_ms) return std::nullopt;
  return due;
}

void look_at_schedules(const App& app, const fleet::Fleet& fleet, const std::string& only_service,
                       TriggerLook* look) {
  if (fleet.schedules.empty()) return;
  auto journal = open_journal(app, true);
  for (const fleet::Schedule& schedule : fleet.schedules) {
    if (!only_service.empty() && only_service != schedule.service) continue;
    const TimeMs now = wall_now_ms();
    auto since = journal ? known_since(**journal, schedule, now)
                         : Result<TimeMs>(tl::unexpected<Error>(journal.error()));
    if (!since) {
      look->unknown.push_back("schedule " + schedule.name + ": " + describe(since.error()));
    } else if (const auto due = due_at(schedule, *since, now)) {
      look->findings.push_back(finding(schedule, *due));
    }
  }
}

}  // namespace hitless::cli
