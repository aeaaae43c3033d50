// Which rollout a verb means: the id that was given, or the only one that fits, or the newest.
#pragma once
#include <optional>
#include <string_view>

#include "cli/app.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

// The journal's fact about a rollout's notification: "due", then "sent".
inline constexpr std::string_view kOwed = "notify:";

enum class Pick {
  unfinished,  // runs, or was cut off
  ended,       // the newest of all, if it has ended
  any,  // the newest unfinished one, else the newest
};

// Fails with not_found or refused, saying which there are.
[[nodiscard]] Result<ports::RolloutRow> pick_rollout(const App& app, Pick pick);

// The rollout (that was asked for, or the newest) that has ended and was cut off before anybody was
// told.
[[nodiscard]] std::optional<ports::RolloutRow> untold_rollout(const App& app);

// The same with its state, the journal closed again.
struct Picked {
  ports::RolloutRow row;
  core::State state;
};
[[nodiscard]] Result<Picked> pick_with_state(const App& app, Pick pick);

}  // namespace hitless::cli
