// A rollout as one HTML file that says all: verdict, certificate, Gantt, drain curves, latency and
// losses, checklist, diff, journal. To be mailed, attached to an incident, or printed.
//
// Static: no script, no image, no font, nothing is fetched; a strict Content-Security-Policy says
// so to the browser. Every text from outside is escaped for terminals (bidi, control characters)
// and for HTML. Each chart has a table under it. A pure function of its input; bounded by the kMax…
// limits, and what was left out is said.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/event.hpp"
#include "core/state.hpp"
#include "witness/certificate.hpp"

namespace hitless::report {

inline constexpr std::size_t kMaxJournalRows = 5000;
inline constexpr std::size_t kMaxDrainCharts = 100;
inline constexpr std::size_t kMaxDiffLines = 2000;
inline constexpr std::size_t kMaxLossRows = 500;

struct ReportInput {
  core::State state;
  std::vector<core::Entry> entries;  // the rollout's, in order
  std::optional<witness::Certificate> certificate;
  std::vector<witness::ProberRecord> probers;
  TimeMs made_at = 0;
  std::string version;  // of hitless
};

[[nodiscard]] std::string html_report(const ReportInput& input);

}  // namespace hitless::report
