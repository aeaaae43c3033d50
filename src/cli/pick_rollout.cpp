#include "cli/pick_rollout.hpp"

#include "base/text.hpp"

namespace hitless::cli {
namespace {

constexpr int kLookBack = 1'000;  // rollouts

Error does_not_fit(const ports::RolloutRow& row, Pick pick) {
  if (pick == Pick::unfinished) {
    return {ErrorCode::refused,
            row.rollout + " has ended: " + row.result,
            {},
            "`hitless retry " + row.rollout + "` works on what it left undone"};
  }
  return {ErrorCode::refused,
          row.rollout + " has not ended",
          {},
          "`hitless resume " + row.rollout + "` goes on with it, `hitless abort " + row.rollout +
              "` rolls it back"};
}

Result<ports::RolloutRow> by_id(const std::vector<ports::RolloutRow>& rows, const std::string& id,
                                Pick pick) {
  std::vector<std::string> ids;
  for (const ports::RolloutRow& row : rows) {
    ids.push_back(row.rollout);
    if (row.rollout != id) continue;
    const bool fits = pick == Pick::any || (pick == Pick::ended) == !row.result.empty();
    if (!fits) return tl::unexpected<Error>(does_not_fit(row, pick));
    return row;
  }
  const std::string near = nearest(id, ids);
  return fail(ErrorCode::not_found, "no rollout `" + id + "` in the journal", {},
              near.empty() ? "`hitless history` lists them" : "did you mean `" + near + "`?");
}

}  // namespace

Result<ports::RolloutRow> pick_rollout(const App& app, Pick pick) {
  auto journal = open_journal(app, false);
  if (!journal) return tl::unexpected<Error>(journal.error());
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (!app.options.id.empty()) return by_id(*rows, app.options.id, pick);
  if (pick == Pick::ended && !rows->empty()) {
    if (rows->front().result.empty())
      return tl::unexpected<Error>(does_not_fit(rows->front(), pick));
    return rows->front();
  }
  std::vector<ports::RolloutRow> unfinished;
  for (const ports::RolloutRow& row : *rows) {
    if (row.result.empty()) unfinished.push_back(row);
  }
  if (unfinished.size() == 1 || (pick == Pick::any && !unfinished.empty())) return unfinished[0];
  if (unfinished.empty()) {
    if (pick == Pick::any && !rows->empty()) return rows->front();
    if (rows->empty())
      return fail(ErrorCode::not_found, "there was no rollout yet", {},
                  "`hitless plan SERVICE` shows what one would do");
    return fail(ErrorCode::not_found, "no rollout runs or was cut off", {},
                "`hitless history` lists those that ended");
  }
  std::string ids;
  for (const ports::RolloutRow& row : unfinished)
    ids += (ids.empty() ? "" : ", ") + row.rollout + " (" + row.service + ")";
  return fail(ErrorCode::refused, "which rollout? " + ids, {},
              "hitless " + app.options.verb + " ROLLOUT");
}

std::optional<ports::RolloutRow> untold_rollout(const App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return std::nullopt;
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return std::nullopt;
  for (const ports::RolloutRow& row : *rows) {
    if (row.result.empty() || (!app.options.id.empty() && app.options.id != row.rollout)) continue;
    const auto owed = (*journal)->get_fact(std::string(kOwed) + row.rollout);
    if (owed && *owed == "due") return row;
    if (app.options.id.empty()) return std::nullopt;  // only the newest: nobody asks for older ones
  }
  return std::nullopt;
}

Result<Picked> pick_with_state(const App& app, Pick pick) {
  auto row = pick_rollout(app, pick);
  if (!row) return tl::unexpected<Error>(row.error());
  auto journal = open_journal(app, false);
  if (!journal) return tl::unexpected<Error>(journal.error());
  auto found = replay(**journal, row->rollout);
  if (!found) return tl::unexpected<Error>(found.error());
  return Picked{std::move(*row), std::move(found->state)};
}

}  // namespace hitless::cli
