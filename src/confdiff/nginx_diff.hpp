// What changes between two nginx configurations, by meaning, and what each change takes.
//
// Order is ignored where nginx ignores it and reported where it acts on it (regex locations and
// names, rewrite and access rules, repeated headers, servers of a hashed pool, the default server).
// Facts about the whole (sockets, health location) outrank the table in nginx_rules.
#pragma once
#include <vector>

#include "confdiff/nginx_tree.hpp"
#include "confdiff/types.hpp"

namespace hitless::confdiff {

[[nodiscard]] std::vector<Change> diff_nginx_trees(const NginxTree& before, const NginxTree& after,
                                                   const Context& context);

}  // namespace hitless::confdiff
