// One instance looked at in all load balancers. A pool can only be read as a whole, so who asks at
// the same time shares a reading: a hundred that are looked at at once cost two readings and not a
// hundred times a hundred reports. Between two readings is a pause, so that large pools share more.
//
// Invariant: the reading that is shared begins after each of its callers asked.
#pragma once
#include <memory>
#include <optional>
#include <span>

#include "engine/traffic_ops.hpp"

namespace hitless::engine {

// A large pool is not read again without a break. None for up to 99 instances.
[[nodiscard]] DurationMs least_pause_ms(const ServiceParts& parts);

// As read_traffic() without host counts.
Task<std::shared_ptr<const FullReading>> read_shared(const ServiceParts* parts);

struct InstanceReading {
  std::shared_ptr<const FullReading> all;
  core::TargetReading mine;          // with the sockets on its host, when asked for
  std::optional<Error> count_error;  // why these could not be counted
  [[nodiscard]] std::span<const core::TargetReport> reports(const core::InstanceId& id) const;
};
Task<InstanceReading> look_at(const ServiceParts* parts, const InstanceParts* instance,
                              bool count_sockets);

}  // namespace hitless::engine
