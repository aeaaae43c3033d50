// Where a server of ours listens, and the token that it asks for: of `mcp --http` and of
// `watch --triggers --listen`.
//
// Invariant: there is no server without a token of 16 characters or more. Holds nothing.
#pragma once
#include <string>

#include "mcp/http.hpp"

namespace hitless::cli {

// where: "PORT" or "ADDRESS:PORT". variable: of the environment, holds the token. example: a
// command that is right, for the message.
[[nodiscard]] Result<mcp::HttpOptions> listen_at(const std::string& where, const char* variable,
                                                 const char* example);

}  // namespace hitless::cli
