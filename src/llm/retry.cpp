#include "llm/retry.hpp"

#include <algorithm>
#include <charconv>

namespace hitless::llm {
namespace {

constexpr DurationMs kFirstMs = 500, kLongestMs = 8'000;
constexpr double kLongestAsked = 60'000;  // a server that asks for more is not waited for
constexpr double kJitter = 0.25;

std::optional<double> number(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key != name) continue;
    double found = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), found);
    if (error == std::errc() && end == value.data() + value.size() && found >= 0) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<DurationMs> retry_after(int status, const Headers& headers, int attempt,
                                      double random) {
  const bool again =
      status == 0 || status == 408 || status == 409 || status == 429 || status >= 500;
  if (!again || attempt >= kMaxRetries) return std::nullopt;
  std::optional<double> asked = number(headers, "retry-after-ms");
  if (!asked) {
    asked = number(headers, "retry-after");
    if (asked) *asked *= 1000;
  }
  if (asked) {
    if (*asked > kLongestAsked) return std::nullopt;
    return static_cast<DurationMs>(*asked);
  }
  DurationMs wait = kFirstMs;
  for (int i = 0; i < attempt && wait < kLongestMs; ++i) wait *= 2;
  wait = std::min(wait, kLongestMs);
  return static_cast<DurationMs>(static_cast<double>(wait) *
                                 (1.0 - kJitter * std::clamp(random, 0.0, 1.0)));
}

}  // namespace hitless::llm
