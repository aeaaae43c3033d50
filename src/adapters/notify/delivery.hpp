// What the sinks share: one careful HTTP exchange, and the text that goes out.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "adapters/notify/notify.hpp"
#include "runtime/http.hpp"

namespace hitless::notify {

using Delivery = tl::expected<void, ports::DeliveryFailure>;
using Answer = tl::expected<HttpResponse, ports::DeliveryFailure>;

// Sends and judges the status: 2xx is an answer, all else a failure with an excerpt of the body.
// secrets are cut out of whatever ends up in the Error.
Task<Answer> send_http(HttpRequest request, SinkOptions options, std::vector<std::string> secrets);

[[nodiscard]] tl::unexpected<ports::DeliveryFailure> final_failure(ErrorCode code, std::string what,
                                                                   std::string where);
// Retry-After of an answer: seconds or an HTTP date, at most an hour.
[[nodiscard]] std::optional<DurationMs> retry_after_of(const HttpResponse& response);

// "https://hooks.slack.com": all that may be shown of a URL whose path may be a secret.
[[nodiscard]] std::string scheme_and_host(std::string_view url);
[[nodiscard]] Status check_http_url(std::string_view url, std::string_view field);
[[nodiscard]] bool wants_kind(const SinkOptions& options, ports::NotificationKind kind);
[[nodiscard]] const char* name_of(ports::NotificationKind kind);

// As it may leave the house: redacted, without control characters, each part within its limit.
// Attachments are untouched. Doing it twice changes nothing more.
[[nodiscard]] ports::Notification cleaned(ports::Notification notification);

}  // namespace hitless::notify
