// Evidence: what was seen around a failure, as text with an id that a diagnosis can cite.
//
// Invariants: a body is redacted, stripped of control characters and cut to a limit before it is
// stored, so nothing that reads the store can leak or be steered by an escape sequence. The id is a
// digest of source, host, time and body: the same observation has the same id everywhere, and a
// forged id finds nothing. After a crash the store is gone; what a rollout gathered is a fact in
// the journal (agent/record.hpp).
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace hitless::agent {

enum class Source {
  unit_status,  // `systemctl show` of the unit: Key=Value lines
  journal,      // what the unit's processes wrote into the system journal
  manager,      // what systemd says of the unit in the system journal
  kernel_log,   // kernel messages: the OOM killer
  error_log,    // what the service wrote to its own error log
  config_test,  // what the service's own check said
  config_diff,  // unified diff of the change that was rolled out
  file_stat,    // mode, owner and path of configuration files
  sockets,      // who listens where on the host
  disk,         // free space, `df -P`
  certificate,  // expiry of the certificate that the service shows
  resolver,     // what name resolution says
  health,       // what the health check of the instance answered
  dependency,   // what the checks of dependencies and of unchanged instances answered
  lb_state,     // what the load balancers say of the targets
  lb_counters,  // requests and errors at the load balancers since the instance is back
  access_log,   // requests that the instance itself saw
  latency,      // response times beside the baseline
  rollout,      // what our own journal says: phases, verdicts, reasons
  fingerprint,  // what moved since the plan was made
  changes,      // changes that others made, with their time
  metrics,      // what monitoring measures now
  kill_switch,  // somebody stopped everything
};
[[nodiscard]] std::string_view to_string(Source source);
[[nodiscard]] std::optional<Source> source_named(std::string_view name);
// Can a client of the service write into it (paths, user agents, headers)?
[[nodiscard]] bool client_writable(Source source);

struct Evidence {
  std::string id;  // "ev_1f0c…", 12 hex digits
  Source source = Source::rollout;
  std::string host;  // empty: the fleet as a whole
  TimeMs at = 0;
  std::string sha256;  // of the body as stored
  std::string body;
  bool cut = false;  // the beginning is missing: it was longer than the limit
};

class EvidenceStore {
 public:
  // What does not fit any more is refused: null. The same observation twice is stored once.
  const Evidence* add(Source source, std::string host, TimeMs at, std::string_view raw);
  // What was stored before, as it was: its body is neither redacted nor cut again.
  const Evidence* restore(Source source, std::string host, TimeMs at, std::string body);
  [[nodiscard]] const Evidence* find(std::string_view id) const;
  [[nodiscard]] const std::deque<Evidence>& all() const { return all_; }

 private:
  const Evidence* keep(Evidence evidence);
  std::deque<Evidence> all_;
};

// One line of evidence as rules see it: fields that a client of the service can write are replaced
// by their kind (<request>, <user agent>), so that no request can make up a symptom.
struct Line {
  const Evidence* from = nullptr;
  std::string text;      // what rules match
  std::string quoted;    // verbatim, for people
  bool tainted = false;  // something was replaced
};
[[nodiscard]] std::vector<Line> lines_of(const Evidence& evidence);

}  // namespace hitless::agent
