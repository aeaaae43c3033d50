// Tables of `gates:`, `freeze:`, `windows:`, `schedules:` and `alerts:`.
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

constexpr std::int64_t kMostWords = 100;
constexpr std::int64_t kMostBound = 1'000'000'000'000'000;

Key time_zone() {
  return also({"tz", "timezone", "zone"},
              key("time_zone", text(Format::time_zone), "UTC", "Of the times here."));
}

Key days() {
  const Type some = text(Format::days);
  return key("days", one_of({some, list(some, 1, 7)}), "mon-sun",
             "On which it begins: mon, or mon-fri; only with times of day.");
}

Type some_hosts() {
  const Type host = text(Format::host_name);
  return one_of({host, list(host, 1, kMostWords)});
}

Key intent() {
  return needed(key("intent", choice({"restart", "reload", "apply", "reboot", "patch"}), "",
                    "What is wanted then."));
}

}  // namespace

const Table& freeze_table() {
  static const Table table{
      "freeze",
      "A time in which nothing is begun, except going back",
      {key("name", text(Format::text), "", "Shown to whoever is refused."),
       needed(key("from", text(Format::moment_or_time), "",
                  "A time of day (08:00) or a date (2026-12-24, or 2026-12-24 18:00).")),
       needed(key("to", text(Format::moment_or_time), "",
                  "The same; a date alone is the whole day, an earlier time of day the next day.")),
       days(), time_zone(),
       also({"service"}, key("services", one_or_list(text(Format::name)), "",
                             "Only these; default: all services."))},
      "",
      {},
      {}};
  return table;
}

const Table& window_table() {
  static const Table table{
      "window",
      "A time in which something may begin by itself",
      {key("name", text(Format::text), "", "For people."),
       needed(key("from", text(Format::moment_or_time), "", "As in freeze.")),
       needed(key("to", text(Format::moment_or_time), "", "As in freeze.")), days(), time_zone()},
      "",
      {},
      {}};
  return table;
}

const Table& gate_table() {
  static const Table table{
      "gate",
      "A question to Prometheus that holds rollouts up",
      {needed(key("name", text(Format::name), "", "Shown in checklists.")),
       needed(also({"prometheus"},
                   key("url", text(Format::http_url), "", "Prometheus: http://127.0.0.1:9090."))),
       needed(also({"query", "expr"}, key("promql", text(Format::text), "",
                                          "What is asked; each number of the answer counts."))),
       key("below", number(-kMostBound, kMostBound), "", "Good is what is below this."),
       key("above", number(-kMostBound, kMostBound), "", "Good is what is above this."),
       key("timeout", duration(), "5s", "For one answer; at most 30s.")},
      "",
      {"below", "above"},
      {}};
  return table;
}

const Table& schedule_table() {
  static const Table table{
      "schedule",
      "What calls for a rollout at a certain time",
      {needed(key("name", text(Format::name), "", "Shown in plans and the journal.")),
       needed(key("service", text(Format::name), "", "Of which service.")), intent(),
       also({"host"}, key("hosts", some_hosts(), "", "Only these; default: all of the service.")),
       needed(also({"when", "cron"}, key("at", text(Format::weekly_time), "",
                                         "sun 03:00, mon-fri 22:30, or 03:00 for every day."))),
       key("within", duration(), "1h",
           "So late it may still begin, when the watch did not look in time; at most 24h."),
       time_zone()},
      "",
      {},
      {}};
  return table;
}

const Table& alert_table() {
  static const Table table{
      "alert",
      "What an alert of Alertmanager calls for",
      {needed(key("name", text(Format::name), "", "Shown in plans and the journal.")),
       needed(also({"matchers", "labels"}, key("match", map(Format::name, text(Format::text)), "",
                                               "Labels of the alert; each must be equal."))),
       needed(key("service", text(Format::name), "", "Of which service.")), intent(),
       also({"host"}, key("hosts", some_hosts(), "", "Only these; default: all of the service.")),
       key("host_label", text(Format::name), "",
           "Label that says which of these hosts: its name, or its address with or without a "
           "port.")},
      "",
      {},
      {}};
  return table;
}

}  // namespace hitless::fleet
