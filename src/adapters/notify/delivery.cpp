#include "adapters/notify/delivery.hpp"

#include <charconv>
#include <ctime>

#include "base/text.hpp"

namespace hitless::notify {
namespace {

constexpr DurationMs max_retry_after_ms = 3'600'000;
constexpr std::size_t max_excerpt_bytes = 200;
constexpr std::size_t max_answer_bytes = 256 << 10;
constexpr std::size_t max_title_bytes = 300;
constexpr std::size_t max_text_bytes = 32 << 10;
constexpr std::size_t max_field_bytes = 1024;
constexpr std::size_t max_fields = 64;
constexpr std::size_t min_secret_bytes = 4;  // shorter ones would blank out ordinary words
constexpr std::size_t min_url_secret_bytes = 8;

std::string without(std::string text, const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    if (secret.size() < min_secret_bytes) continue;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "[redacted]");
      at += 10;
    }
  }
  return text;
}

// The path of a webhook's URL is its password; servers like to quote it in their answers.
void add_url_secrets(std::string_view url, std::vector<std::string>& secrets) {
  secrets.emplace_back(url);
  const auto authority = url.find("://");
  const auto path = authority == std::string_view::npos ? authority : url.find('/', authority + 3);
  if (path == std::string_view::npos) return;
  secrets.emplace_back(url.substr(path));
  std::string part;
  for (const char c : url.substr(path)) {
    if (std::string_view("/?&=#").find(c) == std::string_view::npos) {
      part += c;
      continue;
    }
    if (part.size() >= min_url_secret_bytes) secrets.push_back(part);
    part.clear();
  }
  if (part.size() >= min_url_secret_bytes) secrets.push_back(part);
}

std::string clean(std::string_view text, std::size_t max_bytes, bool keep_newlines) {
  text = text.substr(0, 4 * max_bytes);  // what is cut anyway need not be searched
  return truncate_utf8(escape_for_terminal(redact(text), keep_newlines), max_bytes);
}

bool worth_another_try(ErrorCode code) {
  return code == ErrorCode::timed_out || code == ErrorCode::unavailable ||
         code == ErrorCode::transport_lost;
}

}  // namespace

tl::unexpected<ports::DeliveryFailure> final_failure(ErrorCode code, std::string what,
                                                     std::string where) {
  return tl::unexpected(
      ports::DeliveryFailure{{code, std::move(what), std::move(where), ""}, true, std::nullopt});
}

std::optional<DurationMs> retry_after_of(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "retry-after") continue;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error == std::errc() && end == value.data() + value.size()) {
      return std::clamp<DurationMs>(seconds, 0, max_retry_after_ms / 1000) * 1000;
    }
    std::tm date{};
    if (::strptime(value.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr)
      return std::nullopt;
    const DurationMs wait_ms = static_cast<DurationMs>(::timegm(&date)) * 1000 - wall_now_ms();
    return std::clamp<DurationMs>(wait_ms, 0, max_retry_after_ms);
  }
  return std::nullopt;
}

Task<Answer> send_http(HttpRequest request, SinkOptions options, std::vector<std::string> secrets) {
  const std::string where = scheme_and_host(request.url);
  add_url_secrets(request.url, secrets);
  request.timeout_ms = options.timeout_ms;
  request.ca_file = options.ca_file;
  request.use_proxy = options.use_proxy;
  request.max_body_bytes = max_answer_bytes;
  request.headers.push_back("User-Agent: hitless");
  auto response = co_await http_request(std::move(request));
  if (!response) {
    Error error = response.error();
    error.what = without(error.what, secrets);
    error.help = without(error.help, secrets);
    error.where = where;
    const bool retry = worth_another_try(error.code);
    co_return tl::unexpected(ports::DeliveryFailure{std::move(error), !retry, std::nullopt});
  }
  const int status = response->status;
  if (status >= 200 && status < 300) co_return std::move(*response);
  const bool retry = status == 429 || status == 408 || status == 425 || status >= 500;
  const std::string body = without(response->body.substr(0, 64 << 10), secrets);
  std::string what = fmt::format("HTTP {}", status);
  if (status >= 300 && status < 400)
    what += ": redirects are not followed";
  else if (!trim(body).empty())
    what += ": " + clean(trim(body), max_excerpt_bytes, false);
  co_return tl::unexpected(
      ports::DeliveryFailure{{retry ? ErrorCode::unavailable : ErrorCode::refused, what, where, ""},
                             !retry,
                             retry ? retry_after_of(*response) : std::nullopt});
}

std::string scheme_and_host(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return "(not a URL)";
  std::string_view authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#\\"));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  return escape_for_terminal(std::string(url.substr(0, scheme + 3)) + std::string(authority));
}

Status check_http_url(std::string_view url, std::string_view field) {
  const bool http = url.starts_with("https://") || url.starts_with("http://");
  const bool clean_text =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (http && clean_text && scheme_and_host(url).size() > url.find("://") + 3) return {};
  return fail(ErrorCode::invalid, fmt::format("`{}` is not an http or https URL", field), {},
              "the value is not shown, because it may be a secret");
}

bool wants_kind(const SinkOptions& options, ports::NotificationKind kind) {
  if (options.on.empty()) return kind != ports::NotificationKind::started;
  return kind == ports::NotificationKind::test ||
         std::find(options.on.begin(), options.on.end(), kind) != options.on.end();
}

const char* name_of(ports::NotificationKind kind) {
  switch (kind) {
    case ports::NotificationKind::started:
      return "started";
    case ports::NotificationKind::succeeded:
      return "succeeded";
    case ports::NotificationKind::failed:
      return "failed";
    case ports::NotificationKind::test:
      return "test";
  }
  return "unknown";
}

ports::Notification cleaned(ports::Notification n) {
  for (std::string* word : {&n.key, &n.rollout, &n.service, &n.result, &n.incident, &n.actor}) {
    *word = truncate_utf8(escape_for_terminal(*word), max_title_bytes);
  }
  n.title = clean(n.title, max_title_bytes, false);
  n.text = clean(n.text, max_text_bytes, true);
  if (n.fields.size() > max_fields) n.fields.resize(max_fields);
  for (auto& [name, value] : n.fields) {
    name = clean(name, max_field_bytes, false);
    value = clean(value, max_field_bytes, false);
  }
  return n;
}

}  // namespace hitless::notify
