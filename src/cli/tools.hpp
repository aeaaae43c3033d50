// The tools of docs/AGENT.md, made real: each one asks the same drivers, journal and rules as the
// verbs do. What they say of the world is evidence with an id, kept as long as this process lives.
#pragma once
#include <deque>
#include <map>
#include <string>

#include "agent/evidence.hpp"
#include "agent/tools/registry.hpp"
#include "cli/app.hpp"
#include "cli/fleet_cache.hpp"
#include "cli/wiring.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

struct ToolWorld {
  explicit ToolWorld(App with) : app(std::move(with)) {}

  App app;  // options: fleet file and state folder
  FleetCache fleets;
  // The newest generation last; the older of two goes when the newer is full.
  std::deque<agent::EvidenceStore> evidence;
};

// The registry with all of them. The world must outlive it.
[[nodiscard]] agent::Registry make_tools(ToolWorld* world);

void add_fleet_tools(agent::Registry& registry, ToolWorld* world);      // tools_fleet.cpp
void add_host_tools(agent::Registry& registry, ToolWorld* world);       // tools_hosts.cpp
void add_config_tools(agent::Registry& registry, ToolWorld* world);     // tools_config.cpp
void add_journal_tools(agent::Registry& registry, ToolWorld* world);    // tools_journal.cpp
void add_plan_tools(agent::Registry& registry, ToolWorld* world);       // tools_plans.cpp
void add_act_tools(agent::Registry& registry, ToolWorld* world);        // tools_act.cpp
void add_metric_tools(agent::Registry& registry, ToolWorld* world);     // tools_metrics.cpp
void add_incident_tools(agent::Registry& registry, ToolWorld* world);   // tools_incident.cpp
void add_diagnosis_tools(agent::Registry& registry, ToolWorld* world);  // tools_diagnosis.cpp

// ---- what they share (tools.cpp)
// ------------------------------------------------------------------ The id of what was seen; empty
// when nothing was.
[[nodiscard]] std::string remember(ToolWorld& world, agent::Source source, const std::string& host,
                                   std::string_view text);
// Those of these ids that exist, in this process or among what rollouts kept; the journal is gone
// through once, however many they are. More than kMaxIdsInCall are refused.
inline constexpr std::size_t kMaxIdsInCall = 40;
using FoundEvidence = std::map<std::string, agent::Evidence>;
[[nodiscard]] Result<FoundEvidence> find_evidence(ToolWorld& world,
                                                  const std::vector<std::string>& ids);
[[nodiscard]] Status check_evidence_ids(ToolWorld& world, const std::vector<std::string>& ids);

[[nodiscard]] std::string text_of(const boost::json::object& from, std::string_view key);
[[nodiscard]] std::int64_t number_of(const boost::json::object& from, std::string_view key,
                                     std::int64_t otherwise);
[[nodiscard]] std::vector<std::string> texts_of(const boost::json::object& from,
                                                std::string_view key);
[[nodiscard]] boost::json::array list_of(const std::vector<std::string>& texts);

struct Reached {
  std::shared_ptr<const fleet::Fleet> fleet;
  std::unique_ptr<Wiring> wiring;
};
// The fleet file as it is now, and the drivers of one service; known() names what exists.
Task<Result<Reached>> reach(ToolWorld* world, std::string service,
                            core::Intent intent = core::Intent::restart,
                            FleetCache::Age age = FleetCache::Age::recent);
// Its instance on that host (a host's name or service@host).
[[nodiscard]] Result<const engine::InstanceParts*> instance_on(const Wiring& wiring,
                                                               const std::string& host);

}  // namespace hitless::cli
