// Gates, freezes, windows, schedules and alerts: times that make sense, services and hosts that
// exist.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

constexpr DurationMs kMostGateMs = 30'000;
constexpr DurationMs kMostWithinMs = 24LL * 3'600'000;

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 60));
}

const Service* service_of(const LoadContext& context, const Reader& reader, const char* key,
                          const std::string& name) {
  if (const auto found = context.fleet.services.find(name); found != context.fleet.services.end())
    return &found->second;
  std::vector<std::string> known;
  for (const auto& [each, service] : context.fleet.services) known.push_back(each);
  const std::string meant = nearest(name, known);
  context.error("HL0252", reader.span(key), fmt::format("service `{}` is not defined", shown(name)),
                meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
  return nullptr;
}

// Only of the service: anything else would be worked on by a slip.
std::vector<std::string> hosts_of(const LoadContext& context, const Reader& reader,
                                  const Service& service) {
  std::vector<std::string> hosts = reader.words("hosts");
  for (const std::string& host : hosts) {
    if (std::find(service.hosts.begin(), service.hosts.end(), host) != service.hosts.end())
      continue;
    const std::string meant = nearest(host, service.hosts);
    context.error("HL0253", reader.span("hosts"),
                  fmt::format("`{}` does not run on `{}`", service.name, shown(host)),
                  meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
  }
  return hosts;
}

unsigned days_of(const Reader& reader) {
  unsigned days = 0;
  for (const std::string& each : reader.words("days"))
    if (auto parsed = parse_days(each)) days |= *parsed;
  return days == 0 ? kEveryDay : days;
}

// One that cannot be read was complained about already; it is left out, and the file refused.
std::optional<TimeRange> range_of(const LoadContext& context, const Reader& reader, bool widest) {
  TimeRange made;
  made.name = reader.text("name");
  made.time_zone = reader.text("time_zone");
  const std::string from = reader.text("from"), to = reader.text("to");
  if (!check_time_zone(made.time_zone) || !check_moment_or_time(from) || !check_moment_or_time(to))
    return std::nullopt;
  const auto from_time = parse_day_time(from), to_time = parse_day_time(to);
  if (from_time.has_value() != to_time.has_value()) {
    context.error("HL0251", reader.span("to"), "`from` and `to` are not of one kind",
                  "two times of day, or two dates");
    return std::nullopt;
  }
  if (from_time) {
    made.days = days_of(reader);
    made.from_minutes = from_time->minutes;
    made.to_minutes = to_time->minutes;
    if (made.from_minutes != made.to_minutes && made.from_minutes < 24 * 60) return made;
    context.error("HL0251", reader.span("to"), "it would begin and end at the same time",
                  "a whole day is 00:00 to 24:00");
    return std::nullopt;
  }
  if (reader.node("days") != nullptr)
    context.error("HL0251", reader.span("days"), "`days` has no meaning with dates",
                  "only with times of day");
  made.once = true;
  const auto first = widest ? WhenTwice::first : WhenTwice::last;
  const auto last = widest ? WhenTwice::last : WhenTwice::first;
  made.from = instant_of(*parse_moment(from), made.time_zone, first, false);
  made.to = instant_of(*parse_moment(to), made.time_zone, last, true);
  if (made.to > made.from) return made;
  context.error("HL0251", reader.span("to"), "`to` is not after `from`", "it would never hold");
  return std::nullopt;
}

template <class Take>
void each_of(const LoadContext& context, std::string_view key, const Take& take) {
  const Node* all = context.root.find(key);
  if (all == nullptr || all->kind != Node::Kind::list) return;
  for (const Node& item : all->items)
    if (item.kind == Node::Kind::map) take(item);
}

void check_names(const LoadContext& context, const Reader& reader, std::set<std::string>& names) {
  const std::string name = reader.text("name");
  if (!name.empty() && !names.insert(name).second)
    context.error("HL0210", reader.span("name"), fmt::format("`{}` is there twice", shown(name)));
}

}  // namespace

void decode_windows(const LoadContext& context, const Reader& policy, Policy& made) {
  const Node* all = policy.node("windows");
  if (all == nullptr || all->kind != Node::Kind::list) return;
  for (const Node& item : all->items) {
    if (item.kind != Node::Kind::map) continue;
    if (auto range = range_of(context, Reader(item, window_table()), false))
      made.windows.push_back(std::move(*range));
  }
}

void decode_gates(const LoadContext& context, const Reader& policy, Policy& made) {
  const Node* all = policy.node("gates");
  if (all == nullptr || all->kind != Node::Kind::list) return;
  std::set<std::string> names;
  for (const Node& item : all->items) {
    if (item.kind != Node::Kind::map) continue;
    const Reader reader(item, gate_table());
    check_names(context, reader, names);
    Gate gate;
    gate.name = reader.text("name");
    gate.url = reader.text("url");
    while (gate.url.ends_with('/')) gate.url.pop_back();
    gate.promql = reader.text("promql");
    if (reader.node("below") != nullptr) gate.below = reader.number("below");
    if (reader.node("above") != nullptr) gate.above = reader.number("above");
    gate.timeout_ms = reader.duration("timeout");
    if (gate.timeout_ms < 1 || gate.timeout_ms > kMostGateMs)
      context.error("HL0108", reader.span("timeout"), "`timeout` is at most 30s");
    made.gates.push_back(std::move(gate));
  }
}

void decode_calendar(LoadContext& context) {
  each_of(context, "freeze", [&](const Node& item) {
    const Reader reader(item, freeze_table());
    Freeze made;
    made.services = reader.words("services");
    for (const std::string& name : made.services)
      (void)service_of(context, reader, "services", name);
    auto range = range_of(context, reader, true);
    if (!range) return;
    made.range = std::move(*range);
    context.fleet.freezes.push_back(std::move(made));
  });
  std::set<std::string> names;
  each_of(context, "schedules", [&](const Node& item) {
    const Reader reader(item, schedule_table());
    check_names(context, reader, names);
    Schedule made;
    made.name = reader.text("name");
    made.service = reader.text("service");
    made.intent = reader.text("intent");
    made.time_zone = reader.text("time_zone");
    made.within_ms = reader.duration("within");
    if (made.within_ms > kMostWithinMs || made.within_ms < 60'000)
      context.error("HL0108", reader.span("within"), "`within` is from 1m to 24h");
    const Service* service = service_of(context, reader, "service", made.service);
    auto at = parse_weekly_time(reader.text("at"));
    if (service == nullptr || !at || !check_time_zone(made.time_zone)) return;
    made.at = *at;
    made.hosts = hosts_of(context, reader, *service);
    context.fleet.schedules.push_back(std::move(made));
  });
  names.clear();
  each_of(context, "alerts", [&](const Node& item) {
    const Reader reader(item, alert_table());
    check_names(context, reader, names);
    AlertRule made;
    made.name = reader.text("name");
    made.service = reader.text("service");
    made.intent = reader.text("intent");
    made.host_label = reader.text("host_label");
    const Node* match = reader.node("match");
    if (match != nullptr && match->kind == Node::Kind::map)
      for (std::size_t i = 0; i < match->keys.size(); ++i)
        made.match[match->keys[i].text] = match->items[i].text;
    const Service* service = service_of(context, reader, "service", made.service);
    if (service == nullptr) return;
    made.hosts = hosts_of(context, reader, *service);
    context.fleet.alerts.push_back(std::move(made));
  });
}

}  // namespace hitless::fleet
