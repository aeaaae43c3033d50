#include <fmt/format.h>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"
#include "cli/card.hpp"
#include "cli/certificate_store.hpp"
#include "cli/incident_report.hpp"

namespace hitless::cli {
namespace {

constexpr int kMaxRollouts = 10'000;

int list_incidents(const App& app, const std::vector<ports::RolloutRow>& rows) {
  bool any = false;
  for (const ports::RolloutRow& row : rows) {
    if (row.incident.empty()) continue;
    any = true;
    fmt::print("{:<8} {:<20} {:<10} {:<10} {}\n", row.incident,
               format_timestamp(row.started_at).substr(0, 19) + "Z", row.rollout, row.service,
               app.out.plain(truncate_utf8(escape_for_terminal(row.reason), 60)));
  }
  if (!any) fmt::print(stderr, "No incidents.\n");
  return kOk;
}

}  // namespace

int verb_incident(App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  auto rows = (*journal)->rollouts(kMaxRollouts);
  if (!rows) return failed(app, rows.error());
  if (app.options.id.empty()) return list_incidents(app, *rows);
  for (const ports::RolloutRow& row : *rows) {
    if (row.incident != app.options.id) continue;
    auto found = replay(**journal, row.rollout);
    if (!found) return failed(app, found.error());
    const auto certificate = get_certificate(**journal, row.rollout);
    fmt::print("{}", app.out.plain(incident_report(found->state, found->entries, certificate)));
    return kOk;
  }
  return failed(app, Error{ErrorCode::not_found,
                           "no incident `" + app.options.id + "`",
                           {},
                           "`hitless incident` lists them"});
}

}  // namespace hitless::cli
