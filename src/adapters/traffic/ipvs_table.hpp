// What `ipvsadm -Ln` prints, and what we keep of a drain. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

struct IpvsServer {
  std::string forward;  // "Masq", "Route", "Tunnel", "Local"
  std::int64_t weight = 0, active = 0, inactive = 0;
  std::optional<std::int64_t> drained_from;  // by us: the weight of before
};
struct IpvsView {
  std::map<std::string, IpvsServer> servers;  // by "10.0.0.11:80", "[fd00::11]:80"
  bool persistent = false;
  bool expires_templates = false, keepalived = false;
};

// "tcp:10.0.0.1:80" as words for ipvsadm: {"-t", "10.0.0.1:80"}. UDP is refused: IPVS counts no
// active connections of it.
[[nodiscard]] Result<std::vector<std::string>> ipvs_service_words(const std::string& service);
[[nodiscard]] Status check_ipvs_server(const std::string& server, const std::string& service);
// out: what the script's `look` prints. Fails with not_found when the service is not there.
[[nodiscard]] Result<IpvsView> parse_ipvs_look(std::string_view out, const std::string& service);

}  // namespace hitless::traffic
