// The servers of one service in a YAML file of Traefik's file provider, edited line by line so that
// all else stays as it is written:
//
//   http:
//     services:
//       web:
//         loadBalancer:
//           servers:
//             - url: "http://10.0.0.11:80"
//             #drained-by-hitless - url: "http://10.0.0.12:80"
//
// Block style alone: what is written otherwise ({…}, [..], anchors, tabs) is refused, not guessed.
#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::traffic {

struct TraefikServer {
  bool in = false;       // listed
  bool drained = false;  // commented out by us
};

[[nodiscard]] Result<TraefikServer> find_traefik_server(std::string_view text,
                                                        const std::string& service,
                                                        const std::string& url);
[[nodiscard]] Result<std::string> drain_traefik_server(std::string_view text,
                                                       const std::string& service,
                                                       const std::string& url);
[[nodiscard]] Result<std::string> restore_traefik_server(std::string_view text,
                                                         const std::string& service,
                                                         const std::string& url);

}  // namespace hitless::traffic
