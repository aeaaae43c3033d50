// Incidents that an agent opened without a rollout (incident_open): its claim, with the evidence
// that it names. They have numbers of the same count as those of rollouts.
//
// Each is one fact `incident:INC-n` in the journal's database, written before anybody is told;
// `incidents` names the newest of them. They page, so there is a budget, and the same claim within
// the hour is the incident that is there already. A crash before the message was spooled leaves an
// incident that is listed and not told; the same claim once more tells it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "agent/evidence.hpp"
#include "cli/app.hpp"
#include "ports/notify.hpp"

namespace hitless::cli {

inline constexpr std::size_t kMaxOpenedPerHour = 2;
inline constexpr std::size_t kMaxOpenedKept = 200;

struct OpenedIncident {
  std::string id, service, summary, by;
  TimeMs at = 0;
  std::vector<agent::Evidence> evidence;  // bodies are cut
  bool told = false;                      // the message is in the spool or was delivered
  bool known_before = false;              // open_incident: it was there
};

// refused: the budget is used up.
[[nodiscard]] Result<OpenedIncident> open_incident(ports::Journal& journal, OpenedIncident wanted,
                                                   TimeMs now);
[[nodiscard]] Status mark_told(ports::Journal& journal, OpenedIncident incident);

[[nodiscard]] std::optional<OpenedIncident> find_opened(ports::Journal& journal,
                                                        const std::string& id);
[[nodiscard]] std::vector<OpenedIncident> opened_incidents(
    ports::Journal& journal);  // newest first
// As a line of the list beside those of rollouts: result "opened", no rollout.
[[nodiscard]] ports::RolloutRow as_row(const OpenedIncident& incident);
[[nodiscard]] std::string opened_text(const OpenedIncident& incident);
[[nodiscard]] ports::Notification opened_notification(const OpenedIncident& incident);

}  // namespace hitless::cli
