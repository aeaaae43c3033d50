// Schedules of the fleet file that are due. One that is seen for the first time is due from then on
// only, so that neither a new line in the file nor a new state folder starts something at once.
#pragma once
#include "cli/app.hpp"
#include "cli/trigger_look.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

// Adds to the look. only_service: may be empty.
void look_at_schedules(const App& app, const fleet::Fleet& fleet, const std::string& only_service,
                       TriggerLook* look);

// The time at which it is due now; empty: it is not. Pure.
[[nodiscard]] std::optional<TimeMs> due_at(const fleet::Schedule& schedule, TimeMs known_since,
                                           TimeMs now);

// The journal's fact that says since when it is known. Another time of day is another schedule.
[[nodiscard]] std::string fact_of(const fleet::Schedule& schedule);

}  // namespace hitless::cli
