// The files that a service's configuration consists of: those it was given and, where the dialect
// has includes, all that they include. Read from the host, with changed files laid over what is on
// disk.
//
// The set is found once (a round trip for each level of includes) and kept as patterns with the
// hashes of all files; a probe brings the hashes of today, and only when they differ is the set
// read again. What was read a moment ago serves for that, too, when its hashes are those of today.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/service/include_scan.hpp"
#include "ports/host.hpp"
#include "ports/service.hpp"

namespace hitless::service {

inline constexpr std::size_t kMaxConfigFiles = 2'000;
inline constexpr std::size_t kMaxConfigBytes = 16u << 20;
inline constexpr int kMaxIncludeDepth = 16;

struct ConfigSet {
  ports::Files files;
  std::vector<std::string> patterns;    // the given files and the includes, absolute
  std::set<std::string> laid;           // of the overlay, those that belong to it
  std::vector<std::string> unreadable;  // there, but we may not read them
  std::string error_log;                // nginx: of the main file
  bool has_pid = false;                 // nginx: some file sets the pid file
};

class ConfigTree {
 public:
  // prefix: nginx -p, for relative log paths; may be empty.
  ConfigTree(ports::Host* host, std::vector<std::string> roots, Dialect dialect,
             std::string prefix = {})
      : host_(host), roots_(std::move(roots)), dialect_(dialect), prefix_(std::move(prefix)) {}

  [[nodiscard]] const std::vector<std::string>& roots() const { return roots_; }
  // What is on disk, with `overlay` in place of or next to it.
  Task<Result<ConfigSet>> read(ports::Files overlay);
  // As read(), but an error when a file cannot be read: half a configuration is none.
  Task<Result<ports::Files>> read_all(ports::Files overlay = {});
  // Patterns to hash in a probe, and the log found in the main file. Read once.
  Task<Result<ConfigSet>> known();
  // The digest of the files that `listing` (of a probe) is about; empty when it is not known.
  Task<std::string> digest(std::string listing);
  // What is on disk, as it was read last, if that is only a moment ago. It is handed out once.
  Task<Result<ConfigSet>> recent();

 private:
  void keep(const ConfigSet& set);
  Task<Result<ConfigSet>> read_for(const std::string& listing);

  ports::Host* host_;
  std::vector<std::string> roots_;
  Dialect dialect_;
  std::string prefix_;
  std::optional<ConfigSet> known_;  // its files are dropped, only the rest is kept
  std::string listing_, digest_;
  std::optional<ConfigSet> read_;  // whole, for a moment
  TimeMs read_at_ = 0;             // steady clock
};

}  // namespace hitless::service
