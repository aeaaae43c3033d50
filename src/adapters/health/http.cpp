#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "adapters/health/address.hpp"
#include "adapters/health/probes.hpp"
#include "base/text.hpp"
#include "runtime/http.hpp"

namespace hitless {
namespace health {
namespace {

using core::HealthReading;
using core::HealthStatus;

constexpr std::size_t max_body_bytes = 64u << 10;
constexpr std::size_t max_snippet_bytes = 80;
constexpr std::size_t max_path_bytes = 60;

struct Url {
  std::string scheme, path;
  HostPort where;
};

// Parsed by libcurl, as the request is, so that both see the same host.
Result<Url> parse_url(const std::string& text) {
  const auto bad = [](const std::string& why) {
    return fail(ErrorCode::invalid, "bad URL: " + why);
  };
  std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (!url) return fail(ErrorCode::internal, "out of memory");
  if (const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0)) {
    return bad(curl_url_strerror(code));
  }
  const auto part = [&](CURLUPart which, unsigned flags) {
    char* value = nullptr;
    curl_url_get(url.get(), which, &value, flags);
    std::string copy = value == nullptr ? "" : value;
    curl_free(value);
    return copy;
  };
  if (!part(CURLUPART_USER, 0).empty() || !part(CURLUPART_PASSWORD, 0).empty()) {
    return bad("user names and passwords do not belong into a health check's URL");
  }
  Url out;
  out.scheme = part(CURLUPART_SCHEME, 0);
  if (out.scheme != "http" && out.scheme != "https") return bad("only http and https are probed");
  out.path = part(CURLUPART_PATH, 0);
  std::string host = part(CURLUPART_HOST, 0);
  const bool v6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!v6 && host.find(':') != std::string::npos) return bad("not a host name");
  auto where = parse_host_port(host + ":" + part(CURLUPART_PORT, CURLU_DEFAULT_PORT));
  if (!where) return tl::unexpected(where.error());
  out.where = *where;
  return out;
}

std::string snippet(std::string_view text) {
  // Redacted before it is cut: half a secret would not be recognised.
  const std::string clean = redact(text.substr(0, max_body_bytes));
  return truncate_utf8(escape_for_terminal(trim(clean)), max_snippet_bytes);
}

HealthReading reading(HealthStatus status, std::string evidence, std::int64_t latency_us = 0) {
  return {status, latency_us, std::move(evidence)};
}

class HttpProbe final : public ports::Health {
 public:
  explicit HttpProbe(HttpHealth config) : config_(std::move(config)), url_(parse_url(config_.url)) {
    const std::string path = url_ ? url_->path : config_.url;
    label_ = "GET " + truncate_utf8(escape_for_terminal(redact(path)), max_path_bytes);
  }
  [[nodiscard]] std::string describe() const override {
    return "GET " + escape_for_terminal(truncate_utf8(redact(config_.url), 200));
  }
  Task<HealthReading> probe() override;

 private:
  [[nodiscard]] HealthReading judge(const HttpResponse& response) const;
  [[nodiscard]] std::string no_answer() const {
    return label_ + " → no answer within " + format_duration(config_.timeout_ms);
  }
  Task<HealthReading> not_connected(HostPort where, DurationMs left_ms);
  Task<HealthReading> ask(std::string address, DurationMs left_ms, bool* could_connect);

  HttpHealth config_;
  Result<Url> url_;
  std::string label_;
};

HealthReading HttpProbe::judge(const HttpResponse& response) const {
  const std::string got = label_ + " → HTTP " + std::to_string(response.status);
  if (response.status != config_.expect_status) {
    const bool redirect = response.status >= 300 && response.status < 400;
    std::string detail = redirect ? " (redirects are not followed)" : "";
    // An error page's markup says nothing that the status does not.
    const bool markup = trim(response.body).substr(0, 1) == "<";
    if (const std::string body = snippet(response.body); !body.empty() && !markup)
      detail += ": " + body;
    return reading(HealthStatus::fail,
                   got + ", not " + std::to_string(config_.expect_status) + detail,
                   response.latency_us);
  }
  if (!config_.expect_body.empty() &&
      response.body.find(config_.expect_body) == std::string::npos) {
    return reading(
        HealthStatus::fail,
        got + ", body lacks `" + snippet(config_.expect_body) + "`: " + snippet(response.body),
        response.latency_us);
  }
  return reading(HealthStatus::pass, got, response.latency_us);
}

// libcurl says only "could not connect"; whether that was the instance's doing or ours, the system
// says.
Task<HealthReading> HttpProbe::not_connected(HostPort where, DurationMs left_ms) {
  if (left_ms <= 0) co_return reading(HealthStatus::fail, no_answer());
  const Connect again = co_await try_connect(where, left_ms);
  switch (again.outcome) {
    case ConnectOutcome::refused:
      co_return reading(HealthStatus::fail,
                        label_ + " → " + to_string(where) + ": " + again.message);
    case ConnectOutcome::timed_out:
      co_return reading(HealthStatus::fail, no_answer());
    case ConnectOutcome::connected:
      co_return reading(HealthStatus::unknown,
                        label_ + " → not connected at first, then connected");
    case ConnectOutcome::local_error:
      break;
  }
  co_return reading(HealthStatus::unknown,
                    label_ + " → cannot connect from here: " + again.message);
}

Task<HealthReading> HttpProbe::ask(std::string address, DurationMs left_ms, bool* could_connect) {
  const auto started = std::chrono::steady_clock::now();
  HttpRequest request;
  request.url = config_.url;
  request.connect_to = to_string({address, url_->where.port});
  request.ca_file = config_.ca_file;
  request.verify_tls = config_.verify_tls;
  request.timeout_ms = left_ms;
  request.max_body_bytes = max_body_bytes;
  if (!config_.host_header.empty()) request.headers.push_back("Host: " + config_.host_header);
  auto response = co_await http_request(std::move(request));
  *could_connect = true;
  if (response) co_return judge(*response);
  const Error& error = response.error();
  if (error.code == ErrorCode::timed_out) co_return reading(HealthStatus::fail, no_answer());
  if (error.code == ErrorCode::unavailable) {
    *could_connect = false;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    co_return co_await not_connected({address, url_->where.port}, left_ms - took.count());
  }
  const std::string what = label_ + " → " + snippet(error.what);
  const bool bad_certificate = error.what.find("SSL certificate problem") != std::string::npos ||
                               error.what.starts_with("SSL: ");
  const bool theirs = error.code == ErrorCode::transport_lost || error.code == ErrorCode::failed ||
                      (error.code == ErrorCode::invalid && bad_certificate);
  co_return reading(theirs ? HealthStatus::fail : HealthStatus::unknown, what);
}

Task<HealthReading> HttpProbe::probe() {
  if (!url_) co_return reading(HealthStatus::unknown, url_.error().what);
  if (!config_.ca_file.empty() && ::access(config_.ca_file.c_str(), R_OK) != 0) {
    co_return reading(HealthStatus::unknown,
                      "cannot read CA file " + escape_for_terminal(config_.ca_file));
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(config_.timeout_ms);
  const auto left_ms = [end] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(end -
                                                                 std::chrono::steady_clock::now())
        .count();
  };
  auto addresses = co_await resolve(url_->where.host, config_.allow_link_local, config_.timeout_ms);
  if (!addresses) co_return reading(HealthStatus::unknown, addresses.error().what);
  HealthReading last = reading(HealthStatus::fail, no_answer());
  for (const std::string& address : *addresses) {
    if (left_ms() <= 0) break;
    bool could_connect = false;
    last = co_await ask(address, left_ms(), &could_connect);
    if (could_connect) break;
  }
  co_return last;
}

}  // namespace
}  // namespace health

std::unique_ptr<ports::Health> make_http_health(HttpHealth config) {
  return std::make_unique<health::HttpProbe>(std::move(config));
}

}  // namespace hitless
