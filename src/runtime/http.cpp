#include "runtime/http.hpp"

#include <boost/asio/this_coro.hpp>
#include <chrono>

#include "base/text.hpp"
#include "runtime/curl_service.hpp"
#include "runtime/curl_util.hpp"

namespace hitless {
namespace asio = boost::asio;
namespace {

constexpr std::size_t max_response_headers = 200;
constexpr std::size_t max_response_header_bytes = 256 * 1024;
constexpr std::size_t max_headers = 100;
constexpr std::size_t max_certificate_bytes = 64u << 10;
constexpr DurationMs timeout_slack_ms =
    1000;  // curl keeps the deadline; this is for when it does not

// All that curl keeps pointers into during one transfer.
struct Exchange {
  explicit Exchange(const asio::any_io_executor& executor) : service(CurlService::of(executor)) {
    transfer.easy = curl_easy_init();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    service.remove(&transfer);
    curl_easy_cleanup(transfer.easy);
  }
  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(transfer.easy, option, value);
    if (code != CURLE_OK && setup == CURLE_OK) setup = code;
  }
  void set(CURLoption option, const std::string& value) { set(option, value.c_str()); }

  CurlService& service;
  CurlTransfer transfer;
  CURLcode setup = CURLE_OK;
  char message[CURL_ERROR_SIZE] = {};
  CurlList headers, connect_to;
  std::size_t max_body_bytes = 0;
  std::size_t header_bytes = 0;
  bool headers_too_large = false;
  std::function<bool(std::string_view)> on_part;
  HttpResponse response;
};

std::size_t on_body(char* data, std::size_t one, std::size_t count, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  const std::size_t n = one * count;
  auto& body = exchange.response.body;
  const std::size_t room = exchange.max_body_bytes - std::min(exchange.max_body_bytes, body.size());
  body.append(data, std::min(n, room));
  if (n > room) exchange.response.truncated = true;
  const bool wanted = !exchange.on_part || exchange.on_part(std::string_view(data, n));
  return wanted ? n : 0;
}

std::size_t on_header(char* data, std::size_t one, std::size_t count, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  const std::size_t n = one * count;
  const std::string_view line = trim(std::string_view(data, n));
  auto& headers = exchange.response.headers;
  if (line.starts_with("HTTP/")) headers.clear();  // those of a 1xx are not the answer's
  exchange.header_bytes += n;
  if (headers.size() >= max_response_headers || exchange.header_bytes > max_response_header_bytes) {
    exchange.headers_too_large = true;
    return 0;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with("HTTP/")) return n;
  std::string name(trim(line.substr(0, colon)));
  for (char& c : name) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  headers.emplace_back(std::move(name), std::string(trim(line.substr(colon + 1))));
  return n;
}

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != std::string_view::npos;
  });
}

Status check_request(const HttpRequest& request) {
  if (!is_token(request.method) || request.method.size() > 32) {
    return fail(ErrorCode::invalid, "not an HTTP method: " + escape_for_terminal(request.method));
  }
  if (request.url.empty() || has_control(request.url) ||
      request.url.find(' ') != std::string::npos) {
    return fail(ErrorCode::invalid, "the URL is empty or has spaces or control characters",
                place_of(request.url));
  }
  if (request.headers.size() > max_headers) {
    return fail(ErrorCode::invalid, "too many request headers", place_of(request.url));
  }
  for (const auto& header : request.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || !is_token(std::string_view(header).substr(0, colon)) ||
        has_control(header)) {
      return fail(ErrorCode::invalid,
                  "not a header (Name: value, no control characters): " +
                      escape_for_terminal(header.substr(0, colon)),
                  place_of(request.url));
    }
  }
  if (has_control(request.connect_to) || request.connect_to.find(',') != std::string::npos ||
      has_control(request.unix_socket)) {
    return fail(ErrorCode::invalid, "not an address to connect to", place_of(request.url));
  }
  return {};
}

void apply_common(Exchange& exchange, const std::string& url, DurationMs timeout_ms) {
  exchange.set(CURLOPT_ERRORBUFFER, exchange.message);
  exchange.set(CURLOPT_NOSIGNAL, 1L);
  exchange.set(CURLOPT_PROTOCOLS_STR, "http,https");
  exchange.set(CURLOPT_FOLLOWLOCATION, 0L);
  exchange.set(CURLOPT_URL, url);
  exchange.set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<DurationMs>(timeout_ms, 1)));
  exchange.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<DurationMs>(timeout_ms, 1)));
  exchange.set(CURLOPT_WRITEFUNCTION, &on_body);
  exchange.set(CURLOPT_WRITEDATA, &exchange);
}

void apply_method(Exchange& exchange, const HttpRequest& request) {
  if (request.method == "HEAD") {
    exchange.set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method != "GET" || !request.body.empty()) {
    exchange.set(CURLOPT_POST, 1L);
    exchange.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    exchange.set(CURLOPT_COPYPOSTFIELDS, request.body.data());
  }
  exchange.set(CURLOPT_CUSTOMREQUEST, request.method);
}

void apply_headers(Exchange& exchange, const HttpRequest& request) {
  // curl's own additions that nobody asked for; a header of the request's comes after and wins.
  bool has_type = false;
  for (const auto& header : request.headers) {
    const std::size_t colon = header.find(':');
    std::string name = header.substr(0, colon);
    for (char& c : name) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    has_type = has_type || name == "content-type";
    const bool empty = trim(std::string_view(header).substr(colon + 1)).empty();
    append(exchange.headers, empty ? header.substr(0, colon) + ";" : header);
  }
  if (!has_type) append(exchange.headers, "Content-Type:");
  append(exchange.headers, "Expect:");
  exchange.set(CURLOPT_HTTPHEADER, exchange.headers.get());
}

void apply_route(Exchange& exchange, const HttpRequest& request) {
  if (!request.use_proxy) exchange.set(CURLOPT_PROXY, "");
  if (!request.connect_to.empty()) {
    append(exchange.connect_to, "::" + request.connect_to);
    exchange.set(CURLOPT_CONNECT_TO, exchange.connect_to.get());
  }
  if (!request.unix_socket.empty()) exchange.set(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket);
  if (!request.ca_file.empty()) exchange.set(CURLOPT_CAINFO, request.ca_file);
  if (!request.verify_tls) {
    exchange.set(CURLOPT_SSL_VERIFYPEER, 0L);
    exchange.set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (request.keep_certificate) exchange.set(CURLOPT_CERTINFO, 1L);
  if (request.fresh_connection) {
    exchange.set(CURLOPT_FRESH_CONNECT, 1L);
    exchange.set(CURLOPT_FORBID_REUSE, 1L);
  }
}

// Runs what was set up. The exchange is kept by the caller's frame until this has ended.
Task<Status> perform(Exchange* exchange, std::string url, DurationMs timeout_ms) {
  if (exchange->setup != CURLE_OK) {
    co_return fail(ErrorCode::invalid, curl_easy_strerror(exchange->setup), place_of(url));
  }
  if (!exchange->service.add(&exchange->transfer)) {
    co_return fail(ErrorCode::internal, "libcurl did not take the transfer", place_of(url));
  }
  const bool ended = co_await exchange->transfer.finished.wait_for(timeout_ms + timeout_slack_ms);
  if (!ended) {
    co_return fail(ErrorCode::timed_out, "no answer within " + format_duration(timeout_ms),
                   place_of(url));
  }
  if (exchange->transfer.code != CURLE_OK) {
    const char* message =
        exchange->headers_too_large ? "the answer's headers are too large" : exchange->message;
    co_return curl_failure(exchange->transfer.easy, exchange->transfer.code, message, url);
  }
  co_return Status{};
}

std::string certificate_of(CURL* easy) {
  constexpr std::string_view kKey = "Cert:";
  curl_certinfo* info = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || info == nullptr ||
      info->num_of_certs < 1)
    return {};
  for (const curl_slist* each = info->certinfo[0]; each != nullptr; each = each->next) {
    const std::string_view line(each->data);
    if (line.starts_with(kKey)) return std::string(line.substr(kKey.size(), max_certificate_bytes));
  }
  return {};
}

}  // namespace

Task<Result<HttpResponse>> http_request(HttpRequest request) {
  const auto started = std::chrono::steady_clock::now();
  const auto checked = check_request(request);
  if (!checked) co_return tl::unexpected(checked.error());
  auto exchange = std::make_unique<Exchange>(co_await asio::this_coro::executor);
  exchange->max_body_bytes = request.max_body_bytes;
  exchange->on_part = std::move(request.on_part);
  apply_common(*exchange, request.url, request.timeout_ms);
  exchange->set(CURLOPT_HEADERFUNCTION, &on_header);
  exchange->set(CURLOPT_HEADERDATA, exchange.get());
  exchange->set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  apply_method(*exchange, request);
  apply_headers(*exchange, request);
  apply_route(*exchange, request);

  const auto status = co_await perform(exchange.get(), request.url, request.timeout_ms);
  if (!status) co_return tl::unexpected(status.error());
  long http_status = 0;
  curl_easy_getinfo(exchange->transfer.easy, CURLINFO_RESPONSE_CODE, &http_status);
  exchange->response.status = static_cast<int>(http_status);
  if (request.keep_certificate)
    exchange->response.certificate_pem = certificate_of(exchange->transfer.easy);
  exchange->response.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(
                                      std::chrono::steady_clock::now() - started)
                                      .count();
  co_return std::move(exchange->response);
}

}  // namespace hitless
