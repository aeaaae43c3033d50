// One of AWS's Query APIs: signs, sends, retries, and gives back the parsed answer.
//
// - Errors are told apart by their Code, never by the HTTP status: throttling comes as 400,
//   HealthUnavailable as 500.
// - Up to `attempts` tries with a random, growing pause, all within the call's deadline; each is
//   signed anew. Every action that we call may be repeated without harm.
// - A clock that is wrong is noticed (by the server's Date) and corrected for, once per call.
// - Keys that the server finds expired are fetched anew, once per call.
// - A message never holds a key, token or signature.
#pragma once
#include <memory>
#include <string>

#include "adapters/aws/credentials.hpp"
#include "adapters/aws/profile.hpp"
#include "adapters/aws/query.hpp"
#include "adapters/aws/xml.hpp"
#include "runtime/http.hpp"

namespace hitless::aws {

struct ApiError {
  Error error;
  std::string code;  // AWS's, "TargetGroupNotFound"; empty: there was no answer of AWS's
  int status = 0;    // HTTP
  bool throttled = false;
  bool transient = false;  // another try may do
};
template <class T>
using ApiResult = tl::expected<T, ApiError>;

struct CallLimits {
  DurationMs deadline_ms = 15'000;  // for all tries together
  DurationMs try_ms = 5'000;        // for one
  int attempts = 3;
};

struct Endpoint {
  Api api;
  std::string url;  // scheme://host[:port][/path]
  std::string region;
  std::string ca_file;  // AWS_CA_BUNDLE; empty: the system's
};

class Client {
 public:
  // credentials null: requests are not signed.
  Client(Endpoint endpoint, std::shared_ptr<CredentialSource> credentials)
      : endpoint_(std::move(endpoint)), credentials_(std::move(credentials)) {}

  // The <ActionResult> element; for EC2 the whole answer.
  Task<ApiResult<Xml>> call(std::string action, Params params, CallLimits limits);
  Task<ApiResult<Xml>> call(std::string action, Params params) {
    return call(std::move(action), std::move(params), CallLimits{});
  }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] DurationMs clock_offset_ms() const { return clock_offset_ms_; }

 private:
  struct Try;
  [[nodiscard]] std::string host() const;
  [[nodiscard]] HttpRequest request_of(const std::string& body, const Credentials* keys,
                                       DurationMs timeout_ms) const;
  Task<Try> attempt(std::string action, std::string body, DurationMs timeout_ms);

  Endpoint endpoint_;
  std::shared_ptr<CredentialSource> credentials_;
  DurationMs clock_offset_ms_ = 0;  // AWS's clock less ours
};

[[nodiscard]] bool is_throttle_code(std::string_view code);
[[nodiscard]] bool is_transient(std::string_view code, int status);
// An HTTP date: "Mon, 30 Nov 2026 17:25:58 GMT".
[[nodiscard]] std::optional<TimeMs> parse_http_date(const std::string& text);

}  // namespace hitless::aws
