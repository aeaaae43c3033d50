#include "cli/screen_plan.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/narrate.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

using core::CheckStatus;

const engine::InstanceDraft* draft_of(const engine::PlanDraft& draft, const core::InstanceId& id) {
  for (const engine::InstanceDraft& each : draft.instances) {
    if (each.id == id) return &each;
  }
  return nullptr;
}

const char* state_word(core::TargetState state) {
  switch (state) {
    case core::TargetState::in:
      return "UP";
    case core::TargetState::in_unhealthy:
      return "DOWN";
    case core::TargetState::leaving:
      return "LEAVING";
    case core::TargetState::draining:
      return "DRAIN";
    case core::TargetState::out:
      return "OUT";
    case core::TargetState::absent:
      return "ABSENT";
    case core::TargetState::unknown:
      return "?";
  }
  return "?";
}

std::string action_text(const core::Plan& plan, const core::InstancePlan& instance) {
  if (!instance.skip_reason.empty()) return "skip: " + instance.skip_reason;
  std::string text = std::string(plan.changes_config ? "drain → install → " : "drain → ") +
                     std::string(core::to_string(plan.action)) + " → verify → rejoin";
  if (instance.canary) text += "   canary";
  return text;
}

std::string check_line(const core::Check& check, const Terminal& t) {
  std::string glyph;
  switch (check.status) {
    case CheckStatus::pass:
      glyph = t.paint(Ink::good, t.tick());
      break;
    case CheckStatus::warn:
      glyph = t.paint(Ink::warn, t.warning());
      break;
    case CheckStatus::fail:
      glyph = t.paint(Ink::bad, t.cross());
      break;
    case CheckStatus::unknown:
      glyph = t.paint(Ink::warn, t.question());
      break;
  }
  std::string line = fmt::format("  {} {}: {}\n", glyph, escape_for_terminal(check.name),
                                 escape_for_terminal(check.evidence));
  const bool helps = check.status == CheckStatus::fail || check.status == CheckStatus::unknown;
  if (helps && !check.help.empty())
    line += "      = help: " + escape_for_terminal(check.help) + "\n";
  return line;
}

// The first instance's checklist whole; of the others only what does not simply pass.
std::string checklists(const engine::PlanDraft& draft, const Terminal& t) {
  std::string text;
  bool first = true;
  std::size_t clean = 0;
  for (const core::InstancePlan& plan : draft.plan.instances) {
    const engine::InstanceDraft* each = draft_of(draft, plan.id);
    if (each == nullptr || !plan.skip_reason.empty()) continue;
    std::string lines;
    for (const core::Check& check : each->preflight.report.checks) {
      if (first || check.status != CheckStatus::pass) lines += check_line(check, t);
    }
    if (lines.empty()) {
      ++clean;
      continue;
    }
    text += fmt::format("{}\n{}",
                        t.paint(Ink::bold, "[DIAGNOSE] Checklist for " + draft.plan.service +
                                               " on " + host_part(plan.id)),
                        lines);
    first = false;
  }
  if (clean > 0) text += fmt::format("           the same, all passing, on {} more\n", clean);
  return text;
}

}  // namespace

std::string looking_at(const Wiring& wiring) {
  const std::size_t count = wiring.parts.instances.size();
  return fmt::format("Looking at {}: {} instance{}, {}", wiring.parts.name, count,
                     count == 1 ? "" : "s", join(wiring.pool_texts(), "; "));
}

std::string plan_screen(const engine::PlanDraft& draft, const std::vector<std::string>& pools,
                        const Terminal& t, bool with_checklists) {
  const core::Plan& plan = draft.plan;
  std::string text = fmt::format(
      "{}  {} instance{}  {}\n",
      t.paint(Ink::bold, plan.service + " " + std::string(core::to_string(plan.intent))),
      plan.instances.size(), plan.instances.size() == 1 ? "" : "s", join(pools, "; "));
  if (!plan.change_summary.empty())
    text += "Change    " + escape_for_terminal(plan.change_summary) + "\n";
  std::size_t widest = 12;
  for (const core::InstancePlan& instance : plan.instances)
    widest = std::max(widest, host_part(instance.id).size());
  text += fmt::format("  {:>2}  {:<{}} {:<8} {:>6}  {}\n", "#", "INSTANCE", widest, "NOW", "CONNS",
                      "ACTION");
  int number = 0, skipped = 0;
  for (const core::InstancePlan& instance : plan.instances) {
    const engine::InstanceDraft* each = draft_of(draft, instance.id);
    const bool skip = !instance.skip_reason.empty();
    skipped += skip ? 1 : 0;
    std::string conns = "-";
    if (each != nullptr && each->reading.in_flight)
      conns = std::to_string(*each->reading.in_flight);
    text += fmt::format("  {:>2}  {:<{}} {:<8} {:>6}  {}\n",
                        skip ? std::string("-") : std::to_string(++number), host_part(instance.id),
                        widest, each == nullptr ? "?" : state_word(each->reading.state), conns,
                        escape_for_terminal(action_text(plan, instance)));
  }
  for (const std::string& remark : draft.capacity_remarks)
    text += "Capacity  " + escape_for_terminal(remark) + "\n";
  for (const std::string& remark : draft.lb_remarks)
    text += "Remark    " + escape_for_terminal(remark) + "\n";
  if (with_checklists) text += checklists(draft, t);
  text += fmt::format("Plan: {} {}, {} skip.", number,
                      number == 0 ? core::to_string(plan.intent) : core::to_string(plan.action),
                      skipped);
  return t.plain(text);
}

}  // namespace hitless::cli
