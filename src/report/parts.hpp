// The sections of a report. Private to src/report.
#pragma once
#include <string>

#include "report/report.hpp"

namespace hitless::report {

extern const char* const kStyle;

// One stretch of an instance in a phase, from its Advanced events.
struct PhaseSpan {
  std::string instance;
  core::PhaseName phase = core::PhaseName::waiting;
  TimeMs from = 0, to = 0;
};
[[nodiscard]] std::vector<PhaseSpan> spans_of(const ReportInput& input);
// When the rollout began and ended, or was last heard of.
[[nodiscard]] TimeMs began(const ReportInput& input);
[[nodiscard]] TimeMs ended(const ReportInput& input);

[[nodiscard]] std::string summary_part(const ReportInput& input);
[[nodiscard]] std::string certificate_part(const ReportInput& input);
[[nodiscard]] std::string gantt_part(const ReportInput& input);
[[nodiscard]] std::string drains_part(const ReportInput& input);
[[nodiscard]] std::string latency_part(const ReportInput& input);
[[nodiscard]] std::string checklist_part(const ReportInput& input);
[[nodiscard]] std::string diff_part(const ReportInput& input);
[[nodiscard]] std::string journal_part(const ReportInput& input);

}  // namespace hitless::report
