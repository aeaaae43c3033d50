// Journal port: the append-only, hash-chained record of all rollouts. It is the audit log.
//
// append() returns after the entry is durable (rule I3: the intent is on disk before the effect
// starts). A crash leaves a prefix of what was appended; a torn or altered entry is found by
// verify().
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/event.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

struct ChainReport {
  bool intact = false;
  std::int64_t entries = 0;
  std::string head;     // hash of the last entry
  std::string problem;  // what is wrong and at which seq
  std::string note;     // for people, also when intact: "not sealed: …"
  std::int64_t head_seq = 0;
  bool sealed = false;  // the last writer closed cleanly, so that the whole file was compared
};

struct RolloutRow {  // one line of `hitless history`
  std::string rollout, service, intent, actor, result, reason, incident;
  std::int64_t started_at = 0, ended_at = 0;
  std::int64_t first_seq = 0, last_seq = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Events are appended in one transaction, in order; seq and chain are given by the journal.
  // Runs on the journal's own thread, so that an fsync does not hold up the run loop.
  virtual Task<Result<std::vector<core::Entry>>> append(std::string rollout, std::int64_t at_ms,
                                                        std::vector<core::Event> events) = 0;
  virtual Result<std::vector<core::Entry>> read(std::string rollout,
                                                std::int64_t up_to_seq = 0) = 0;
  virtual Result<std::vector<RolloutRow>> rollouts(int limit) = 0;
  virtual Result<ChainReport> verify() = 0;
  // Facts outside any rollout, such as the config digest that an instance was last proven to run.
  virtual Status put_fact(std::string key, std::string value) = 0;
  virtual Result<std::string> get_fact(std::string key) = 0;  // empty: none
  virtual Result<std::string> next_incident_id() = 0;         // "INC-12"
};

}  // namespace hitless::ports
