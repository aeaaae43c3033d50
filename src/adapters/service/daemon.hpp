// What the drivers of well-known programs have in common: the unit, its preflight, the test of the
// configuration, restart by systemd's own account. Each driver is a DaemonSpec: what to look at,
// and the function that tells from it whether a reload took effect.
#pragma once
#include <string>
#include <vector>

#include "adapters/service/pending_edits.hpp"
#include "adapters/service/probe.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/staging.hpp"
#include "core/types.hpp"

namespace hitless::service {

struct DaemonSpec {
  std::string name;                   // "Apache"
  std::vector<std::string> roots;     // of its configuration; [0] is the main file
  ProbeQuery query;                   // with the unit
  StagedTest test;                    // without argv: there is no test
  std::vector<std::string> programs;  // must be found on the host
  bool reloads = true;
  bool log_proves = false;  // without its log no reload is proven
  ports::ReloadFailureMode on_bad_reload = ports::ReloadFailureMode::unknown;

  LoadedAt loaded_at = LoadedAt::oldest_worker;

  // A client that is asked at each look, with these commands on its standard input.
  std::vector<std::string> client;
  std::string client_input;
  // What else a look tells: its answer (empty without a client) as facts and marks.
  void (*complete)(ProbeResult& seen, const ports::ExecResult& answer) = nullptr;

  core::ServiceReading (*prove_reload)(const core::ServiceIdentity& before,
                                       const ProbeResult& seen) = nullptr;
  // What one that was restarted still lacks; empty: nothing.
  std::string (*still_missing)(const core::ServiceIdentity& before,
                               const ProbeResult& seen) = nullptr;
  // Lines for the preflight.
  std::vector<core::Check> (*remarks)(const ProbeResult& seen) = nullptr;
  // Also lines for the preflight, from the configuration on disk.
  std::vector<core::Check> (*config_remarks)(const ports::Files& files) = nullptr;
  // Why no reload may be chosen, from the configuration on disk; empty: it may.
  std::string (*no_reload)(const ports::Files& files, const ProbeResult& seen) = nullptr;
};

[[nodiscard]] DaemonSpec apache_spec(const DaemonConfig& config);
[[nodiscard]] DaemonSpec haproxy_spec(const DaemonConfig& config);
[[nodiscard]] DaemonSpec php_fpm_spec(const DaemonConfig& config);
[[nodiscard]] DaemonSpec gunicorn_spec(const DaemonConfig& config);
[[nodiscard]] DaemonSpec redis_spec(const DaemonConfig& config);
[[nodiscard]] DaemonSpec daemon_spec(DaemonKind kind, const DaemonConfig& config);

// The files that a configuration starts at: the main one and those named beside it.
[[nodiscard]] std::vector<std::string> roots_of(const DaemonConfig& config);

}  // namespace hitless::service
