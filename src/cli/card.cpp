#include "cli/card.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/certificate_store.hpp"
#include "cli/exit_code.hpp"
#include "cli/narrate.hpp"
#include "core/capacity.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"

namespace hitless::cli {
namespace {

using core::PhaseName;

constexpr std::size_t kSentOnOneLine = 100;
constexpr std::size_t kMaxNotes = 3;  // of each kind, about the clients

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
        counts.quarantined +=
            seen_in(instance) ? " (still in rotation)" : " (left out of rotation on purpose)";
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

void note(std::string& card, const std::string& text) {
  card += fmt::format("  {:<12} {}\n", "", escape_for_terminal(text));
}

// 18204 as "18 204".
std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = std::ssize(text) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), " ");
  return text;
}

Ink ink_of(witness::Verdict verdict) {
  if (verdict == witness::Verdict::confirmed) return Ink::plain;
  return verdict == witness::Verdict::refuted ? Ink::bad : Ink::warn;
}

void list_losses(std::string& card, const witness::Certificate& c) {
  std::size_t shown = 0, all = 0;
  for (const witness::CertifiedLoss& lost : c.losses) {
    if (lost.blame != witness::Blame::ours && lost.blame != witness::Blame::undecidable) continue;
    if (++all > kMaxNotes) continue;
    note(card, "lost " + witness::describe(lost));
    ++shown;
  }
  if (all > shown) note(card, fmt::format("and {} more", all - shown));
}

// How sure it is that no client noticed, and what stands against it.
std::string clients_rows(const witness::Certificate& c, const std::string& rollout,
                         const Terminal& t) {
  std::string text = verdict_text(c);
  if (c.verdict == witness::Verdict::unknown && c.sent > 0) text = witness::name_of(c.verdict);
  if (c.verdict == witness::Verdict::confirmed && c.subtracted > 0)
    text += fmt::format(": {} failed as before on instances not touched then", c.subtracted);
  if (c.sent > 0) text = fmt::format("{} probes, {} lost · {}", grouped(c.sent), c.lost, text);
  std::string card = fmt::format("  {:<12} {}\n", "clients",
                                 t.paint(ink_of(c.verdict), escape_for_terminal(text)));
  for (std::size_t i = 0; i < c.near_misses.size() && i < kMaxNotes; ++i)
    note(card, fmt::format("near miss {} +{}", c.near_misses[i].what, c.near_misses[i].count));
  for (std::size_t i = 0; i < c.remarks.size() && i < kMaxNotes && c.sent > 0; ++i)
    note(card, c.remarks[i]);
  if (c.verdict == witness::Verdict::confirmed || c.sent == 0) return card;
  list_losses(card, c);
  const bool said = c.verdict == witness::Verdict::refuted && c.lost > 0;
  if (!said)
    for (std::size_t i = 0; i < c.reasons.size() && i < kMaxNotes; ++i) note(card, c.reasons[i]);
  note(card, "all of it: hitless report " + rollout);
  return card;
}

std::string next_steps(const core::State& state, core::RolloutResult result, bool is_shown) {
  const std::string id = state.plan.rollout;
  const bool succeeded = result == core::RolloutResult::succeeded;
  std::vector<std::string> next;
  if (!succeeded && !state.incident.empty()) next.push_back("hitless incident " + state.incident);
  if (!is_shown) next.push_back("hitless show " + id);
  if (!state.plan.files.empty() && (is_shown || !succeeded)) next.push_back("hitless diff " + id);
  return join(next, " · ");
}

}  // namespace

std::string result_card(const core::State& state, const CardExtras& extras, const Terminal& t) {
  const core::RolloutResult result = state.ended.value_or(core::verdict(state));
  const Counts counts = count(state);
  std::string card = headline(state, result, t) + "\n";
  if (result != core::RolloutResult::succeeded) row(card, "why", core::why(state));
  row(card, "where", extras.where);
  row(card, "change", state.plan.change_summary);
  row(card, "done", counts.done);
  row(card, "rolled back", counts.rolled_back);
  row(card, "quarantined", counts.quarantined);
  row(card, "skipped", counts.skipped);
  row(card, "untouched", counts.untouched);
  if (extras.certificate) card += clients_rows(*extras.certificate, state.plan.rollout, t);
  const bool known = state.lowest_serving >= 0;
  row(card, "capacity",
      known ? fmt::format("lowest serving {} of {} (floor {})", state.lowest_serving,
                          core::counted(state), state.plan.policy.capacity.floor)
            : "");
  const bool looked = std::any_of(state.instances.begin(), state.instances.end(),
                                  [](const core::Instance& i) { return i.reading.has_value(); });
  if (looked)
    row(card, "now", fmt::format("{} of {} serving", core::serving(state), core::counted(state)));
  std::string sent = state.incident;
  for (const std::string& each : extras.sent) sent += (sent.empty() ? "" : "  ") + each;
  if (display_width(sent) <= kSentOnOneLine) {
    row(card, extras.sent.empty() ? "incident" : "sent", sent);
  } else {  // some did not get it, and each says why
    row(card, "sent", state.incident.empty() ? extras.sent.front() : state.incident);
    for (std::size_t i = state.incident.empty() ? 1 : 0; i < extras.sent.size(); ++i)
      note(card, extras.sent[i]);
  }
  if (const std::string next = next_steps(state, result, extras.is_shown); !next.empty())
    card += "Next: " + next + "\n";
  return t.plain(card);
}

}  // namespace hitless::cli
