// Questions to HAProxy's admin socket, enough to know that the demo is up. The real driver is in
// src/adapters/traffic; the demo must not depend on what it is there to show.
#pragma once
#include <string>

namespace hitless::demo {

// The whole reply to one command line; empty when the socket cannot be asked within a second.
[[nodiscard]] std::string ask_lb(const std::string& admin_socket, const std::string& command);
// How many servers of the backend are UP with a passed check; 0 when the socket cannot be asked.
[[nodiscard]] std::size_t servers_passing(const std::string& admin_socket,
                                          const std::string& backend);

}  // namespace hitless::demo
