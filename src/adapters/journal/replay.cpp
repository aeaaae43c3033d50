#include "adapters/journal/replay.hpp"

#include <algorithm>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/sqlite_journal.hpp"
#include "adapters/journal/state_json.hpp"
#include "base/text.hpp"
#include "core/invariants.hpp"
#include "core/names.hpp"

namespace hitless::journal {
namespace {

constexpr int max_rollouts = 10'000;
constexpr std::size_t max_problems = 20;  // of one rollout
constexpr std::size_t context_bytes = 60;

class Problems {
 public:
  void add(std::int64_t seq, const std::string& what) {
    add(fmt::format("entry {}: {}", seq, what));
  }
  void add(const std::string& what) {
    if (all_.size() < max_problems) all_.push_back(what);
  }
  std::vector<std::string> take() { return std::move(all_); }

 private:
  std::vector<std::string> all_;
};

core::State fold_whole(const std::vector<core::Entry>& entries) {
  core::State state;
  for (const auto& entry : entries) state = core::apply(std::move(state), entry.event, entry.at);
  return state;
}

// As a recovering controller would do it that died at each entry: nothing but text survives.
core::State fold_in_pieces(const std::vector<core::Entry>& entries, Problems& problems) {
  core::State state;
  std::int64_t last_seq = 0;
  for (const auto& entry : entries) {
    if (entry.seq <= last_seq) problems.add(entry.seq, "is not in order");
    if (entry.at < state.now) problems.add(entry.seq, "is older than the one before it");
    last_seq = entry.seq;
    const std::string text = event_to_json(entry.event);
    const auto event = event_from_json(text);
    if (!event || event_to_json(*event) != text) {
      problems.add(entry.seq, "is another event after it was written and read");
      continue;
    }
    for (const auto& violation : core::check_before(state, *event)) {
      problems.add(entry.seq, "breaks rule " + violation.rule + ": " + violation.what);
    }
    state = core::apply(core::State(state), *event, entry.at);
    for (const auto& violation : core::check_after(state, *event)) {
      problems.add(entry.seq, "leaves rule " + violation.rule + " broken: " + violation.what);
    }
  }
  return state;
}

std::string around(const std::string& text, std::size_t at) {
  const std::size_t from = at < context_bytes ? 0 : at - context_bytes;
  return text.substr(from, 2 * context_bytes);
}

void compare(const core::State& whole, const core::State& pieces, Problems& problems) {
  const std::string a = state_to_json(whole);
  const std::string b = state_to_json(pieces);
  if (a == b) return;
  const auto at = static_cast<std::size_t>(
      std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  problems.add(fmt::format("two folds differ: …{}… and …{}…", around(a, at), around(b, at)));
}

void compare(const ports::RolloutRow& row, const core::State& state, Problems& problems) {
  const auto same = [&](std::string_view what, std::string_view in_row, std::string_view in_state) {
    if (in_row == in_state) return;
    problems.add(
        fmt::format("the {} is `{}` in the history and `{}` in the state", what, in_row, in_state));
  };
  same("service", row.service, state.plan.service);
  same("intent", row.intent, state.plan.rollout.empty() ? "" : core::to_string(state.plan.intent));
  same("actor", row.actor, state.actor);
  same("incident", row.incident, state.incident);
  same("start", std::to_string(row.started_at), std::to_string(state.started_at));
  same("end", std::to_string(row.ended_at), std::to_string(state.ended_at));
  const bool ended = state.ended.has_value();
  if (ended) same("result", row.result, core::to_string(*state.ended));
  if ((row.ended_at != 0) != ended) same("end", row.ended_at != 0 ? "there" : "not there", "");
}

std::string reason_of(const std::vector<core::Entry>& entries) {
  std::string reason;
  for (const auto& entry : entries) {
    const auto* intended = std::get_if<core::EffectIntended>(&entry.event);
    if (intended != nullptr && intended->effect.kind == core::EffectKind::finish) {
      reason = intended->effect.reason;
    }
  }
  return reason;
}

}  // namespace

std::vector<std::string> replay_problems(const ports::RolloutRow& row,
                                         const std::vector<core::Entry>& entries) {
  Problems problems;
  if (entries.empty()) {
    problems.add("has a history row and no entries");
    return problems.take();
  }
  if (entries.front().seq != row.first_seq || entries.back().seq != row.last_seq) {
    problems.add(fmt::format("goes from entry {} to {}, its history row says {} to {}",
                             entries.front().seq, entries.back().seq, row.first_seq, row.last_seq));
  }
  const core::State whole = fold_whole(entries);
  compare(whole, fold_in_pieces(entries, problems), problems);
  compare(row, whole, problems);
  if (row.reason != reason_of(entries)) problems.add("the reason in the history is not its own");
  return problems.take();
}

Result<ReplayReport> replay_all(const std::string& dir) {
  auto journal = open_journal(dir, Mode::read_only);
  if (!journal) return tl::unexpected(journal.error());
  const auto rows = (*journal)->rollouts(max_rollouts);
  if (!rows) return tl::unexpected(rows.error());
  ReplayReport report;
  for (const auto& row : *rows) {
    // Up to what the row knows: the rollout may be running.
    const auto entries = (*journal)->read(row.rollout, row.last_seq);
    if (!entries) return tl::unexpected(entries.error());
    for (const auto& problem : replay_problems(row, *entries)) {
      report.problems.push_back(row.rollout + ": " + problem);
    }
    ++report.rollouts;
    report.entries += static_cast<std::int64_t>(entries->size());
  }
  return report;
}

}  // namespace hitless::journal
