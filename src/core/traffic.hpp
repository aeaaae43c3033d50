// Merging what several load balancer nodes and pools say about one instance into one reading.
// The worst news wins: one node that cannot be asked makes the whole reading unknown.
//
// A load balancer that counts no work (TargetReport::uncounted) adds nothing to the sums. The
// planner refuses such a pool without the host's own socket count, so that nobody takes "nothing
// counted" for "nothing there".
#pragma once
#include <span>

#include "core/types.hpp"

namespace hitless::core {

[[nodiscard]] TargetReading merge(std::span<const TargetReport> reports);

// It gets its share of the work now, as far as the load balancers say. Whoever only stands by for
// the others does not: it may be alone when they are gone, so no floor counts it.
[[nodiscard]] bool carries_load(const TargetReading& reading);

// Work that may still be going on at the instance, by the LB's count and, when it was taken, the
// host's own count less what the LB keeps idle. Empty: unknown.
[[nodiscard]] std::optional<std::int64_t> in_flight(const TargetReading& reading,
                                                    bool need_host_count);

}  // namespace hitless::core
