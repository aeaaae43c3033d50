#include "cli/card.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/exit_code.hpp"
#include "cli/narrate.hpp"
#include "core/capacity.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"

namespace hitless::cli {
namespace {

using core::PhaseName;

struct Counts {
  std::string done, rolled_back, quarantined, untouched, skipped;
  std::size_t n_done = 0;
};

void list(std::string& text, const core::Instance& instance) {
  text += (text.empty() ? "" : " ") + host_part(instance.plan.id);
}

Counts count(const core::State& state) {
  Counts counts;
  for (const core::Instance& instance : state.instances) {
    switch (core::name_of(instance.phase)) {
      case PhaseName::done:
        list(counts.done, instance);
        ++counts.n_done;
        break;
      case PhaseName::rolled_back:
        list(counts.rolled_back, instance);
        break;
      case PhaseName::quarantined:
        list(counts.quarantined, instance);
        break;
      case PhaseName::skipped:
        list(counts.skipped, instance);
        break;
      default:
        list(counts.untouched, instance);
        break;
    }
  }
  return counts;
}

std::string headline(const core::State& state, core::RolloutResult result, const Terminal& t) {
  const std::string took = format_duration(state.ended_at - state.started_at);
  const std::string what = state.plan.rollout + "  " + state.plan.service + " " +
                           std::string(core::to_string(state.plan.intent));
  const int code = exit_code_of(result);
  switch (result) {
    case core::RolloutResult::succeeded:
      return t.paint(Ink::good, fmt::format("{} {} DONE", t.tick(), what)) +
             fmt::format("   {}   exit {}", took, code);
    case core::RolloutResult::rolled_back: {
      const char* word =
          state.plan.changes_config ? "FAILED, ROLLED BACK" : "FAILED, STOPPED SAFELY";
      return t.paint(Ink::bad, fmt::format("{} {} {}", t.cross(), what, word)) +
             fmt::format("   {}   exit {}", took, code);
    }
    case core::RolloutResult::human_needed:
      return t.paint(Ink::bad, fmt::format("{} {} FAILED, A HUMAN IS NEEDED", t.cross(), what)) +
             fmt::format("   {}   exit {}", took, code);
    case core::RolloutResult::blocked:
      return t.paint(Ink::bad,
                     fmt::format("{} {} NOT STARTED, nothing was touched", t.cross(), what)) +
             fmt::format("   exit {}", code);
    case core::RolloutResult::aborted:
      return t.paint(Ink::warn, fmt::format("{} {} STOPPED by the operator{}", t.warning(), what,
                                            state.abort_asked ? ", rolled back" : "")) +
             fmt::format("   {}   exit {}", took, code);
  }
  return what;
}

void row(std::string& card, std::string_view name, const std::string& value) {
  if (!value.empty()) card += fmt::format("  {:<12} {}\n", name, escape_for_terminal(value));
}

std::string next_steps(const core::State& state, core::RolloutResult result) {
  const std::string id = state.plan.rollout;
  if (result == core::RolloutResult::succeeded) return "hitless show " + id;
  std::string next = state.incident.empty() ? "" : "hitless incident " + state.incident + " · ";
  next += "hitless show " + id;
  if (state.plan.changes_config) next += " · hitless diff " + id;
  return next;
}

}  // namespace

std::string result_card(const core::State& state, const CardExtras& extras, const Terminal& t) {
  const core::RolloutResult result = state.ended.value_or(core::verdict(state));
  const Counts counts = count(state);
  std::string card = headline(state, result, t) + "\n";
  if (result != core::RolloutResult::succeeded) row(card, "why", core::why(state));
  row(card, "change", state.plan.change_summary);
  row(card, "done", counts.done);
  row(card, "rolled back", counts.rolled_back);
  row(card, "quarantined",
      counts.quarantined.empty() ? "" : counts.quarantined + " (left out of rotation on purpose)");
  row(card, "skipped", counts.skipped);
  row(card, "untouched", counts.untouched);
  row(card, "clients", extras.clients);
  const bool known = state.lowest_serving >= 0;
  row(card, "capacity",
      known ? fmt::format("lowest serving {} of {} (floor {})", state.lowest_serving,
                          state.instances.size(), state.plan.policy.capacity.floor)
            : "");
  row(card, "now", fmt::format("{} of {} serving", core::serving(state), state.instances.size()));
  std::string sent = state.incident;
  for (const std::string& each : extras.sent) sent += (sent.empty() ? "" : "  ") + each;
  row(card, "sent", sent);
  card += "Next: " + next_steps(state, result) + "\n";
  return t.plain(card);
}

}  // namespace hitless::cli
