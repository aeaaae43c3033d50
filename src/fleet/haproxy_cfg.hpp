// What `check` needs of a haproxy.cfg: backends, their servers and checks, timeouts, stats sockets.
// A reader, not a judge: what it does not know it skips, and HAProxy's own defaults are filled in.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "fleet/source.hpp"

namespace hitless::fleet {

struct HaproxyServer {
  std::string name;
  std::string host;         // empty when it is not a plain address (socket, variable)
  std::optional<int> port;  // of the traffic
  int line = 0;
  bool check = false;
  DurationMs inter_ms = 2000;
  std::optional<DurationMs> fastinter_ms;  // used while the state is changing
  int rise = 2, fall = 3;
  bool backup = false;
  bool cookie = false;
  // How long the checks of a server that comes back take at best.
  [[nodiscard]] DurationMs rise_time_ms() const { return rise * fastinter_ms.value_or(inter_ms); }
};

struct HaproxyBackend {
  std::string name;  // of a backend or listen section
  int line = 0;
  std::vector<HaproxyServer> servers;
  std::optional<DurationMs> timeout_server_ms, timeout_tunnel_ms;
  bool sticky = false;  // cookie or stick-table persistence
  [[nodiscard]] const HaproxyServer* find(std::string_view server) const;
};

struct StatsSocket {
  std::string address, level;  // level: "operator" unless it says otherwise
  int line = 0;
};

struct HaproxyConfig {
  std::vector<HaproxyBackend> backends;
  std::vector<StatsSocket> stats_sockets;
  int server_state_line = 0;  // where it loads a server state file; 0: nowhere
  [[nodiscard]] const HaproxyBackend* find(std::string_view backend) const;
};

[[nodiscard]] HaproxyConfig parse_haproxy_cfg(const Source& source);

}  // namespace hitless::fleet
