#include "witness/noise.hpp"

#include <algorithm>
#include <cmath>

namespace hitless::witness {

double chance_of_as_many(Rate before, Rate now) {
  if (now.events <= 0) return 1.0;
  if (before.exposure <= 0 || now.exposure <= 0) return 0.0;
  const double share = static_cast<double>(now.exposure) /
                       (static_cast<double>(now.exposure) + static_cast<double>(before.exposure));
  const auto n = static_cast<double>(before.events + now.events);
  const double all = std::lgamma(n + 1);
  double sum = 0;
  for (std::int64_t i = now.events; i <= before.events + now.events; ++i) {
    const auto k = static_cast<double>(i);
    sum += std::exp(all - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(share) +
                    (n - k) * std::log1p(-share));
  }
  return std::min(sum, 1.0);
}

bool more_than_before(Rate before, Rate now, double false_alarm) {
  if (now.events <= 0) return false;
  return before.events == 0 || chance_of_as_many(before, now) < false_alarm;
}

}  // namespace hitless::witness
