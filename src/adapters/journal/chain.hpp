// The chain: what exactly is hashed for an entry, and the index tables that follow from the
// entries.
//
// Each entry's hash covers all its fields and the hash of the entry before it, so that nothing can
// be changed, dropped, added or moved without every later hash changing. The bytes are described in
// docs/AUDIT.md for third parties. Index rows are a fold over the entries: verify() makes them
// anew.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/event.hpp"
#include "ports/journal.hpp"

namespace hitless::journal {

// prev of the first entry.
inline constexpr std::string_view genesis =
    "0000000000000000000000000000000000000000000000000000000000000000";
inline constexpr std::string_view fact_kind = "fact_stored";

// One row of `entries`. rollout is empty for facts.
struct Line {
  std::int64_t seq = 0;
  std::string rollout;
  std::int64_t at_ms = 0;
  std::string kind;
  std::string body;  // canonical JSON
  std::string prev, hash;
};

[[nodiscard]] std::string hash_line(const Line& line);
// {"seq":…,"rollout":…,"at":…,"kind":…,"body":"…","prev":…,"hash":…} and a newline; body is a
// string, because its exact bytes were hashed.
[[nodiscard]] std::string export_line(const Line& line);

// One row of `rollouts`, as far as the entries up to now say.
struct IndexRow {
  ports::RolloutRow row;
  std::string finish_id;  // of the effect whose end is the end of the rollout
};
void fold(IndexRow& index, std::int64_t seq, std::int64_t at_ms, const core::Event& event);

// A fact is an entry too, so that it cannot be changed unseen.
struct Fact {
  std::string key, value;
};
[[nodiscard]] std::string fact_to_json(const Fact& fact);
[[nodiscard]] Result<Fact> fact_from_json(std::string_view text);

}  // namespace hitless::journal
