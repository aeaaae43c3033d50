#include "cli/hands.hpp"

#include <algorithm>

#include "cli/app.hpp"
#include "cli/pick_rollout.hpp"
#include "core/names.hpp"
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
  if (!ended) hand.unfinished = rollout;
  hand.since = quarantined ? instance.ended_at : instance.started_at;
  hand.next = !ended                   ? "hitless resume " + rollout
              : state.incident.empty() ? "hitless show " + rollout
                                       : "hitless incident " + state.incident;
  return hand;
}

}  // namespace

bool concerns(const core::Plan& plan, const std::string& service) {
  if (plan.service == service) return true;
  return std::any_of(plan.floors.begin(), plan.floors.end(),
                     [&](const core::ServiceFloor& group) { return group.service == service; });
}

void add_left_out(ports::Journal& journal, Wiring& wiring) {
  for (const std::string& service : wiring.service_names()) {
    for (const auto& [id, hand] : find_hands(journal, service).out) {
      core::InstanceId ours = id;
      if (!wiring.members.empty()) ours.value = "host@" + id.value.substr(id.value.find('@') + 1);
      wiring.parts.left_out.push_back(ours);
    }
  }
}

Hands find_hands(ports::Journal& journal, const std::string& service) {
  Hands hands;
  auto rows = journal.rollouts(kLookBack);
  if (!rows) return hands;
  std::map<core::InstanceId, bool> settled;
  for (const ports::RolloutRow& row : *rows) {
    const bool of_hosts = core::works_on_hosts(core::intent_named(row.intent));
    if (row.service != service && !of_hosts) continue;
    auto found = replay(journal, row.rollout);
    if (of_hosts && (!found || !concerns(found->state.plan, service))) continue;
    if (row.result.empty()) hands.unfinished.push_back(row);
    const auto owed = journal.get_fact(std::string(kOwed) + row.rollout);
    if (!row.result.empty() && owed && *owed == "due") hands.untold.push_back(row);
    if (!found) continue;
    for (const core::Instance& instance : found->state.instances) {
      core::InstanceId id = instance.plan.id;
      if (of_hosts) id.value = service + "@" + instance.plan.host;
      const bool worked_on = instance.taken_out || instance.started_at != 0;
      if (!worked_on || settled[id]) continue;
      settled[id] = true;
      if (instance.taken_out) hands.out[id] = hand_of(found->state, instance);
    }
  }
  return hands;
}

}  // namespace hitless::cli
