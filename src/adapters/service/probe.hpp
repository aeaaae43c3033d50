// One round trip that reads all there is to know about who runs: systemd's properties, the main
// process and its start time, nginx's workers, the error log, the hashes of the configuration.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "adapters/service/unit_status.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

struct ProbeQuery {
  std::string unit;      // empty: not under systemd
  std::string pid_file;  // used without a unit
  bool nginx_workers = false;
  std::string log_file;               // empty: none
  std::int64_t log_inode = 0;         // with log_offset: also read what was written since
  std::int64_t log_offset = -1;       // -1: nothing is to be read
  std::vector<std::string> patterns;  // of the configuration's files
};

struct ProbeResult {
  core::ServiceIdentity identity;  // without config_digest
  std::optional<UnitStatus> unit;
  std::vector<std::string> log_lines;  // of the main process, [crit] and above, since log_offset
  bool log_known = false;              // log_lines is complete
  std::string config_listing;          // "hash  path" lines; empty: some file cannot be read
};

[[nodiscard]] Task<Result<ProbeResult>> probe(ports::Host* host, ProbeQuery query);
// The answer of the host as text → values; for tests, too.
[[nodiscard]] ProbeResult parse_probe(const ProbeQuery& query, std::string_view out);

}  // namespace hitless::service
