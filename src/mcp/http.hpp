// MCP over streamable HTTP, on a loopback address only.
//
// Before a message is looked at: the Host has to be this machine's own name for itself (a page in a
// browser cannot rebind it), an Origin the same, and the bearer token right. Answers are JSON, or
// an event stream as soon as there is something to say before the answer. A client that goes away
// cancels its request.
#pragma once
#include <memory>
#include <string>

#include "mcp/server.hpp"
#include "runtime/http_server.hpp"

namespace hitless::mcp {

struct HttpOptions {
  std::string address = "127.0.0.1";
  int port = 0;
  std::string token;  // empty: nobody is asked for one (tests only)
  std::string path = "/mcp";
};

// Refuses an address that is not loopback.
Task<Result<std::unique_ptr<HttpServer>>> serve_http(Server* server, HttpOptions options);

// 0: may go on; else the status to refuse with. Pure.
[[nodiscard]] int gate_of(const HttpAsked& asked, const HttpOptions& options);

}  // namespace hitless::mcp
