// The HTML report of each rollout, kept in the state folder (reports/R-….html, 0600): only the
// process that ran a rollout has the prober's curves. Without a kept one a report is made from the
// journal, without curves.
//
// Bounded: the oldest beyond kMaxReports go, one above kMaxReportBytes is not kept. A report is no
// record: losing it loses nothing but the curves.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/state.hpp"
#include "report/report.hpp"

namespace hitless::cli {

inline constexpr std::size_t kMaxReports = 50;
inline constexpr std::size_t kMaxReportBytes = 8u << 20;

[[nodiscard]] std::string make_report(const core::State& state,
                                      const std::vector<core::Entry>& entries,
                                      const std::optional<witness::Certificate>& certificate,
                                      const std::vector<witness::ProberRecord>& probers);
[[nodiscard]] Status keep_report(const std::string& state_dir, const std::string& rollout,
                                 const std::string& html);
// Empty: there is none.
[[nodiscard]] Result<std::optional<std::string>> kept_report(const std::string& state_dir,
                                                             const std::string& rollout);

}  // namespace hitless::cli
