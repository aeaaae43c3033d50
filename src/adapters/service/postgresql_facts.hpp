// What a running PostgreSQL says about itself, asked with psql on its own host as a user who needs
// no password there (peer). One round trip, fixed SQL.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "adapters/service/services.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

struct PostgresqlFacts {
  std::string started, loaded;  // pg_postmaster_start_time(), pg_conf_load_time()
  double loaded_s = 0;          // the latter in seconds since the epoch; 0: not told
  std::string version;
  bool in_recovery = false;
  std::int64_t sessions = 0;             // of clients, ours not counted
  std::vector<std::string> pending;      // settings that wait for a restart
  std::vector<std::string> file_errors;  // of the files on disk, but for `pending`
  std::vector<std::string> hba_errors;
  std::map<std::string, std::string> contexts;  // of the settings asked about: pg_settings.context
};

// Fails with unavailable when the server accepts no queries; the text is psql's.
Task<Result<PostgresqlFacts>> ask_postgresql(ports::Host* host, PostgresqlConfig config,
                                             std::vector<std::string> settings = {});
[[nodiscard]] Result<PostgresqlFacts> parse_postgresql_facts(std::string_view out);
[[nodiscard]] const char* postgresql_script();
// What it runs: the test of a staged configuration, and without a unit what reloads and restarts.
[[nodiscard]] std::vector<std::string> postgresql_test(const PostgresqlConfig& config);
[[nodiscard]] std::vector<std::string> postgresql_pg_ctl(const PostgresqlConfig& config,
                                                         core::Action action);

// The generation that serves, in ServiceIdentity::workers: when its configuration was loaded, what
// waits for a restart, whether it is in recovery.
[[nodiscard]] std::vector<std::string> generation_of(const PostgresqlFacts& facts);

// Of one reading, when the process itself looks right.
[[nodiscard]] core::ServiceReading prove_postgresql_reload(const core::ServiceIdentity& before,
                                                           const core::ServiceIdentity& now,
                                                           const PostgresqlFacts& facts);
[[nodiscard]] core::ServiceReading prove_postgresql_restart(const core::ServiceIdentity& before,
                                                            core::ServiceReading process,
                                                            const PostgresqlFacts& facts);

// ---- changes of its configuration ---------------------------------------------------------------
// name → value of the last line that sets it, names in lower case; "include…" lines under a name
// that no setting has.
[[nodiscard]] std::map<std::string, std::string> postgresql_settings(std::string_view text);
// The settings that differ between two states of the files; and whether other files (pg_hba.conf,
// pg_ident.conf) or includes differ.
struct PostgresqlChange {
  std::vector<std::string> settings;
  bool other_files = false;
  bool includes = false;
};
[[nodiscard]] PostgresqlChange postgresql_change(const ports::Files& before,
                                                 const ports::Files& after);
// contexts: of pg_settings. A setting that the server does not know counts as a restart.
[[nodiscard]] ports::ChangeNeeds judge_postgresql_change(
    const PostgresqlChange& change, const std::map<std::string, std::string>& contexts);

}  // namespace hitless::service
