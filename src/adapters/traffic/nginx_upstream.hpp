// The text of an nginx upstream file: who is in rotation there, and the two edits that hitless
// makes. Pure. Whose hand it was is told by a comment behind the server's line, so that it outlives
// us:
//
//   server 10.0.0.11:80 down; # drained by hitless
//
// A `down` without that comment is somebody else's and is never taken away.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/types.hpp"

namespace hitless::traffic {

struct UpstreamServer {
  core::AdminState admin = core::AdminState::ready;  // ready, drain (ours) or maint
};

// Fails with not_found (no such upstream or server) or invalid (it cannot be read, or the server
// stands there twice: nobody could say which one is meant).
[[nodiscard]] Result<UpstreamServer> find_server(std::string_view text, std::string_view upstream,
                                                 std::string_view server);
// The new text. What is out already, by whatever hand, is left as it is.
[[nodiscard]] Result<std::string> take_down(std::string_view text, std::string_view upstream,
                                            std::string_view server);
// Fails with refused when the `down` is not ours. Undoes take_down byte for byte.
[[nodiscard]] Result<std::string> put_up(std::string_view text, std::string_view upstream,
                                         std::string_view server);
// `down` of all servers of one upstream is a mistake that nginx accepts: how many are not down.
[[nodiscard]] Result<int> servers_up(std::string_view text, std::string_view upstream);

}  // namespace hitless::traffic
