// Which sockets a configuration makes nginx listen on, and which of them a reload could not open.
//
// nginx opens the sockets of the new configuration while the old ones are still open. On Linux a
// wildcard and a specific address on one port exclude each other, so a reload that swaps them fails
// with "[emerg] bind() … still could not bind()" and the old configuration goes on serving, while
// `nginx -t` and `nginx -s reload` both exit 0 (seen with 1.22.1). Also: a specific address beside
// a wildcard on the same port is not bound at all unless its listen has an option that asks for it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {

struct NginxListen {
  std::string host;  // "*", "127.0.0.1", "[::1]", "name", or "" for a unix socket
  std::string port;  // "80", "8000-8010", or the path of a unix socket
  bool unix_socket = false, ipv6 = false, udp = false;
  bool wildcard = false, ipv6_only = true, own_bind = false, default_server = false;
  std::vector<std::string> options;  // sorted, without default_server

  [[nodiscard]] std::string key() const;    // "*:80", "[::]:80", "*:53/udp", "unix:/run/x"
  [[nodiscard]] std::string shown() const;  // key without "*:"
};
[[nodiscard]] NginxListen parse_nginx_listen(const std::vector<std::string>& args);

struct NginxSocket {
  NginxListen listen;
  const NginxNode* node = nullptr;  // the listen directive, or the server that has none
  std::string path;                 // "http > server app:80"
};
// Sockets that are really bound, by key.
using NginxSockets = std::map<std::string, NginxSocket>;
[[nodiscard]] NginxSockets bound_sockets(const NginxTree& tree);

// Keys in `after` that cannot be opened while those of `before` are; value: the one in the way.
[[nodiscard]] std::map<std::string, std::string> bind_conflicts(const NginxSockets& before,
                                                                const NginxSockets& after);
// Does some socket take TCP connections to this port?
[[nodiscard]] bool listens_on(const NginxSockets& sockets, int port);

// The listens of a server block; one "*:80" when it has none and stands in http.
[[nodiscard]] std::vector<NginxListen> listens_of(const NginxNode& server, bool in_http);
[[nodiscard]] std::string server_label(const NginxNode& server, bool in_http);

}  // namespace hitless::confdiff
