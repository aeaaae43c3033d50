// MCP over standard input and output: one JSON message a line, nothing else on stdout; the end of
// the input ends the server.
#pragma once
#include "mcp/server.hpp"

namespace hitless::mcp {

// Returns at the end of the input (what still runs is cancelled), or when the output is closed.
Task<void> serve_stdio(Server* server, int in_fd, int out_fd);

}  // namespace hitless::mcp
