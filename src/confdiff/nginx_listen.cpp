#include "confdiff/nginx_listen.hpp"

#include <algorithm>
#include <array>

namespace hitless::confdiff {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789-") == std::string_view::npos &&
         text.front() != '-';
}

// Options that make nginx bind an address of its own beside a wildcard (docs of "listen").
bool asks_for_bind(std::string_view option) {
  static constexpr std::array<std::string_view, 11> names = {
      "bind",      "backlog=",      "rcvbuf=",   "sndbuf=",   "accept_filter=", "deferred",
      "ipv6only=", "so_keepalive=", "fastopen=", "reuseport", "setfib="};
  return std::any_of(names.begin(), names.end(), [option](std::string_view name) {
    return name.back() == '=' ? option.starts_with(name) : option == name;
  });
}

void parse_address(std::string_view address, NginxListen& listen) {
  if (address.starts_with("unix:")) {
    listen.unix_socket = true;
    listen.port = address.substr(5);
    return;
  }
  std::string_view host = "*", port = "80";
  if (all_digits(address)) {
    port = address;
  } else if (address.starts_with("[")) {
    const std::size_t close = std::min(address.find(']'), address.size() - 1);
    host = address.substr(0, close + 1);
    if (address.substr(close + 1).starts_with(":")) port = address.substr(close + 2);
    listen.ipv6 = true;
  } else {
    const std::size_t colon = address.rfind(':');
    host = address.substr(0, colon);
    if (colon != std::string_view::npos) port = address.substr(colon + 1);
  }
  if (host == "0.0.0.0") host = "*";
  listen.host = host;
  listen.port = port;
  listen.wildcard = host == "*" || host == "[::]";
}

bool reuses_port(const NginxListen& listen) {
  return std::find(listen.options.begin(), listen.options.end(), "reuseport") !=
         listen.options.end();
}

// Would opening new_one fail while old_one is open?
bool conflicts(const NginxListen& old_one, const NginxListen& new_one) {
  if (old_one.unix_socket || new_one.unix_socket || old_one.udp != new_one.udp) return false;
  if (old_one.port != new_one.port) return false;
  if (reuses_port(old_one) && reuses_port(new_one)) return false;  // the kernel allows that
  const auto both_stacks = [](const NginxListen& one) {
    return one.ipv6 && one.wildcard && !one.ipv6_only;
  };
  if (old_one.ipv6 != new_one.ipv6) return both_stacks(old_one) || both_stacks(new_one);
  return old_one.wildcard != new_one.wildcard;
}

void collect(const std::vector<NginxNode>& nodes, const std::string& path, bool in_http,
             std::vector<NginxSocket>& out) {
  for (const NginxNode& node : nodes) {
    if (!node.has_block || node.name != "server") continue;
    const std::string here = path + " > " + server_label(node, in_http);
    bool any = false;
    for (const NginxNode& child : node.block) {
      if (child.name != "listen" || child.has_block || child.args.empty()) continue;
      any = true;
      out.push_back({parse_nginx_listen(child.args), &child, here});
    }
    if (!any && in_http) out.push_back({parse_nginx_listen({"80"}), &node, here});
  }
}

}  // namespace

std::string NginxListen::key() const {
  if (unix_socket) return "unix:" + port;
  return host + ":" + port + (udp ? "/udp" : "");
}

std::string NginxListen::shown() const {
  return host == "*" && !unix_socket ? key().substr(2) : key();
}

NginxListen parse_nginx_listen(const std::vector<std::string>& args) {
  NginxListen listen;
  if (args.empty()) return listen;
  parse_address(args[0], listen);
  for (std::size_t i = 1; i < args.size(); ++i) {
    const std::string& option = args[i];
    if (option == "default_server" || option == "default") {
      listen.default_server = true;
      continue;
    }
    listen.udp |= option == "udp" || option == "quic";
    if (option == "ipv6only=off") listen.ipv6_only = false;
    listen.own_bind |= asks_for_bind(option);
    listen.options.push_back(option);
  }
  std::sort(listen.options.begin(), listen.options.end());
  return listen;
}

NginxSockets bound_sockets(const NginxTree& tree) {
  std::vector<NginxSocket> all;
  for (const NginxNode& node : tree.root) {
    if (!node.has_block) continue;
    if (node.name == "http" || node.name == "stream" || node.name == "mail") {
      collect(node.block, node.name, node.name == "http", all);
    }
  }
  std::set<std::string> wildcards;
  std::set<std::string> own_binds;
  const auto port_key = [](const NginxListen& listen) {
    return listen.port + (listen.udp ? "/udp" : "/tcp") + (listen.ipv6 ? "6" : "4");
  };
  for (const NginxSocket& socket : all) {
    if (socket.listen.wildcard) wildcards.insert(port_key(socket.listen));
    if (socket.listen.own_bind) own_binds.insert(socket.listen.key());
  }
  NginxSockets bound;
  for (NginxSocket& socket : all) {
    const NginxListen& listen = socket.listen;
    const std::string key = listen.key();
    if (!listen.unix_socket && !listen.wildcard && wildcards.contains(port_key(listen)) &&
        !own_binds.contains(key)) {
      continue;
    }
    const auto [place, is_new] = bound.try_emplace(key, socket);
    // ipv6only may stand in any one of the servers that share the socket.
    if (!is_new && !listen.ipv6_only) place->second.listen.ipv6_only = false;
  }
  return bound;
}

std::map<std::string, std::string> bind_conflicts(const NginxSockets& before,
                                                  const NginxSockets& after) {
  // One of each shape for each port is enough to find a conflict, and keeps this linear.
  std::map<std::string, std::map<int, const NginxListen*>> by_port;
  for (const auto& [key, socket] : before) {
    const NginxListen& one = socket.listen;
    const int shape =
        one.udp + 2 * one.ipv6 + 4 * one.wildcard + 8 * one.ipv6_only + 16 * reuses_port(one);
    by_port[one.port].try_emplace(shape, &one);
  }
  std::map<std::string, std::string> found;
  for (const auto& [key, socket] : after) {
    if (const auto same = before.find(key); same != before.end()) {
      // Whether an IPv6 socket takes IPv4 too is fixed when it is opened.
      if (same->second.listen.ipv6_only != socket.listen.ipv6_only) found[key] = key;
      continue;
    }
    const auto others = by_port.find(socket.listen.port);
    if (others == by_port.end()) continue;
    for (const auto& [shape, other] : others->second) {
      if (!conflicts(*other, socket.listen)) continue;
      found[key] = other->key();
      break;
    }
  }
  return found;
}

bool listens_on(const NginxSockets& sockets, int port) {
  const std::string text = std::to_string(port);
  return std::any_of(sockets.begin(), sockets.end(), [&text](const auto& entry) {
    const NginxListen& listen = entry.second.listen;
    return !listen.unix_socket && !listen.udp && listen.port == text;
  });
}

std::vector<NginxListen> listens_of(const NginxNode& server, bool in_http) {
  std::vector<NginxListen> listens;
  for (const NginxNode& child : server.block) {
    if (child.name == "listen" && !child.has_block && !child.args.empty()) {
      listens.push_back(parse_nginx_listen(child.args));
    }
  }
  if (listens.empty() && in_http) listens.push_back(parse_nginx_listen({"80"}));
  return listens;
}

std::string server_label(const NginxNode& server, bool in_http) {
  std::string name;
  for (const NginxNode& child : server.block) {
    if (child.name != "server_name" || child.args.empty()) continue;
    for (const std::string& arg : child.args) {
      if (!arg.empty() && arg != "_" && name.empty()) name = arg;
    }
  }
  const auto listens = listens_of(server, in_http);
  if (listens.empty()) return name.empty() ? "server" : "server " + name;
  const std::string where = listens.front().shown();
  if (name.empty()) return "server " + where;
  // app.example.com:443 reads well; an address would not.
  return "server " + name +
         (listens.front().host == "*" ? ":" + listens.front().port : " " + where);
}

}  // namespace hitless::confdiff
