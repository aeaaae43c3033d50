// status: what is in rotation, what is not, by whose hand, since when, and what puts it right.
#include <fmt/format.h>

#include <algorithm>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/service_lock.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/hands.hpp"
#include "cli/load.hpp"
#include "cli/narrate.hpp"
#include "cli/screen_plan.hpp"
#include "cli/waiting.hpp"
#include "cli/wiring.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "engine/traffic_ops.hpp"
#include "runtime/timeout.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kAlarmsDeadlineMs = 5'000;

struct Row {
  core::InstanceId id;
  core::TargetReading reading;
};

struct Seen {
  std::vector<Row> rows;
  std::vector<ports::WatchdogAlarm> alarms;
  std::string alarms_problem;
};

Task<void> read(const Wiring* wiring, Seen* seen) {
  engine::FullReading reading = co_await engine::read_traffic(&wiring->parts);
  for (const engine::InstanceParts& instance : wiring->parts.instances) {
    seen->rows.push_back({instance.id, reading.merged.at(instance.id)});
  }
  if (wiring->watchdog == nullptr) co_return;
  auto alarms = co_await with_timeout(wiring->watchdog->alarms(), kAlarmsDeadlineMs,
                                      "asking the hosts for watchdog alarms");
  if (alarms) {
    seen->alarms = std::move(*alarms);
  } else {
    seen->alarms_problem = describe(alarms.error());
  }
}

void print_json(const std::string& service, const std::vector<Row>& rows,
                const std::map<core::InstanceId, Hand>& hands) {
  for (const Row& row : rows) {
    const auto hand = hands.find(row.id);
    const bool ours = hand != hands.end();
    fmt::print(
        "{{\"format_version\":1,\"service\":{},\"instance\":{},\"state\":\"{}\",\"in_flight\":{},"
        "\"note\":{},\"out_by\":{},\"out_since\":{},\"next\":{}}}\n",
        journal::quote_json(service), journal::quote_json(row.id.value),
        core::to_string(row.reading.state),
        row.reading.in_flight ? std::to_string(*row.reading.in_flight) : "null",
        journal::quote_json(row.reading.note),
        ours ? journal::quote_json(hand->second.text) : "null",
        ours ? journal::quote_json(format_timestamp(hand->second.since)) : "null",
        ours ? journal::quote_json(hand->second.next) : "null");
  }
}

bool is_out(core::TargetState state) {
  return state != core::TargetState::in && state != core::TargetState::in_unhealthy;
}

void print_row(const App& app, const Row& row, std::size_t widest,
               const std::map<core::InstanceId, Hand>& hands, const char* stranger) {
  const core::TargetState state = row.reading.state;
  const Ink ink = state == core::TargetState::in
                      ? Ink::good
                      : (state == core::TargetState::unknown ? Ink::warn : Ink::bad);
  std::string why = row.reading.note;
  if (row.reading.standby && state == core::TargetState::in)
    why = "stands by: gets work only while the others are down" + (why.empty() ? "" : "; " + why);
  if (is_out(state) && state != core::TargetState::unknown && state != core::TargetState::absent) {
    const auto hand = hands.find(row.id);
    why = hand == hands.end() ? stranger
                              : "since " + format_timestamp(hand->second.since) + ", " +
                                    hand->second.text + ". Next: " + hand->second.next;
  }
  fmt::print("  {:<{}} {} {:>6}{}{}\n", host_part(row.id), widest,
             app.out.paint(ink, fmt::format("{:<13}", core::to_string(state))),
             row.reading.in_flight ? std::to_string(*row.reading.in_flight) : "?",
             why.empty() ? "" : "  ", app.out.plain(escape_for_terminal(why)));
}

void print_unfinished(const App& app, const ports::RolloutRow& row) {
  const bool runs = journal::ServiceLock::is_held(state_dir(app), row.service);
  fmt::print("  {} {} ({}, started {}) {}. Next: hitless {} {}\n",
             app.out.paint(Ink::warn, app.out.warning()), row.rollout, row.intent,
             format_timestamp(row.started_at), runs ? "runs now" : "was cut off",
             runs ? "watch" : "resume", row.rollout);
}

void print_untold(const App& app, const ports::RolloutRow& row) {
  if (journal::ServiceLock::is_held(state_dir(app), row.service)) return;  // it is being told
  fmt::print("  {} {} has ended ({}), and nobody was told of it yet. Next: hitless resume {}\n",
             app.out.paint(Ink::warn, app.out.warning()), row.rollout, row.result, row.rollout);
}

void print_alarms(const App& app, const Seen& seen) {
  for (const ports::WatchdogAlarm& alarm : seen.alarms) {
    fmt::print("  {} {}: the watchdog of {} fired on {} at {}: {}\n",
               app.out.paint(Ink::warn, app.out.warning()), host_part(alarm.instance),
               escape_for_terminal(alarm.rollout), escape_for_terminal(alarm.at),
               format_timestamp(alarm.fired_at), app.out.plain(escape_for_terminal(alarm.what)));
  }
  if (!seen.alarms_problem.empty()) {
    fmt::print("  {} watchdog alarms unknown: {}\n", app.out.paint(Ink::warn, app.out.warning()),
               app.out.plain(escape_for_terminal(seen.alarms_problem)));
  }
}

// All that was asked for: of some hosts only, or only what is out.
std::vector<Row> asked_for(const App& app, const std::vector<Row>& rows) {
  std::vector<Row> shown;
  const std::vector<std::string>& hosts = app.options.limit;
  for (const Row& row : rows) {
    const bool here =
        hosts.empty() || std::find(hosts.begin(), hosts.end(), host_part(row.id)) != hosts.end();
    const bool fits = !app.options.only_out || row.reading.state != core::TargetState::in;
    if (here && fits) shown.push_back(row);
  }
  return shown;
}

// Returns false when something is out or unknown.
bool show_service(App& app, const fleet::Fleet& fleet, const std::string& name,
                  ports::Journal* journal, const char* stranger) {
  auto wiring = wire(fleet, name, Sources::optional);
  if (!wiring) {
    print_error(app, wiring.error());
    return false;
  }
  Seen seen;
  const std::vector<std::string> pools = (*wiring)->pool_texts();
  if (pools.empty() && !app.options.json) {
    fmt::print("{}  in no load balancer, so nothing is in rotation or out of it\n",
               app.out.paint(Ink::bold, name));
    return true;
  }
  const std::int64_t floor = (*wiring)->parts.policy.capacity.floor;
  Waiting waiting(app, looking_at(**wiring));
  run_with(std::move(*wiring), [&](Wiring* w) { return read(w, &seen); });
  waiting.done();
  const std::vector<Row>& rows = seen.rows;
  Hands found;
  if (journal != nullptr) found = find_hands(*journal, name);
  if (journal::ServiceLock::is_held(state_dir(app), name)) {  // nothing is to be resumed
    for (auto& [id, hand] : found.out)
      if (!hand.unfinished.empty()) hand.next = "hitless watch " + hand.unfinished;
  }
  const std::map<core::InstanceId, Hand>& hands = found.out;
  if (app.options.json) {
    print_json(name, asked_for(app, rows), hands);
  } else {
    std::size_t serving = 0, widest = 12;
    for (const Row& row : rows) {
      serving += core::carries_load(row.reading) ? 1 : 0;
      widest = std::max(widest, host_part(row.id).size());
    }
    fmt::print("{}  serving {} of {} (floor {})  {}\n", app.out.paint(Ink::bold, name), serving,
               rows.size(), floor, join(pools, "; "));
    for (const Row& row : asked_for(app, rows)) print_row(app, row, widest, hands, stranger);
    for (const ports::RolloutRow& row : found.unfinished) print_unfinished(app, row);
    for (const ports::RolloutRow& row : found.untold) print_untold(app, row);
    print_alarms(app, seen);
  }
  for (const Row& row : rows) {
    if (row.reading.state != core::TargetState::in && !pools.empty()) return false;
  }
  return true;
}

}  // namespace

int verb_status(App& app) {
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  auto journal = open_journal(app, false);  // none yet is fine
  const char* stranger = "by someone else's hand (not in our journal)";
  if (!journal && journal.error().code != ErrorCode::not_found) {
    print_error(app, journal.error());
    stranger = "by whose hand is not known: our journal cannot be read";
  }
  bool all_in = true;
  for (const auto& [name, service] : fleet->services) {
    if (!app.options.service.empty() && name != app.options.service) continue;
    all_in &= show_service(app, *fleet, name, journal ? journal->get() : nullptr, stranger);
  }
  if (!app.options.service.empty() && fleet->service(app.options.service) == nullptr) {
    return failed(app, wire(*fleet, app.options.service).error(), kUsage);
  }
  return all_in ? kOk : kError;
}

}  // namespace hitless::cli
