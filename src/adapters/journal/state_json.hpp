// A State as canonical JSON: for `show --at --json`, and to tell whether two folds are the same.
// Written only, never read: a State comes from its journal and from nowhere else.
#pragma once
#include <string>

#include "core/state.hpp"

namespace hitless::journal {

[[nodiscard]] std::string state_to_json(const core::State& state);

}  // namespace hitless::journal
