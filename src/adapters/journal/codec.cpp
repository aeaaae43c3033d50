#include "adapters/journal/codec.hpp"

#include <array>

#include "adapters/journal/json_read.hpp"
#include "adapters/journal/json_write.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::journal {
namespace {

// In the order of core::Event's alternatives.
constexpr std::array<std::string_view, 11> kinds = {"rollout_started",
                                                    "effect_intended",
                                                    "effect_finished",
                                                    "traffic_seen",
                                                    "service_seen",
                                                    "health_seen",
                                                    "advanced",
                                                    "halted",
                                                    "operator_asked",
                                                    "controller_took_over",
                                                    "noted"};
static_assert(kinds.size() == std::variant_size_v<core::Event>);
static_assert(std::is_same_v<std::variant_alternative_t<0, core::Event>, core::RolloutStarted>);
static_assert(std::is_same_v<std::variant_alternative_t<3, core::Event>, core::TrafficSeen>);
static_assert(std::is_same_v<std::variant_alternative_t<6, core::Event>, core::Advanced>);
static_assert(std::is_same_v<std::variant_alternative_t<10, core::Event>, core::Noted>);

template <std::size_t I>
Status read_alternative(const boost::json::value& from, core::Event& to) {
  JsonReader reader;
  return reader.read(from, to.emplace<I>());
}

}  // namespace

std::string_view kind_of(const core::Event& event) {
  return kinds.at(event.index());
}

std::string event_to_json(const core::Event& event) {
  JsonWriter writer;
  writer.raw("{\"type\":");
  writer.string(kind_of(event));
  std::visit([&](const auto& alternative) { writer.fields(alternative, true); }, event);
  writer.raw("}");
  return writer.take();
}

Result<core::Event> event_from_json(std::string_view text) {
  auto tree = parse_json(text);
  if (!tree) return tl::unexpected(tree.error());
  const auto* object = tree->if_object();
  const auto* type = object == nullptr ? nullptr : object->if_contains("type");
  if (type == nullptr || !type->is_string()) {
    return fail(ErrorCode::invalid, "not an event: no `type`");
  }
  const std::string_view name(type->get_string().data(), type->get_string().size());
  core::Event event;
  Status status =
      fail(ErrorCode::invalid,
           fmt::format("unknown event type `{}`", escape_for_terminal(truncate_utf8(name, 80))), {},
           "it was written by a newer hitless, or it is not ours");
  boost::mp11::mp_for_each<boost::mp11::mp_iota_c<std::variant_size_v<core::Event>>>(
      [&](auto index) {
        constexpr std::size_t i = decltype(index)::value;
        if (name == kinds[i]) status = read_alternative<i>(*tree, event);
      });
  if (!status) {
    if (status.error().where.empty()) status.error().where = std::string(truncate_utf8(name, 80));
    return tl::unexpected(status.error());
  }
  return event;
}

std::string plan_to_json(const core::Plan& plan) {
  JsonWriter writer;
  writer.write(plan);
  return writer.take();
}

Result<core::Plan> plan_from_json(std::string_view text) {
  auto tree = parse_json(text);
  if (!tree) return tl::unexpected(tree.error());
  core::Plan plan;
  JsonReader reader;
  if (auto ok = reader.read(*tree, plan); !ok) return tl::unexpected(ok.error());
  return plan;
}

std::string hash_plan(core::Plan plan) {
  plan.hash.clear();
  return sha256_hex(plan_to_json(plan));
}

}  // namespace hitless::journal
