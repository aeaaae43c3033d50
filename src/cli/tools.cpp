#include "cli/tools.hpp"

#include <boost/json/array.hpp>

#include "base/text.hpp"
#include "cli/evidence_store.hpp"
#include "cli/load.hpp"

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

std::optional<agent::Evidence> in_journal(const ToolWorld& world, const std::string& id) {
  auto journal = open_journal(world.app, false);
  if (!journal) return std::nullopt;
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return std::nullopt;
  for (const ports::RolloutRow& row : *rows) {
    if (row.incident.empty()) continue;
    auto found = replay(**journal, row.rollout);
    if (!found) continue;
    for (const core::Instance& instance : found->state.instances) {
      if (!instance.failed) continue;
      const auto kept = get_evidence(**journal, row.rollout, instance.plan.id);
      const agent::Evidence* evidence = kept ? kept->store.find(id) : nullptr;
      if (evidence != nullptr) return *evidence;
    }
  }
  return std::nullopt;
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

std::optional<agent::Evidence> find_evidence(ToolWorld& world, const std::string& id) {
  if (const agent::Evidence* found = known(world, id)) return *found;
  return in_journal(world, id);
}

Status check_evidence_ids(ToolWorld& world, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    if (!find_evidence(world, id))
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

Result<Reached> reach(ToolWorld& world, const std::string& service, core::Intent intent) {
  auto fleet = load_fleet_quietly(world.app);
  if (!fleet) return tl::unexpected<Error>(fleet.error());
  auto wiring = wire_for(*fleet, service, intent);
  if (!wiring) return tl::unexpected<Error>(wiring.error());
  return Reached{std::move(*fleet), std::move(*wiring)};
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
