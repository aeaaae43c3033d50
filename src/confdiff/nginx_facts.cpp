#include "confdiff/nginx_facts.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::confdiff {
namespace {

bool serves_port(const NginxNode& server, int port) {
  if (port == 0) return true;
  const auto listens = listens_of(server, true);
  return std::any_of(listens.begin(), listens.end(), [port](const NginxListen& listen) {
    return !listen.unix_socket && !listen.udp && listen.port == std::to_string(port);
  });
}

// nginx's choice for path among exact and prefix locations. Regular expressions are left out: what
// they match is not known here, so a prefix that would win without them is still taken for used.
const NginxNode* answering_location(const NginxNode& server, const std::string& path) {
  const NginxNode* best = nullptr;
  std::size_t best_size = 0;
  for (const NginxNode& node : server.block) {
    if (node.name != "location" || !node.has_block || node.args.empty()) continue;
    if (is_location_of(node, path) && node.args[0] == "=") return &node;
    if (node.args.size() == 2 && node.args[0] != "^~") continue;
    const std::string& prefix = node.args.back();
    if (node.args[0].starts_with("=") || node.args[0].starts_with("~")) continue;
    if (!path.starts_with(prefix) || prefix.size() < best_size) continue;
    best = &node;
    best_size = prefix.size();
  }
  return best;
}

void note_health(const std::vector<const NginxNode*>& servers, const Context& context,
                 NginxFacts& facts) {
  if (context.health_path.empty()) return;
  const std::string path = context.health_path.substr(0, context.health_path.find('?'));
  std::vector<std::pair<const NginxNode*, const NginxNode*>> explicit_ones, any;
  for (const NginxNode* server : servers) {
    if (!serves_port(*server, context.port)) continue;
    const NginxNode* location = answering_location(*server, path);
    if (location == nullptr) continue;
    (is_location_of(*location, path) ? explicit_ones : any).emplace_back(server, location);
  }
  // A server that names the path is the one meant; else whichever answers it with a wider location.
  const auto& chosen = explicit_ones.empty() ? any : explicit_ones;
  for (const auto& [server, location] : chosen) {
    facts.health.insert(server);
    facts.health.insert(location);
  }
}

void note_server(const NginxNode& server, NginxFacts& facts, std::set<std::string>& declared) {
  for (const NginxListen& listen : listens_of(server, true)) {
    const std::string key = listen.key();
    if (listen.default_server && declared.insert(key).second) {
      facts.default_servers[key] = &server;
    } else {
      facts.default_servers.try_emplace(key, &server);
    }
  }
  for (const NginxNode& child : server.block) {
    if (child.name != "server_name") continue;
    for (const std::string& name : child.args) {
      if (name.starts_with("~")) facts.regex_server_names.push_back(name);
    }
  }
}

}  // namespace

bool is_location_of(const NginxNode& location, const std::string& path) {
  const auto& args = location.args;
  if (args.size() == 1) return args[0] == path || args[0] == "=" + path;
  return args.size() == 2 && (args[0] == "=" || args[0] == "^~") && args[1] == path;
}

std::string if_condition(const NginxNode& node) {
  std::string text = join(node.args, " ");
  if (text.starts_with("(")) text.erase(0, 1);
  if (text.ends_with(")")) text.pop_back();
  return std::string(trim(text));
}

NginxFacts nginx_facts(const NginxTree& tree, const Context& context) {
  NginxFacts facts;
  facts.sockets = bound_sockets(tree);
  std::vector<const NginxNode*> servers;
  std::set<std::string> declared;
  for (const NginxNode& node : tree.root) {
    if (node.name != "http" || !node.has_block) continue;
    for (const NginxNode& server : node.block) {
      if (server.name != "server" || !server.has_block) continue;
      servers.push_back(&server);
      note_server(server, facts, declared);
    }
  }
  note_health(servers, context, facts);
  return facts;
}

}  // namespace hitless::confdiff
