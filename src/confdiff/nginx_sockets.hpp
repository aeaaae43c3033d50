// Changes of the set of sockets that nginx listens on: new ones, closed ones, and those that a
// reload cannot open. Once for each socket, however many servers share it.
#pragma once
#include <vector>

#include "confdiff/nginx_listen.hpp"
#include "confdiff/types.hpp"

namespace hitless::confdiff {

[[nodiscard]] std::vector<Change> socket_changes(const NginxTree& before_tree,
                                                 const NginxTree& after_tree,
                                                 const NginxSockets& before,
                                                 const NginxSockets& after, const Context& context);

}  // namespace hitless::confdiff
