// The fleet file for a server that lives long: read on a thread of its own, because an inventory
// command, Consul or AWS may take half a minute, and kept until the file changes.
//
// Invariants: whoever asks meanwhile shares the read under way; what was read is given out again
// only while modification time, size and inode of the file are those of before the read, and for at
// most kMaxAgeMs, because an inventory beside it can change without it. Errors are not kept. A
// caller that goes away leaves the read to the next one. Nothing is durable.
#pragma once
#include <memory>

#include "cli/app.hpp"
#include "fleet/fleet.hpp"
#include "runtime/task.hpp"

namespace hitless::cli {

class FleetCache {
 public:
  static constexpr DurationMs kMaxAgeMs = 30'000;
  enum class Age { recent, new_read };

  FleetCache();
  FleetCache(const FleetCache&) = delete;
  FleetCache& operator=(const FleetCache&) = delete;
  ~FleetCache();  // waits for a read that is under way

  // new_read: whatever is kept, read it again; for what is about to act.
  Task<Result<std::shared_ptr<const fleet::Fleet>>> get(const App* app, Age age = Age::recent);

 private:
  struct Read;
  static std::shared_ptr<Read> start(const App& app);
  std::shared_ptr<Read> under_way_, kept_;
};

}  // namespace hitless::cli
