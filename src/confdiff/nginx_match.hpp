// Which directive of the old configuration is which of the new one, by meaning.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "confdiff/nginx_rules.hpp"
#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {

// Two directives with the same key, in the same block, are the same thing.
[[nodiscard]] std::string nginx_key(const NginxNode& node, const NginxRule& rule);
// The operands that are part of the key, as shown in a path; and the others, as shown in a change.
[[nodiscard]] std::string nginx_label(const NginxNode& node, const NginxRule& rule, bool in_http);
[[nodiscard]] std::string nginx_operands(const NginxNode& node, const NginxRule& rule,
                                         const std::string& parent_name);
// Do they mean the same, own operands only (not their blocks)?
[[nodiscard]] bool same_operands(const NginxNode& before, const NginxNode& after,
                                 const NginxRule& rule);

// Pairs of server blocks: by listens and names, else by names, else by listens, else the only ones
// left. Either side may be nullptr (removed, added); in the order of the new configuration, then
// the old.
using NginxPair = std::pair<const NginxNode*, const NginxNode*>;
[[nodiscard]] std::vector<NginxPair> pair_servers(const std::vector<const NginxNode*>& before,
                                                  const std::vector<const NginxNode*>& after,
                                                  bool in_http);
// Pairs within one key: equal ones first, the rest in order.
[[nodiscard]] std::vector<NginxPair> pair_same_key(const std::vector<const NginxNode*>& before,
                                                   const std::vector<const NginxNode*>& after);

}  // namespace hitless::confdiff
