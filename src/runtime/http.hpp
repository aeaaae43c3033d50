// One HTTP(S) exchange (libcurl multi driven by the io_context). No redirects are followed, the
// body is capped, proxies from the environment are ignored unless use_proxy is set (probes go
// direct, webhooks may use one).
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace hitless {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"; CR, LF and NUL are refused
  std::string body;
  std::string connect_to;   // "address:port" or "[v6]:port" to connect to, whatever the URL says;
                            // may be empty
  std::string unix_socket;  // connect there instead; may be empty
  std::string ca_file;      // empty: the system's
  bool verify_tls = true;
  bool use_proxy = false;
  bool fresh_connection = true;
  bool keep_certificate = false;  // what the server shows, also when it is not verified
  DurationMs timeout_ms = 5000;
  std::size_t max_body_bytes = 1u << 20;
  // Called with each part of the body as it comes, beside the body itself; false breaks it off,
  // and the request fails with transport_lost. May be empty.
  std::function<bool(std::string_view)> on_part;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string certificate_pem;  // of the server itself, with keep_certificate; capped
  bool truncated = false;  // the body was longer than max_body_bytes; the rest was read and dropped
  std::int64_t latency_us = 0;  // from the call to the last byte
};

// Fails with timed_out (after connecting), unavailable (could not connect, in time or at all),
// transport_lost (broke off after connecting), failed (an answer beyond our limits) or invalid (bad
// URL, header or certificate).
Task<Result<HttpResponse>> http_request(HttpRequest request);

struct SmtpMessage {
  std::string url;  // smtp://host:25, smtps://host:465
  std::string from;
  std::vector<std::string> to;
  std::string username, password;
  bool require_tls = true;
  std::string payload;  // the whole message, CRLF lines
  DurationMs timeout_ms = 15000;
};
// Fails with refused when the server said a final no (5yz, login), otherwise as http_request.
Task<Status> send_mail(SmtpMessage message);

}  // namespace hitless
