// One round trip that reads all there is to know about who runs: systemd's properties, the main
// process and its start time, its workers, the error log, the hashes of the configuration.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/service/unit_status.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

// Which children of the main process are the workers.
enum class Workers {
  none,
  nginx,      // by their titles; those that are shutting down do not count
  same_name,  // those that run the same program: no piped loggers, no helpers
  gunicorn,   // all children, and which of them have begun to work
  haproxy     // as same_name, and what the master remembers of its reloads
};

// Lines of the log that tell of a reload: pattern is an extended regular expression, and @PID@ in
// it the main process as it was before.
inline constexpr const char* kPidMark = "@PID@";

struct ProbeQuery {
  std::string unit;      // empty: not under systemd
  std::string pid_file;  // used without a unit
  Workers workers = Workers::none;
  std::string binary;                 // absolute: also look whether the main process runs this file
  std::string log_pattern;            // empty: as nginx writes what is [crit] and above
  std::string log_file;               // empty: none
  std::int64_t log_inode = 0;         // with log_offset: also read what was written since
  std::int64_t log_offset = -1;       // -1: nothing is to be read
  std::int64_t log_pid = 0;           // whose lines count
  std::vector<std::string> patterns;  // of the configuration's files
  // Who was seen to run. While it is still that process, what systemd said of it stands (each of
  // its starts, also the automatic ones, is a new process), and systemd is not asked again.
  std::optional<core::ServiceIdentity> known;
};

struct ProbeResult {
  core::ServiceIdentity identity;  // without config_digest
  std::optional<UnitStatus> unit;
  std::vector<std::string> log_lines;  // that match, since log_offset
  bool log_known = false;              // log_lines is complete
  std::string config_listing;          // "hash  path" lines; empty: some file cannot be read
  std::optional<bool> binary_current;  // does the main process run query.binary as it is on disk?
  std::vector<std::string> ready;      // gunicorn: pids of workers whose heart beats
  std::string haproxy_processes;       // HAProxy's own list of them, from the master's environment
  std::map<std::string, std::string> facts;  // what a driver found out beside
};

// log_pattern with the process in its place; and as a pattern for any process, for sudoers.
[[nodiscard]] std::string log_pattern_for(const ProbeQuery& query, const std::string& pid);
[[nodiscard]] const char* name_of(Workers workers);

[[nodiscard]] Task<Result<ProbeResult>> probe(ports::Host* host, ProbeQuery query);
// The answer of the host as text → values; for tests, too.
[[nodiscard]] ProbeResult parse_probe(const ProbeQuery& query, std::string_view out);

}  // namespace hitless::service
