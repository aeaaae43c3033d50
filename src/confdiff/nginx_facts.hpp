// What a whole configuration amounts to, read off its tree before two are compared: sockets,
// default servers, and which location answers the load balancer's health check.
#pragma once
#include <map>
#include <set>
#include <string>

#include "confdiff/nginx_listen.hpp"
#include "confdiff/nginx_tree.hpp"
#include "confdiff/types.hpp"

namespace hitless::confdiff {

struct NginxFacts {
  NginxSockets sockets;
  std::set<const NginxNode*>
      health;  // the locations that answer the health check, and their servers
  std::map<std::string, const NginxNode*> default_servers;  // by socket address, http only
  std::vector<std::string> regex_server_names;              // in order, http only
};
[[nodiscard]] NginxFacts nginx_facts(const NginxTree& tree, const Context& context);

// Does this location stand for exactly this path (= path, or the prefix that is the path)?
[[nodiscard]] bool is_location_of(const NginxNode& location, const std::string& path);
// The operands of an if, without the parentheses that may stand apart.
[[nodiscard]] std::string if_condition(const NginxNode& node);

}  // namespace hitless::confdiff
