// Counters of load balancers and hosts, as the certificate wants them: whoever reads them (a
// traffic port, a script on a host, CloudWatch) gives samples; nothing here asks anybody.
//
// Invariants: a value that could not be read is absent, never 0. Within one epoch a counter only
// rises; a sample of another epoch, or one that fell, says that counting began anew, and the series
// remembers it (resets). Memory is bounded: a long series is thinned, but its first and last sample
// and what it remembers stay.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::witness {

enum class SourceKind { load_balancer, host };

// What a counter that rises says about clients.
enum class CounterSense {
  work,       // requests: must rise, or somebody counts something else
  failure,    // a client may have noticed: 5xx, refused, aborted
  near_miss,  // made good before the client noticed: retries
  shown,      // for people; too common to mean anything by itself
};
// The meaning of a name below; names that nobody knows are `shown`.
[[nodiscard]] CounterSense sense_of(SourceKind kind, std::string_view counter);

// Load balancer: requests, responses_5xx, connect_errors, response_errors, server_aborts, retries,
// redispatches. Host: names as the kernel has them (ListenOverflows, TCPAbortOnData …).
struct CounterSample {
  TimeMs at_ms = 0;     // when it was asked for, by our clock
  TimeMs done_ms = 0;   // when the answer was there; 0: at once
  std::string epoch;    // changes when counting begins anew: worker pids, the host's boot id
  std::string machine;  // whose counters these are: boot id and network namespace; empty: not known
  std::map<std::string, std::int64_t> values;
  std::map<std::string, std::int64_t> gauges;  // not sums: accept_queue
  std::string problem;                         // why it could not be read; then no values
};

struct CounterSeries {
  SourceKind kind = SourceKind::load_balancer;
  std::string name;  // "be_web @ lb-1/n1", "web01"; one for each node
  // LB: every request of the prober goes through this pool, so their sum over all nodes with this
  // set is at least what the prober sent. False for a pool that counts connections.
  bool sees_all_probes = false;
  bool required = true;                // without it nothing is confirmed
  std::vector<std::string> instances;  // host: those of the service that are on it
  std::string machine;                 // of the latest sample that says it
  std::vector<CounterSample> samples;
  std::vector<TimeMs> reset_at;  // counting began anew between the sample before and this time
  std::int64_t unread = 0;       // samples with a problem; they are not kept
  std::string last_problem;
};
inline constexpr std::size_t kMaxSamples = 512;
inline constexpr std::size_t kMaxResets = 64;

void add_sample(CounterSeries* series, CounterSample sample);

// What counts here and now, as in CounterSample::machine; empty when it cannot be read.
[[nodiscard]] std::string this_machine();

// Prints, for parse_host_counters: parts of /proc, each after a line with its name. Fixed text, no
// arguments.
extern const char* const kHostCountersScript;
// Its output, which is hostile: at most 1 MiB is looked at, numbers that are none are refused.
[[nodiscard]] Result<CounterSample> parse_host_counters(std::string_view text, TimeMs at_ms);

}  // namespace hitless::witness
