#include "adapters/journal/chain.hpp"

#include "adapters/journal/codec.hpp"
#include "adapters/journal/json_read.hpp"
#include "base/digest.hpp"
#include "core/names.hpp"

namespace hitless::journal {

std::string hash_line(const Line& line) {
  // Lengths make the split between fields unambiguous: "1:a2:bc" is not "2:ab1:c".
  std::string bytes;
  const auto add = [&](std::string_view field) {
    bytes += std::to_string(field.size());
    bytes += ':';
    bytes += field;
  };
  bytes.reserve(line.body.size() + 256);
  add(line.prev);
  add(std::to_string(line.seq));
  add(line.rollout);
  add(std::to_string(line.at_ms));
  add(line.kind);
  add(line.body);
  return sha256_hex(bytes);
}

std::string export_line(const Line& line) {
  return fmt::format(R"({{"seq":{},"rollout":{},"at":{},"kind":{},"body":{},"prev":{},"hash":{}}})"
                     "\n",
                     line.seq, quote_json(line.rollout), line.at_ms, quote_json(line.kind),
                     quote_json(line.body), quote_json(line.prev), quote_json(line.hash));
}

void fold(IndexRow& index, std::int64_t seq, std::int64_t at_ms, const core::Event& event) {
  auto& row = index.row;
  if (row.first_seq == 0) row.first_seq = seq;
  row.last_seq = seq;
  if (const auto* started = std::get_if<core::RolloutStarted>(&event)) {
    row.service = started->plan.service;
    row.intent = core::to_string(started->plan.intent);
    row.actor = started->actor;
    row.started_at = at_ms;
  } else if (const auto* intended = std::get_if<core::EffectIntended>(&event)) {
    if (intended->effect.kind != core::EffectKind::finish) return;
    index.finish_id = intended->effect.id;
    row.result = core::to_string(intended->effect.result);
    row.reason = intended->effect.reason;
  } else if (const auto* finished = std::get_if<core::EffectFinished>(&event)) {
    if (!finished->outcome.incident.empty()) row.incident = finished->outcome.incident;
    if (!index.finish_id.empty() && finished->effect_id == index.finish_id) row.ended_at = at_ms;
  }
}

std::string fact_to_json(const Fact& fact) {
  return fmt::format(R"({{"type":"{}","key":{},"value":{}}})", fact_kind, quote_json(fact.key),
                     quote_json(fact.value));
}

Result<Fact> fact_from_json(std::string_view text) {
  auto tree = parse_json(text);
  if (!tree) return tl::unexpected(tree.error());
  const auto* object = tree->if_object();
  const auto* key = object == nullptr ? nullptr : object->if_contains("key");
  const auto* value = object == nullptr ? nullptr : object->if_contains("value");
  if (key == nullptr || value == nullptr || !key->is_string() || !value->is_string()) {
    return fail(ErrorCode::invalid, "not a fact: needs `key` and `value`");
  }
  return Fact{std::string(key->get_string()), std::string(value->get_string())};
}

}  // namespace hitless::journal
