// When a request that failed is sent again. Pure.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace hitless::llm {

inline constexpr int kMaxRetries = 2;

using Headers = std::vector<std::pair<std::string, std::string>>;  // names in lower case

// status 0: no answer came. Empty: not again. `random` is from 0 to 1.
[[nodiscard]] std::optional<DurationMs> retry_after(int status, const Headers& headers, int attempt,
                                                    double random);

}  // namespace hitless::llm
