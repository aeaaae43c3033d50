// What PgBouncer's console says about its databases, as values. Pure. A column that is not there is
// unknown, never 0.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "adapters/traffic/pg_wire.hpp"
#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::traffic {

// One entry of [databases], all its pools (one for each user) together.
struct PgbouncerDatabase {
  bool paused = false, disabled = false;
  bool session = false;                 // some pool of it keeps a server for a client's whole life
  std::optional<std::int64_t> active;   // server connections in use: a query or transaction each
  std::optional<std::int64_t> idle;     // server connections that are open and not in use
  std::optional<std::int64_t> waiting;  // clients
  std::optional<std::int64_t> queries;  // total since PgBouncer began
  std::optional<DurationMs> max_wait_ms;  // of the client that waits longest
};

struct PgbouncerLimits {
  bool session = false;                  // pool_mode where nothing else is said
  DurationMs query_wait_timeout_ms = 0;  // after which a waiting client is dropped; 0: never
  DurationMs login_retry_ms = 15'000;    // server_login_retry
};

struct PgbouncerView {
  std::map<std::string, PgbouncerDatabase> databases;
  PgbouncerLimits limits;
  std::string epoch;  // changes with every new connection: PgBouncer may be another one then
};

[[nodiscard]] Result<PgbouncerLimits> read_limits(const PgRows& config);
[[nodiscard]] Result<PgbouncerView> read_view(const PgbouncerLimits& limits,
                                              const PgRows& databases, const PgRows& pools,
                                              const PgRows& totals);
// As PgBouncer's commands take it: "app", "\"app-two\"".
[[nodiscard]] std::string console_name(const std::string& database);

}  // namespace hitless::traffic
