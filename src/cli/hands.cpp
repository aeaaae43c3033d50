#include "cli/hands.hpp"

#include "cli/app.hpp"
#include "cli/pick_rollout.hpp"
#include "core/state.hpp"

namespace hitless::cli {
namespace {

constexpr int kLookBack = 50;  // rollouts

Hand hand_of(const core::State& state, const core::Instance& instance) {
  const bool quarantined = core::name_of(instance.phase) == core::PhaseName::quarantined;
  const std::string& rollout = state.plan.rollout;
  Hand hand;
  const bool ended = state.ended.has_value();
  hand.text = quarantined ? "quarantined by " + rollout
                          : "taken out by " + rollout + (ended ? "" : ", which has not ended");
  if (!state.incident.empty()) hand.text += " (" + state.incident + ")";
  hand.since = quarantined ? instance.ended_at : instance.started_at;
  hand.next = !ended                   ? "hitless resume " + rollout
              : state.incident.empty() ? "hitless show " + rollout
                                       : "hitless incident " + state.incident;
  return hand;
}

}  // namespace

Hands find_hands(ports::Journal& journal, const std::string& service) {
  Hands hands;
  auto rows = journal.rollouts(kLookBack);
  if (!rows) return hands;
  std::map<core::InstanceId, bool> settled;
  for (const ports::RolloutRow& row : *rows) {
    if (row.service != service) continue;
    if (row.result.empty()) hands.unfinished.push_back(row);
    const auto owed = journal.get_fact(std::string(kOwed) + row.rollout);
    if (!row.result.empty() && owed && *owed == "due") hands.untold.push_back(row);
    auto found = replay(journal, row.rollout);
    if (!found) continue;
    for (const core::Instance& instance : found->state.instances) {
      const bool worked_on = instance.taken_out || instance.started_at != 0;
      if (!worked_on || settled[instance.plan.id]) continue;
      settled[instance.plan.id] = true;
      if (instance.taken_out) hands.out[instance.plan.id] = hand_of(found->state, instance);
    }
  }
  return hands;
}

}  // namespace hitless::cli
