#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"

namespace hitless::cli {
namespace {

void print_json(const std::vector<ports::RolloutRow>& rows) {
  for (const ports::RolloutRow& row : rows) {
    fmt::print(
        "{{\"format_version\":1,\"rollout\":{},\"service\":{},\"intent\":{},\"actor\":{},"
        "\"result\":{},\"reason\":{},"
        "\"incident\":{},\"started_at\":\"{}\",\"ended_at\":{}}}\n",
        journal::quote_json(row.rollout), journal::quote_json(row.service),
        journal::quote_json(row.intent), journal::quote_json(row.actor),
        journal::quote_json(row.result), journal::quote_json(row.reason),
        journal::quote_json(row.incident), format_timestamp(row.started_at),
        row.ended_at == 0 ? "null" : "\"" + format_timestamp(row.ended_at) + "\"");
  }
}

Ink ink_of(const std::string& result) {
  if (result == "succeeded") return Ink::good;
  return result == "aborted" || result == "blocked" ? Ink::warn : Ink::bad;
}

}  // namespace

int verb_history(App& app) {
  auto journal = open_journal(app, false);
  if (!journal && journal.error().code == ErrorCode::not_found) {
    fmt::print(stderr, "No rollouts yet. `hitless plan SERVICE` shows what one would do.\n");
    return kOk;
  }
  if (!journal) return failed(app, journal.error());
  auto rows = (*journal)->rollouts(app.options.last);
  if (!rows) return failed(app, rows.error());
  std::erase_if(*rows, [&](const ports::RolloutRow& row) {
    return !app.options.service.empty() && row.service != app.options.service;
  });
  if (app.options.json) {
    print_json(*rows);
    return kOk;
  }
  if (rows->empty()) {
    fmt::print(stderr, "No rollouts yet. `hitless plan SERVICE` shows what one would do.\n");
    return kOk;
  }
  fmt::print("{:<10} {:<20} {:<10} {:<8} {:<13} {:>8}  {}\n", "ROLLOUT", "STARTED", "SERVICE",
             "INTENT", "RESULT", "TOOK", "WHY");
  for (const ports::RolloutRow& row : *rows) {
    const std::string result = row.result.empty() ? "unfinished" : row.result;
    const std::string took =
        row.ended_at == 0 ? "-" : format_duration(row.ended_at - row.started_at);
    std::string why = row.incident.empty() ? row.reason : row.incident + " " + row.reason;
    why = truncate_utf8(escape_for_terminal(why), 60);
    fmt::print("{:<10} {:<20} {:<10} {:<8} {} {:>8}  {}\n", row.rollout,
               format_timestamp(row.started_at).substr(0, 19) + "Z", row.service, row.intent,
               app.out.paint(ink_of(row.result), fmt::format("{:<13}", result)), took,
               app.out.plain(why));
  }
  return kOk;
}

}  // namespace hitless::cli
