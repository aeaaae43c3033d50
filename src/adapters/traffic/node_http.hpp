// One HTTP call from a load balancer's own host, by curl there: administration APIs listen on that
// host alone. Answers are capped, redirects and proxies are not followed, and a secret is never in
// argv, where every user of the host could read it. Keeps nothing.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "ports/host.hpp"

namespace hitless::traffic {

struct NodeCall {
  std::string url;
  std::string method = "GET";
  std::vector<std::string> headers;  // "Name: value"
  std::string secret_header;         // the same; given to curl on its standard input
  std::string body;
  DurationMs timeout_ms = 2'000;
};

struct NodeReply {
  int status = 0;
  std::string etag, body;
};

// Fails with unavailable when nobody answered, in time or at all; any status is an answer.
Task<Result<NodeReply>> call_from(ports::Host* host, std::string api, NodeCall call);

// head: what `curl -D` writes, all status and header lines and the trailers: Caddy 2.6 sends its
// ETag behind the body.
[[nodiscard]] Result<NodeReply> parse_node_reply(std::string_view head, std::string_view body);

// "http://127.0.0.1:2019" and nothing that curl would expand; without a path unless it may have
// one.
[[nodiscard]] Status check_node_url(const std::string& url, bool may_have_path = false);

// What of an answer may be shown: short, printable, without secrets.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace hitless::traffic
