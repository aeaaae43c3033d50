// Telling people: what a rollout came to, with the audit log attached, through the spool.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/app.hpp"
#include "ports/notify.hpp"
#include "witness/certificate.hpp"

namespace hitless::cli {

// What the witness has to add to the end of a rollout.
struct Told {
  std::optional<witness::Certificate> certificate;  // empty: nothing is known
  std::string report;                               // HTML; empty: none
};

[[nodiscard]] ports::Notification started_notification(const core::Plan& plan,
                                                       const std::string& actor);
[[nodiscard]] ports::Notification ended_notification(journal::SqliteJournal& journal,
                                                     const core::State& state,
                                                     const std::vector<core::Entry>& entries,
                                                     const Told& told);

// A rollout that could neither end nor go on: the journal failed, or another controller took over.
[[nodiscard]] ports::Notification stopped_notification(const std::string& rollout,
                                                       const Error& error);

struct SendReport {
  std::vector<std::string> lines;  // "ops ✓ (audit log attached)"
  bool required_failed = false;
};
// Spools first, then tries every sink within a budget; what fails stays spooled for the next run.
Task<SendReport> send_all(const App& app, const std::vector<std::unique_ptr<ports::Sink>>* sinks,
                          ports::Notification notification);
// The message that a rollout begins. Those without whom it must not begin come first: when one of
// them does not answer, nobody else hears of a rollout that never was, now or later.
Task<SendReport> announce(const App& app, const std::vector<std::unique_ptr<ports::Sink>>* sinks,
                          ports::Notification started);
}  // namespace hitless::cli
