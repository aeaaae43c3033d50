#include "adapters/aws/credentials.hpp"

#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>

#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr DurationMs kAdvisoryMs = 15 * 60'000;
constexpr DurationMs kMandatoryMs = 10 * 60'000;
constexpr DurationMs kRetryMs = 30'000;  // after an early refresh that failed
constexpr std::size_t kMaxKey = 256, kMaxToken = 16'384;
constexpr std::size_t kMaxJson = 65'536;

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

Status check_credentials(const Credentials& keys) {
  const auto bad = [&](const char* what) {
    return fail(ErrorCode::invalid, what, keys.source,
                "it must be as AWS gave it, without blanks or line breaks");
  };
  if (keys.access_key_id.empty() || keys.access_key_id.size() > kMaxKey ||
      !is_visible(keys.access_key_id) || keys.access_key_id.find('/') != std::string::npos)
    return bad("this is no AWS access key id");
  if (keys.secret_key.empty() || keys.secret_key.reveal().size() > kMaxKey ||
      !is_visible(keys.secret_key.reveal()))
    return bad("this is no AWS secret access key");
  if (keys.session_token.reveal().size() > kMaxToken || !is_visible(keys.session_token.reveal()))
    return bad("this is no AWS session token");
  return {};
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

Task<Result<Credentials>> CachedSource::get() {
  const AsyncMutex::Guard lock = co_await one_at_a_time_.lock();
  const TimeMs now = now_();
  // Keys that live shorter than that are not fetched for each request.
  const DurationMs advisory = std::min(kAdvisoryMs, lifetime_ms_ / 2);
  const DurationMs mandatory = std::min(kMandatoryMs, lifetime_ms_ / 4);
  const auto left = [&] { return kept_->expires_at ? *kept_->expires_at - now : kAdvisoryMs; };
  if (kept_ && (left() >= advisory || (left() > mandatory && now < retry_at_))) co_return *kept_;
  auto fresh = co_await fetch_();
  if (fresh) {
    if (Status ok = check_credentials(*fresh); !ok) co_return tl::unexpected(ok.error());
    if (fresh->expires_at && *fresh->expires_at <= now) {
      co_return fail(ErrorCode::refused, "these keys have expired already", fresh->source,
                     "is this machine's clock right?");
    }
    lifetime_ms_ = fresh->expires_at ? *fresh->expires_at - now : 2 * kAdvisoryMs;
    kept_ = std::move(*fresh);
    co_return *kept_;
  }
  retry_at_ = now + kRetryMs;
  if (kept_ && left() > mandatory) co_return *kept_;
  co_return tl::unexpected(fresh.error());
}

std::optional<TimeMs> parse_iso_time(const std::string& text) {
  std::tm parts{};
  if (text.size() > 40) return std::nullopt;
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  const std::string_view zone = rest;
  if (zone != "Z" && zone != "+00:00" && zone != "+0000" && zone != "UTC") return std::nullopt;
  return static_cast<TimeMs>(::timegm(&parts)) * 1000;
}

Result<Credentials> credentials_from_json(const std::string& text, const std::string& what) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorCode::invalid, "it gave no usable keys: " + why, what);
  };
  if (text.size() > kMaxJson) return bad("the answer is too long");
  boost::system::error_code error;
  const boost::json::value tree = boost::json::parse(text, error);
  const auto* object = error ? nullptr : tree.if_object();
  if (object == nullptr) return bad("the answer is not a JSON object");
  if (const auto* version = object->if_contains("Version");
      version != nullptr && (!version->is_int64() || version->get_int64() != 1))
    return bad("its Version is not 1");
  if (const std::string code = text_of(*object, "Code"); !code.empty() && code != "Success")
    return bad("it says " + escape_for_terminal(truncate_utf8(code, 80)));
  Credentials keys;
  keys.source = what;
  keys.access_key_id = text_of(*object, "AccessKeyId");
  keys.secret_key = Secret(text_of(*object, "SecretAccessKey"));
  std::string token = text_of(*object, "SessionToken");
  keys.session_token = Secret(token.empty() ? text_of(*object, "Token") : std::move(token));
  if (const std::string end = text_of(*object, "Expiration"); !end.empty()) {
    keys.expires_at = parse_iso_time(end);
    if (!keys.expires_at) return bad("its Expiration is not a time");
  }
  if (Status ok = check_credentials(keys); !ok) return tl::unexpected(ok.error());
  return keys;
}

}  // namespace hitless::aws
