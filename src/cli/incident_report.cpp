#include "cli/incident_report.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/card.hpp"
#include "cli/narrate.hpp"
#include "cli/progress_kinds.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"

namespace hitless::cli {
namespace {

std::string evidence(const core::State& state) {
  std::string text;
  for (const core::Instance& instance : state.instances) {
    if (!instance.failed) continue;
    text += fmt::format("  {} failed in {}: {}\n", instance.plan.id.value,
                        core::to_string(instance.failed_in), escape_for_terminal(instance.failure));
    if (!instance.proof.empty())
      text += fmt::format("    service: {}\n", escape_for_terminal(instance.proof));
    if (!instance.last_error.empty())
      text += fmt::format("    last error: {}\n", escape_for_terminal(instance.last_error));
    if (!instance.drain_samples.empty()) {
      text +=
          fmt::format("    in flight at the end of its drain: {}\n", instance.drain_samples.back());
    }
  }
  return text.empty() ? "  " + escape_for_terminal(core::why(state)) + "\n" : text;
}

}  // namespace

std::string incident_report(const core::State& state, const std::vector<core::Entry>& entries,
                            const std::optional<witness::Certificate>& certificate,
                            const Diagnosed& diagnosed) {
  const Terminal plain;
  std::string text = fmt::format(
      "{}  {} of {}, opened by {}\n\n", state.incident.empty() ? "incident" : state.incident,
      core::to_string(state.plan.intent), state.plan.service, state.plan.rollout);
  CardExtras extras;
  extras.certificate = certificate;
  extras.where = diagnosed.where;
  text += result_card(state, extras, plain);
  if (!diagnosed.text.empty())
    text += "\nDiagnosis, by rules\n" + escape_for_terminal(diagnosed.text, true);
  if (!diagnosed.claim.empty())
    text += "\nHanded in by a client: its claim, of which only ids and quotes were checked\n" +
            diagnosed.claim;
  text += "\nEvidence\n" + evidence(state);
  text += "\nTimeline\n";
  core::State before;
  for (const core::Entry& entry : entries) {
    core::State after = core::apply(before, entry.event, entry.at);
    for (const Line& line : narrate(entry, before, after))
      text += "  " + render_line(line, entry.rollout, plain, true) + "\n";
    before = std::move(after);
  }
  for (const core::Instance& instance : state.instances) {
    if (!instance.report || instance.report->diff.empty()) continue;
    text += "\nChange (" + escape_for_terminal(state.plan.change_summary) + ")\n" +
            escape_for_terminal(instance.report->diff, true);
    break;
  }
  return text;
}

}  // namespace hitless::cli
