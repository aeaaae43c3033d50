// Is it more than before? Exact tests on counts, no approximations: the numbers are small.
#pragma once
#include <cstdint>

namespace hitless::witness {

struct Rate {
  std::int64_t events = 0;
  std::int64_t exposure = 0;  // requests, or milliseconds
};

// The chance of at least so many events now, if the rate were the same as before: given their sum,
// the events now are binomial with n_now / (n_now + n_before). Nothing now: 1. No exposure before:
// 0 when there is any event now, because nothing is known of the rate.
[[nodiscard]] double chance_of_as_many(Rate before, Rate now);

// Events that were never seen before count as more, however few: a rate of 0 explains nothing.
[[nodiscard]] bool more_than_before(Rate before, Rate now, double false_alarm);

}  // namespace hitless::witness
