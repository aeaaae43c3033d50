#include "cli/tools.hpp"

#include <boost/json/array.hpp>
#include <set>

#include "base/text.hpp"
#include "cli/evidence_store.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kGenerations = 2;
constexpr int kLookBack = 50;  // rollouts

const agent::Evidence* known(const ToolWorld& world, const std::string& id) {
  for (const agent::EvidenceStore& store : world.evidence)
    if (const agent::Evidence* found = store.find(id)) return found;
  return nullptr;
}

// ev_ and 12 hex digits: for anything else nobody has to look.
bool is_id(const std::string& id) {
  return id.size() == 15 && id.starts_with("ev_") &&
         id.find_first_not_of("0123456789abcdef", 3) == std::string::npos;
}

// Moves what it finds from `missing` to `found`.
void look_in_journal(const ToolWorld& world, std::set<std::string>& missing, FoundEvidence& found) {
  auto journal = open_journal(world.app, false);
  if (!journal) return;
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return;
  for (const ports::RolloutRow& row : *rows) {
    if (missing.empty()) return;
    if (row.incident.empty()) continue;
    auto replayed = replay(**journal, row.rollout);
    if (!replayed) continue;
    for (const core::Instance& instance : replayed->state.instances) {
      if (!instance.failed) continue;
      const auto kept = get_evidence(**journal, row.rollout, instance.plan.id);
      if (!kept) continue;
      for (const agent::Evidence& each : kept->store.all())
        if (missing.erase(each.id) == 1) found.emplace(each.id, each);
    }
  }
}

}  // namespace

agent::Registry make_tools(ToolWorld* world) {
  agent::Registry registry;
  add_fleet_tools(registry, world);
  add_host_tools(registry, world);
  add_config_tools(registry, world);
  add_journal_tools(registry, world);
  add_plan_tools(registry, world);
  add_act_tools(registry, world);
  add_diagnosis_tools(registry, world);
  add_metric_tools(registry, world);
  add_incident_tools(registry, world);
  return registry;
}

std::string remember(ToolWorld& world, agent::Source source, const std::string& host,
                     std::string_view text) {
  if (text.empty()) return {};
  if (world.evidence.empty()) world.evidence.emplace_back();
  const TimeMs now = wall_now_ms();
  const agent::Evidence* kept = world.evidence.back().add(source, host, now, text);
  if (kept == nullptr) {  // full
    world.evidence.emplace_back();
    if (world.evidence.size() > kGenerations) world.evidence.pop_front();
    kept = world.evidence.back().add(source, host, now, text);
  }
  return kept == nullptr ? std::string() : kept->id;
}

Result<FoundEvidence> find_evidence(ToolWorld& world, const std::vector<std::string>& ids) {
  std::set<std::string> missing(ids.begin(), ids.end());
  if (missing.size() > kMaxIdsInCall)
    return fail(ErrorCode::invalid,
                "more than " + std::to_string(kMaxIdsInCall) + " ids of evidence in one call", {},
                "cite those that matter most");
  FoundEvidence found;
  std::erase_if(missing, [&](const std::string& id) {
    const agent::Evidence* here = known(world, id);
    if (here != nullptr) found.emplace(id, *here);
    return here != nullptr || !is_id(id);
  });
  if (!missing.empty()) look_in_journal(world, missing, found);
  return found;
}

Status check_evidence_ids(ToolWorld& world, const std::vector<std::string>& ids) {
  const auto found = find_evidence(world, ids);
  if (!found) return tl::unexpected<Error>(found.error());
  for (const std::string& id : ids) {
    if (!found->contains(id))
      return fail(ErrorCode::invalid, "no evidence has the id " + escape_for_terminal(id), {},
                  "cite ids that the read tools gave you");
  }
  return {};
}

std::string text_of(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::int64_t number_of(const json::object& from, std::string_view key, std::int64_t otherwise) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : otherwise;
}

std::vector<std::string> texts_of(const json::object& from, std::string_view key) {
  std::vector<std::string> texts;
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_array()) return texts;
  for (const json::value& each : found->get_array())
    if (each.is_string()) texts.emplace_back(each.get_string());
  return texts;
}

json::array list_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& each : texts) list.emplace_back(json::string(each));
  return list;
}

Task<Result<Reached>> reach(ToolWorld* world, std::string service, core::Intent intent,
                            FleetCache::Age age) {
  auto fleet = co_await world->fleets.get(&world->app, age);
  if (!fleet) co_return tl::unexpected<Error>(fleet.error());
  auto wiring = wire_for(**fleet, service, intent);
  if (!wiring) co_return tl::unexpected<Error>(wiring.error());
  co_return Reached{std::move(*fleet), std::move(*wiring)};
}

Result<const engine::InstanceParts*> instance_on(const Wiring& wiring, const std::string& host) {
  std::vector<std::string> names;
  for (const engine::InstanceParts& instance : wiring.parts.instances) {
    if (instance.host_name == host || instance.id.value == host) return &instance;
    names.push_back(instance.host_name);
  }
  return fail(ErrorCode::not_found,
              wiring.parts.name + " does not run on " + escape_for_terminal(host), {},
              "it runs on " + join(names, ", "));
}

}  // namespace hitless::cli
