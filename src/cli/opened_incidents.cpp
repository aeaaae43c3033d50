#include "cli/opened_incidents.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "cli/fact_fields.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBodyBytes = 2'000;
constexpr DurationMs kHourMs = 3'600'000;
constexpr const char* kIndex = "incidents";

std::string key_of(const std::string& id) {
  return "incident:" + id;
}

json::value fact(ports::Journal& journal, const std::string& key) {
  const auto text = journal.get_fact(key);
  if (!text || text->empty()) return {};
  boost::system::error_code error;
  json::value parsed = json::parse(*text, error);
  return error ? json::value() : parsed;
}

Status put(ports::Journal& journal, const OpenedIncident& incident) {
  json::array evidence;
  for (const agent::Evidence& each : incident.evidence)
    evidence.push_back(json::object{{"id", each.id},
                                    {"source", std::string(agent::to_string(each.source))},
                                    {"host", each.host},
                                    {"body", truncate_utf8(each.body, kMaxBodyBytes)}});
  return journal.put_fact(key_of(incident.id),
                          json::serialize(json::object{{"service", incident.service},
                                                       {"summary", incident.summary},
                                                       {"by", incident.by},
                                                       {"at", incident.at},
                                                       {"told", incident.told},
                                                       {"evidence", std::move(evidence)}}));
}

std::vector<std::string> ids(ports::Journal& journal) {
  std::vector<std::string> all;
  const json::value index = fact(journal, kIndex);
  if (!index.is_array()) return all;
  for (const json::value& each : index.get_array())
    if (each.is_string()) all.emplace_back(each.get_string());
  return all;
}

}  // namespace

Result<OpenedIncident> open_incident(ports::Journal& journal, OpenedIncident wanted, TimeMs now) {
  std::size_t of_last_hour = 0;
  for (OpenedIncident& known : opened_incidents(journal)) {
    if (known.at <= now - kHourMs) continue;
    ++of_last_hour;
    if (known.service != wanted.service || known.summary != wanted.summary) continue;
    known.known_before = true;
    return std::move(known);
  }
  if (of_last_hour >= kMaxOpenedPerHour)
    return fail(ErrorCode::refused,
                "agents have opened " + std::to_string(of_last_hour) +
                    " incidents in the last hour, and each calls somebody",
                {}, "add to what you know with diagnosis_submit, or tell a person");
  auto id = journal.next_incident_id();
  if (!id) return tl::unexpected<Error>(id.error());
  wanted.id = std::move(*id);
  wanted.at = now;
  // First into the list: an entry that names nothing is left out, an incident in no list is lost.
  json::array index{json::string(wanted.id)};
  for (const std::string& each : ids(journal))
    if (index.size() < kMaxOpenedKept) index.emplace_back(json::string(each));
  if (Status ok = journal.put_fact(kIndex, json::serialize(index)); !ok)
    return tl::unexpected<Error>(ok.error());
  if (Status ok = put(journal, wanted); !ok) return tl::unexpected<Error>(ok.error());
  return wanted;
}

Status mark_told(ports::Journal& journal, OpenedIncident incident) {
  incident.told = true;
  return put(journal, incident);
}

std::optional<OpenedIncident> find_opened(ports::Journal& journal, const std::string& id) {
  const json::value parsed = fact(journal, key_of(id));
  if (!parsed.is_object()) return std::nullopt;
  const json::object& whole = parsed.get_object();
  OpenedIncident found{id,
                       text_at(whole, "service"),
                       text_at(whole, "summary"),
                       text_at(whole, "by"),
                       time_at(whole, "at"),
                       {},
                       false,
                       false};
  const json::value* told = whole.if_contains("told");
  found.told = told != nullptr && told->is_bool() && told->get_bool();
  const json::value* list = whole.if_contains("evidence");
  if (list == nullptr || !list->is_array()) return found;
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) continue;
    const json::object& piece = each.get_object();
    agent::Evidence evidence;
    evidence.id = text_at(piece, "id");
    evidence.source = agent::source_named(text_at(piece, "source")).value_or(evidence.source);
    evidence.host = text_at(piece, "host");
    evidence.body = text_at(piece, "body");
    found.evidence.push_back(std::move(evidence));
  }
  return found;
}

std::vector<OpenedIncident> opened_incidents(ports::Journal& journal) {
  std::vector<OpenedIncident> all;
  for (const std::string& id : ids(journal))
    if (auto found = find_opened(journal, id)) all.push_back(std::move(*found));
  return all;
}

ports::RolloutRow as_row(const OpenedIncident& incident) {
  ports::RolloutRow row;
  row.incident = incident.id;
  row.service = incident.service;
  row.actor = incident.by;
  row.result = "opened";
  row.reason = incident.summary;
  row.started_at = incident.at;
  return row;
}

std::string opened_text(const OpenedIncident& incident) {
  std::string text = incident.id + "  of " + incident.service + ", opened by " +
                     escape_for_terminal(incident.by) + " at " + format_timestamp(incident.at) +
                     "\n\nIts claim, which nobody has checked; hitless did nothing\n  " +
                     escape_for_terminal(incident.summary) + "\n\nEvidence that it names\n";
  for (const agent::Evidence& each : incident.evidence) {
    text += "  " + escape_for_terminal(each.id) + " " + std::string(agent::to_string(each.source)) +
            (each.host.empty() ? "" : " of " + escape_for_terminal(each.host)) + "\n";
    for (const agent::Line& line : agent::lines_of(each))
      text += "    " + escape_for_terminal(line.text) + "\n";
  }
  if (!incident.told) text += "\nNobody was told of it yet.\n";
  return text + "\nNext: hitless status " + incident.service + "\n";
}

ports::Notification opened_notification(const OpenedIncident& incident) {
  ports::Notification n;
  n.key = incident.id + "/opened";
  n.kind = ports::NotificationKind::failed;
  n.service = incident.service;
  n.result = "opened";
  n.incident = incident.id;
  n.title = incident.id + " " + incident.service + ": " + incident.summary + " (opened by " +
            incident.by + ")";
  OpenedIncident told = incident;
  told.told = true;
  n.text = opened_text(told);
  n.actor = incident.by;
  n.at = incident.at;
  return n;
}

}  // namespace hitless::cli
