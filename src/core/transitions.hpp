// The transition table of an instance: what may follow what, and what it takes. apply() refuses any
// other step; docs/STATES.md is printed from it by a test.
#pragma once
#include <span>
#include <string_view>

#include "core/event.hpp"

namespace hitless::core {

struct Transition {
  PhaseName from, to;
  std::string_view needs;  // what must have been observed
};
[[nodiscard]] std::span<const Transition> transitions();
[[nodiscard]] bool may_follow(PhaseName from, PhaseName to);

}  // namespace hitless::core
