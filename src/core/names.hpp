// The one spelling of every word of the core in journal, CLI and documents.
#pragma once
#include <string_view>

#include "core/event.hpp"

namespace hitless::core {

[[nodiscard]] std::string_view to_string(PhaseName value);
[[nodiscard]] std::string_view to_string(EffectKind value);
[[nodiscard]] std::string_view to_string(Intent value);
[[nodiscard]] std::string_view to_string(Action value);
[[nodiscard]] std::string_view to_string(TargetState value);
[[nodiscard]] std::string_view to_string(ServiceVerdict value);
[[nodiscard]] std::string_view to_string(RolloutResult value);
[[nodiscard]] std::string_view to_string(OutcomeStatus value);
[[nodiscard]] std::string_view to_string(CheckStatus value);
[[nodiscard]] std::string_view to_string(Direction value);
[[nodiscard]] std::string_view to_string(OperatorWish value);

// The intent with this name; restart for any other word.
[[nodiscard]] Intent intent_named(std::string_view word);

}  // namespace hitless::core
