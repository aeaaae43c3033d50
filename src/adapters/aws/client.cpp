#include "adapters/aws/client.hpp"

#include <array>
#include <ctime>
#include <random>

#include "adapters/aws/sigv4.hpp"
#include "base/text.hpp"
#include "runtime/http.hpp"

namespace hitless::aws {
namespace {

constexpr std::size_t kMaxBody = 8u << 20;
constexpr double kThrottleScaleMs = 1'000, kTransientScaleMs = 100, kLongestPauseMs = 20'000;
constexpr DurationMs kServerPauseMaxMs = 5'000;  // x-amz-retry-after is heeded up to this much more
constexpr DurationMs kSkewWorthCorrectingMs = 30'000;
constexpr std::size_t kMaxMessage = 400;

constexpr std::array<std::string_view, 13> kThrottleCodes = {"Throttling",
                                                             "ThrottlingException",
                                                             "ThrottledException",
                                                             "RequestThrottled",
                                                             "TooManyRequestsException",
                                                             "RequestThrottledException",
                                                             "RequestLimitExceeded",
                                                             "BandwidthLimitExceeded",
                                                             "LimitExceededException",
                                                             "SlowDown",
                                                             "EC2ThrottledException",
                                                             "PriorRequestNotComplete",
                                                             "TransactionInProgressException"};
constexpr std::array<std::string_view, 4> kSkewCodes = {
    "RequestTimeTooSkewed", "SignatureDoesNotMatch", "RequestExpired", "InvalidSignatureException"};
constexpr std::array<std::string_view, 5> kExpiredCodes = {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
    "AuthFailure"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

DurationMs pause_before(int next_attempt, const ApiError& last, DurationMs server_says) {
  static thread_local std::mt19937_64 engine{std::random_device{}()};
  const double scale = last.throttled ? kThrottleScaleMs : kTransientScaleMs;
  const double limit =
      std::min(scale * static_cast<double>(1 << (next_attempt - 2)), kLongestPauseMs);
  const auto own = static_cast<DurationMs>(std::uniform_real_distribution<>(0, limit)(engine));
  return std::clamp(server_says, own, own + kServerPauseMaxMs);
}

std::string header_of(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}

DurationMs retry_after_ms(const HttpResponse& response) {
  const std::string text = header_of(response, "x-amz-retry-after");
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoll(text);
}

// SignatureDoesNotMatch quotes our request, token and all; only its first sentence may be shown.
std::string message_for_people(std::string text, const Credentials& keys) {
  if (const std::size_t end = text.find_first_of("\r\n"); end != std::string::npos)
    text.resize(end);
  for (const Secret* secret : {&keys.secret_key, &keys.session_token}) {
    if (secret->empty()) continue;
    for (std::size_t at; (at = text.find(secret->reveal())) != std::string::npos;)
      text.replace(at, secret->reveal().size(), "[redacted]");
  }
  return escape_for_terminal(truncate_utf8(redact(text), kMaxMessage));
}

ErrorCode code_for(std::string_view code, int status, bool transient) {
  if (code.ends_with("NotFound") || code.ends_with("NotFoundException"))
    return ErrorCode::not_found;
  if (transient || status >= 500) return ErrorCode::unavailable;
  const bool denied = code.starts_with("AccessDenied") || code.starts_with("Unauthorized") ||
                      has(kExpiredCodes, code) || has(kSkewCodes, code) ||
                      code == "OptInRequired" || code == "MissingAuthenticationToken" ||
                      code == "IncompleteSignature";
  return denied ? ErrorCode::refused : ErrorCode::invalid;
}

std::string help_for(std::string_view code) {
  if (code.starts_with("AccessDenied") || code.starts_with("Unauthorized"))
    return "the policy in docs/how-to-aws.md lists what hitless needs";
  if (has(kSkewCodes, code)) return "is the secret key right, and this machine's clock?";
  if (has(kExpiredCodes, code)) return "the keys are not valid (any more): get new ones";
  if (is_throttle_code(code)) return "AWS limits the rate of calls; it is tried again";
  return {};
}

}  // namespace

bool is_throttle_code(std::string_view code) {
  return has(kThrottleCodes, code);
}

bool is_transient(std::string_view code, int status) {
  return status == 500 || status == 502 || status == 503 || status == 504 ||
         code == "RequestTimeout" || code == "RequestTimeoutException" || is_throttle_code(code);
}

std::optional<TimeMs> parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return static_cast<TimeMs>(::timegm(&parts)) * 1000;
}

struct Client::Try {
  ApiResult<Xml> result = tl::unexpected(ApiError{});
  std::optional<TimeMs> server_time;
  DurationMs server_pause_ms = 0;
};

HttpRequest Client::request_of(const std::string& body, const Credentials* keys,
                               DurationMs timeout_ms) const {
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint_.url + "/";
  request.body = body;
  request.ca_file = endpoint_.ca_file;
  request.use_proxy = true;
  request.fresh_connection = false;
  request.timeout_ms = timeout_ms;
  request.max_body_bytes = kMaxBody;
  const std::string type = "application/x-www-form-urlencoded; charset=utf-8";
  if (keys == nullptr) {
    request.headers = {"Content-Type: " + type};
  } else {
    Signable signable;
    signable.host = host();
    signable.path =
        endpoint_.url.substr(endpoint_.url.find(signable.host) + signable.host.size()) + "/";
    signable.headers = {{"Content-Type", type}};
    signable.body = body;
    request.headers =
        sign(std::move(signable), *keys, {endpoint_.region, endpoint_.api.signing_name},
             wall_now_ms() + clock_offset_ms_);
  }
  request.headers.emplace_back("User-Agent: hitless");
  return request;
}

namespace {

ApiResult<Xml> judge(const HttpResponse& response, const std::string& action,
                     const std::string& host, const Credentials& keys) {
  auto tree = response.truncated ? Result<Xml>(fail(ErrorCode::invalid, "the answer is too long"))
                                 : parse_xml(response.body);
  if (response.status == 200 && tree) {
    const Xml* result = tree->find(action + "Result");
    return result != nullptr ? *result : std::move(*tree);
  }
  ApiError error;
  error.status = response.status;
  std::string message;
  if (tree) {
    const Xml* inner = tree->find("Error");
    if (inner == nullptr) inner = tree->find("Errors/Error");
    if (inner != nullptr) {
      error.code = escape_for_terminal(truncate_utf8(inner->value("Code"), 100));
      message = message_for_people(inner->value("Message"), keys);
    }
  }
  error.throttled = is_throttle_code(error.code) || response.status == 429;
  error.transient = is_transient(error.code, response.status) || error.throttled;
  error.error.code = code_for(error.code, error.status, error.transient);
  error.error.where = host;
  error.error.help = help_for(error.code);
  error.error.what = action + ": ";
  if (!error.code.empty()) {
    error.error.what += error.code + (message.empty() ? "" : ": " + message);
  } else {
    error.error.what += "HTTP " + std::to_string(response.status) + ", " +
                        (tree ? std::string("not an answer of AWS's") : tree.error().what);
  }
  return tl::unexpected(std::move(error));
}

}  // namespace

std::string Client::host() const {
  const std::size_t from = endpoint_.url.find("://") + 3;
  return endpoint_.url.substr(from, endpoint_.url.find('/', from) - from);
}

Task<Client::Try> Client::attempt(std::string action, std::string body, DurationMs timeout_ms) {
  Try out;
  Credentials keys;
  if (credentials_ != nullptr) {
    auto got = co_await credentials_->get();
    if (!got) {
      out.result = tl::unexpected(ApiError{got.error(), {}, 0, false, false});
      co_return out;
    }
    keys = std::move(*got);
  }
  auto response = co_await http_request(
      request_of(body, credentials_ != nullptr ? &keys : nullptr, timeout_ms));
  if (!response) {
    const ErrorCode code = response.error().code;
    const bool again = code == ErrorCode::timed_out || code == ErrorCode::unavailable ||
                       code == ErrorCode::transport_lost;
    out.result = tl::unexpected(ApiError{response.error(), {}, 0, false, again});
    co_return out;
  }
  out.server_time = parse_http_date(header_of(*response, "date"));
  out.server_pause_ms = retry_after_ms(*response);
  out.result = judge(*response, action, host(), keys);
  co_return out;
}

Task<ApiResult<Xml>> Client::call(std::string action, Params params, CallLimits limits) {
  std::string body =
      Params().add("Action", action).add("Version", std::string(endpoint_.api.version)).encoded();
  if (const std::string rest = params.encoded(); !rest.empty()) body += "&" + rest;
  const DurationMs end = steady_now_ms() + limits.deadline_ms;
  bool corrected = false, renewed = false;
  for (int attempt_number = 1;; ++attempt_number) {
    const DurationMs left = end - steady_now_ms();
    const TimeMs sent_at = wall_now_ms();
    Try tried =
        co_await attempt(action, body, std::max<DurationMs>(std::min(limits.try_ms, left), 1));
    if (tried.result) co_return std::move(tried.result);
    const ApiError& error = tried.result.error();
    const DurationMs skew = tried.server_time.value_or(sent_at) - sent_at;
    if (has(kSkewCodes, error.code) && !corrected &&
        std::abs(skew - clock_offset_ms_) > kSkewWorthCorrectingMs) {
      corrected = true;
      clock_offset_ms_ = skew;
      continue;
    }
    if (has(kExpiredCodes, error.code) && !renewed && credentials_ != nullptr) {
      renewed = true;
      credentials_->forget();
      continue;
    }
    if (!error.transient || attempt_number >= limits.attempts) co_return std::move(tried.result);
    const DurationMs pause = pause_before(attempt_number + 1, error, tried.server_pause_ms);
    if (steady_now_ms() + pause >= end) co_return std::move(tried.result);
    co_await sleep_for(pause);
  }
}

}  // namespace hitless::aws
