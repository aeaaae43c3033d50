#include "cli/evidence_keeper.hpp"

#include <algorithm>

#include "agent/gather.hpp"
#include "base/time.hpp"
#include "cli/evidence_store.hpp"
#include "cli/probing.hpp"
#include "core/names.hpp"
#include "engine/parts.hpp"

namespace hitless::cli {
namespace {

struct Keeper {
  Wiring* wiring = nullptr;
  ports::Journal* journal = nullptr;
  std::string rollout;
};

// Dependencies and the instances beside it: is it this one, or all?
Task<void> ask_around(const engine::ServiceParts* parts, core::InstanceId failed,
                      std::string* text) {
  std::vector<core::HealthReading> dependencies(parts->dependencies.size()), peers;
  std::vector<ports::Health*> checks;
  for (const engine::InstanceParts& other : parts->instances)
    if (other.id != failed && other.health != nullptr) checks.push_back(other.health);
  peers.resize(checks.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < dependencies.size(); ++i)
    tasks.push_back(probe_into(parts->dependencies[i].check, &dependencies[i]));
  for (std::size_t i = 0; i < peers.size(); ++i) tasks.push_back(probe_into(checks[i], &peers[i]));
  co_await join_all(std::move(tasks));
  int failing = 0;
  for (const core::HealthReading& peer : peers) failing += peer.status == core::HealthStatus::fail;
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    *text += "name=" + parts->dependencies[i].name +
             " status=" + health_word(dependencies[i].status) +
             " peers_checked=" + std::to_string(peers.size()) +
             " peers_failing=" + std::to_string(failing) + " " + dependencies[i].evidence + "\n";
  }
}

agent::GatherTarget target_of(const engine::InstanceParts& parts, const core::Instance& instance,
                              const std::string& unit) {
  agent::GatherTarget target;
  target.host = parts.host;
  target.service = parts.service;
  target.unit = unit;
  target.port = parts.port;
  target.log_file = instance.before.log_file;
  target.log_offset = instance.before.log_offset;
  // What was wrong before this instance's turn is not its failure.
  if (instance.started_at > 0)
    target.since_ms = std::max<DurationMs>(wall_now_ms() - instance.started_at, 1);
  for (const engine::ConfigFile& file : parts.files) target.files.push_back(file.dest);
  if (instance.report) target.mentioned = agent::added_paths(instance.report->diff);
  return target;
}

void add_what_we_saw(KeptEvidence& kept, const core::Instance& instance, TimeMs now) {
  const auto add = [&](agent::Source source, const std::string& text) {
    if (!text.empty()) kept.store.add(source, kept.situation.host, now, text);
  };
  std::string ours = "failed in " + std::string(core::to_string(instance.failed_in)) + ": " +
                     instance.failure + "\n";
  if (!instance.proof.empty()) ours += "service: " + instance.proof + "\n";
  if (!instance.last_error.empty()) ours += "last error: " + instance.last_error + "\n";
  add(agent::Source::rollout, ours);
  if (instance.report) {
    add(agent::Source::config_diff, instance.report->diff);
    add(agent::Source::config_diff, agent::removed_settings(instance.report->diff));
  }
  if (instance.reading) {
    std::string seen =
        instance.plan.id.value + " state=" + std::string(core::to_string(instance.reading->state));
    if (instance.reading->in_flight)
      seen += " in_flight=" + std::to_string(*instance.reading->in_flight);
    add(agent::Source::lb_state, seen);
  }
}

Task<void> gather_into(agent::GatherTarget target, agent::Gathered* out) {
  *out = co_await agent::gather(std::move(target));
}

Task<void> keep(Keeper keeper, core::Instance instance) {
  const engine::ServiceParts& parts = keeper.wiring->parts;
  const engine::InstanceParts* mine = parts.instances.find(instance.plan.id);
  if (mine == nullptr) co_return;
  KeptEvidence kept;
  kept.situation.service = parts.name;
  kept.situation.host = mine->host_name;
  kept.situation.unit = keeper.wiring->unit;
  kept.situation.touched = instance.acted || instance.config_touched;
  agent::Gathered gathered;
  std::string around;
  std::vector<Task<void>> tasks;
  tasks.push_back(gather_into(target_of(*mine, instance, keeper.wiring->unit), &gathered));
  tasks.push_back(ask_around(&parts, instance.plan.id, &around));
  co_await join_all(std::move(tasks));
  const TimeMs now = wall_now_ms();
  add_what_we_saw(kept, instance, now);
  for (const agent::Gathered::Piece& piece : gathered.pieces)
    kept.store.add(piece.source, mine->host_name, now, piece.text);
  if (!around.empty()) kept.store.add(agent::Source::dependency, {}, now, around);
  kept.situation.not_had = gathered.not_had;
  // Without it the incident says less; the rollback does not wait for it.
  (void)put_evidence(*keeper.journal, keeper.rollout, instance.plan.id, kept);
}

}  // namespace

std::function<Task<void>(core::Instance)> evidence_keeper(Wiring* wiring, ports::Journal* journal,
                                                          std::string rollout) {
  return [keeper = Keeper{wiring, journal, std::move(rollout)}](core::Instance instance) {
    return keep(keeper, std::move(instance));
  };
}

}  // namespace hitless::cli
