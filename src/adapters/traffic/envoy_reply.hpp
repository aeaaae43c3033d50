// What Envoy's admin API and its file of endpoints say. Numbers that are 0 are left out by Envoy,
// so a named statistic without a value is 0 and one without a name is unknown.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::traffic {

struct EnvoyHost {
  std::string eds;       // "HEALTHY", "DRAINING" …
  bool failing = false;  // of its own health checks and outlier detection
  std::int64_t priority = 0;
  std::map<std::string, std::int64_t> stats;  // rq_active, rq_total …

  [[nodiscard]] std::optional<std::int64_t> stat(const std::string& name) const;
  [[nodiscard]] bool told_in() const;    // its endpoint's status alone, whatever checks say
  [[nodiscard]] bool gets_work() const;  // outside of a panic
};
struct EnvoyCluster {
  std::map<std::string, EnvoyHost> hosts;  // by "10.0.0.11:80", "[::1]:80"
  // Fewer than this part of an endpoint's priority would be healthy without `out`.
  [[nodiscard]] bool panics(const std::string& endpoint, int percent, bool out) const;
};
// GET /clusters?format=json. Fails with not_found when the cluster is not there.
[[nodiscard]] Result<EnvoyCluster> parse_envoy_clusters(std::string_view text,
                                                        const std::string& cluster);

struct EnvoyServer {
  std::int64_t restart_epoch = 0, uptime_s = 0, parent_shutdown_s = 900;
  // The process of before a hot restart may still work on what it had.
  [[nodiscard]] bool parent_may_live() const {
    return restart_epoch > 0 && uptime_s <= parent_shutdown_s;
  }
};
// GET /server_info
[[nodiscard]] Result<EnvoyServer> parse_envoy_server(std::string_view text);
// GET /stats?format=json: counters and gauges by name.
[[nodiscard]] Result<std::map<std::string, std::int64_t>> parse_envoy_stats(std::string_view text);

struct EnvoyEndpoint {
  bool draining = false;
  bool ours = false;  // has our mark
};
// Fails with not_found when the endpoint is not in the cluster's assignment.
[[nodiscard]] Result<EnvoyEndpoint> find_endpoint(std::string_view file, const std::string& cluster,
                                                  const std::string& endpoint);
// An endpoint that Envoy does not have as the file says, and how; empty: none.
[[nodiscard]] Result<std::string> pending_endpoint(std::string_view file,
                                                   const std::string& cluster,
                                                   const EnvoyCluster& live);
// The file with the endpoint drained by us, or as it was before that.
[[nodiscard]] Result<std::string> edit_endpoint(std::string_view file, const std::string& cluster,
                                                const std::string& endpoint, bool in);

}  // namespace hitless::traffic
