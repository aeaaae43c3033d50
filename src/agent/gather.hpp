// Gathering evidence on a host just after a failure, before a rollback destroys it: unit, journal,
// kernel, disk, sockets, files, error log, the service's own check of its configuration.
//
// Reads only, one round trip and one deadline for all of it. What could not be read is named, never
// left out silently. A crash in the middle loses the evidence and nothing else: the rollout's
// journal does not depend on it.
#pragma once
#include <string>
#include <vector>

#include "agent/evidence.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/service.hpp"

namespace hitless::agent {

inline constexpr DurationMs kGatherDeadlineMs = 4'000;

struct GatherTarget {
  ports::Host* host = nullptr;
  ports::Service* service = nullptr;   // for the configuration check; may be null
  std::string unit;                    // empty: none
  int port = 0;                        // 0: none
  std::string log_file;                // the service's error log; empty: none
  std::int64_t log_offset = 0;         // only what came after
  std::vector<std::string> files;      // configuration files, absolute
  std::vector<std::string> mentioned;  // paths that the change names, to see who may read them
  DurationMs since_ms = 0;  // logs only of the last so long, by the host's own clock; 0: a day
};

struct Gathered {
  struct Piece {
    Source source;
    std::string text;
  };
  std::vector<Piece> pieces;
  std::vector<Source> not_had;
};

Task<Gathered> gather(GatherTarget target);

// What the script says, without a host; for gather() and tests.
[[nodiscard]] Gathered parse_gathered(std::string_view out, const GatherTarget& target);
// Absolute paths in the lines that a unified diff adds, at most 8.
[[nodiscard]] std::vector<std::string> added_paths(std::string_view diff);
// "removed setting DB_HOST", a line for each variable that a unified diff takes away and does not
// set anew; empty: none.
[[nodiscard]] std::string removed_settings(std::string_view diff);
// What it runs as root, for `doctor --sudoers`.
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const GatherTarget& target);

}  // namespace hitless::agent
