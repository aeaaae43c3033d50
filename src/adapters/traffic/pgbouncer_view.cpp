#include "adapters/traffic/pgbouncer_view.hpp"

#include <charconv>

namespace hitless::traffic {
namespace {

std::optional<std::int64_t> number(const PgRows& rows, std::size_t row, std::string_view column) {
  const std::string text = rows.get(row, column);
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void add(std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& part) {
  if (!part) {
    sum.reset();
  } else if (sum) {
    *sum += *part;
  }
}

// A number of seconds, with a fraction where someone wrote one.
std::optional<DurationMs> seconds(const std::string& text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || !(value >= 0 && value < 1e9)) return std::nullopt;
  return static_cast<DurationMs>(value * 1000);
}

tl::unexpected<Error> not_understood(const std::string& what) {
  return fail(ErrorCode::failed, "PgBouncer's console does not say " + what, {},
              "hitless needs PgBouncer 1.8 or later");
}

void add_pool(PgbouncerDatabase& database, const PgRows& pools, std::size_t row) {
  // The last two are of 1.18 and later.
  for (const char* column : {"sv_active", "sv_tested", "sv_login"})
    add(database.active, number(pools, row, column));
  for (const char* column : {"sv_active_cancel", "sv_being_canceled"}) {
    if (const auto count = number(pools, row, column)) add(database.active, count);
  }
  for (const char* column : {"sv_idle", "sv_used"}) add(database.idle, number(pools, row, column));
  add(database.waiting, number(pools, row, "cl_waiting"));
  const auto seconds = number(pools, row, "maxwait");
  if (!seconds) {
    database.max_wait_ms.reset();
  } else if (database.max_wait_ms) {
    const DurationMs wait = *seconds * 1000 + number(pools, row, "maxwait_us").value_or(0) / 1000;
    database.max_wait_ms = std::max(*database.max_wait_ms, wait);
  }
  database.session |= pools.get(row, "pool_mode") == "session";
}

}  // namespace

Result<PgbouncerLimits> read_limits(const PgRows& config) {
  PgbouncerLimits limits;
  bool mode = false, timeout = false;
  for (std::size_t row = 0; row < config.rows.size(); ++row) {
    const std::string key = config.get(row, "key");
    if (key == "pool_mode") {
      mode = true;
      limits.session = config.get(row, "value") == "session";
    } else if (key == "query_wait_timeout") {
      const auto ms = seconds(config.get(row, "value"));
      timeout = ms.has_value();
      limits.query_wait_timeout_ms = ms.value_or(0);
    } else if (key == "server_login_retry") {
      limits.login_retry_ms = seconds(config.get(row, "value")).value_or(limits.login_retry_ms);
    }
  }
  if (!mode) return not_understood("its pool_mode");
  if (!timeout) return not_understood("its query_wait_timeout");
  return limits;
}

Result<PgbouncerView> read_view(const PgbouncerLimits& limits, const PgRows& databases,
                                const PgRows& pools, const PgRows& totals) {
  PgbouncerView view;
  view.limits = limits;
  for (std::size_t row = 0; row < databases.rows.size(); ++row) {
    const auto paused = number(databases, row, "paused");
    const auto disabled = number(databases, row, "disabled");
    if (!paused || !disabled) return not_understood("whether a database is paused");
    PgbouncerDatabase database;
    database.paused = *paused != 0;
    database.disabled = *disabled != 0;
    const std::string mode = databases.get(row, "pool_mode");
    database.session = mode.empty() ? limits.session : mode == "session";
    database.active = database.idle = database.waiting = 0;
    database.max_wait_ms = 0;
    view.databases.emplace(databases.get(row, "name"), database);
  }
  for (std::size_t row = 0; row < pools.rows.size(); ++row) {
    const auto found = view.databases.find(pools.get(row, "database"));
    if (found != view.databases.end()) add_pool(found->second, pools, row);
  }
  for (std::size_t row = 0; row < totals.rows.size(); ++row) {
    const auto found = view.databases.find(totals.get(row, "database"));
    if (found != view.databases.end()) found->second.queries = number(totals, row, "query_count");
  }
  return view;
}

std::string console_name(const std::string& database) {
  const bool plain = std::ranges::all_of(database, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  return plain ? database : "\"" + database + "\"";
}

}  // namespace hitless::traffic
