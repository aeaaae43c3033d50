// What is known about nginx's directives, as data: how two of them are matched, whether order
// matters, and what a change of one takes. The table in the .cpp is meant to be read and corrected.
//
// A directive without a row is matched by name, and its change is a restart: a
// reload might not apply it.
#pragma once
#include <string>
#include <string_view>

#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {

enum class NginxIdentity {
  once,          // one per block: the name alone
  first,         // proxy_set_header NAME …
  env_name,      // env NAME=value
  all,           // allow ADDRESS: two are the same only when all is
  all_but_last,  // error_page CODE… URI
  last,          // map $from $TO
  zone,          // …_zone with zone=NAME:size, …_cache_path with keys_zone=NAME:size
  listen,        // the address that is listened on
  peer,          // a server of an upstream: its address
  merged,        // several lines are one list: server_name
};

struct NginxRule {
  std::string_view
      name;  // "proxy_pass", or "upstream/server" for one that means another thing there
  NginxIdentity identity = NginxIdentity::once;
  ChangeClass added = ChangeClass::reload_watch;
  ChangeClass removed = ChangeClass::reload_watch;
  ChangeClass changed = ChangeClass::reload_watch;
  Topic topic = Topic::unknown;
  std::string_view reason = {};
  std::string_view sequence = {};  // directives of one sequence act in the order they are written
  bool args_are_set = false;       // the order of the operands means nothing
};

// parent: the name of the enclosing block, "" at the top.
[[nodiscard]] const NginxRule& nginx_rule(std::string_view parent, std::string_view name);
// Blocks whose entries are data, not directives: map, geo, types …
[[nodiscard]] bool is_nginx_data_block(std::string_view name);

// NAME of zone=NAME:size, keys_zone=NAME:size or shared:NAME:size; empty when there is none.
struct NginxZone {
  std::string name;
  std::string size;
};
[[nodiscard]] NginxZone nginx_zone(const NginxNode& node);
// "10m" == "10240k"; text that is no size is compared as text.
[[nodiscard]] bool same_size(std::string_view a, std::string_view b);

}  // namespace hitless::confdiff
