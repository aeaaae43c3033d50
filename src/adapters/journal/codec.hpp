// Events and plans as canonical JSON: fixed key order, no whitespace, one line, every field
// present.
//
// What is written can be read back unchanged. Two exceptions, on purpose: bytes that are not UTF-8
// become U+FFFD and a string longer than max_string_bytes is cut, because text from hosts must
// never make the journal unreadable. Control characters (C0, DEL, C1, bidi, line separators) are
// written as \uXXXX. Reading accepts unknown extra fields (a newer writer); anything else that
// differs is an Error.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/event.hpp"

namespace hitless::journal {

inline constexpr std::size_t max_json_bytes = 16u << 20;  // of one event or plan
inline constexpr std::size_t max_string_bytes = 256u << 10;
inline constexpr std::size_t max_list_items = 100'000;
inline constexpr std::size_t max_json_depth = 16;

// {"type":"effect_intended","effect":{…}}
[[nodiscard]] std::string event_to_json(const core::Event& event);
[[nodiscard]] Result<core::Event> event_from_json(std::string_view text);
// "effect_intended"
[[nodiscard]] std::string_view kind_of(const core::Event& event);

[[nodiscard]] std::string plan_to_json(const core::Plan& plan);
[[nodiscard]] Result<core::Plan> plan_from_json(std::string_view text);
// sha256 (hex) of the canonical text with an empty hash field.
[[nodiscard]] std::string hash_plan(core::Plan plan);

// text as a JSON string, with quotes, under the rules above but never cut.
[[nodiscard]] std::string quote_json(std::string_view text);

}  // namespace hitless::journal
