#include <algorithm>

#include "engine/preflight.hpp"

namespace hitless::engine {

Task<core::LatencyBaseline> measure_baseline(ports::Health* health, std::int64_t samples,
                                             DurationMs budget_ms) {
  std::vector<std::int64_t> latencies;
  const TimeMs end = steady_now_ms() + budget_ms;
  // The first one opens caches on the way and is not counted.
  if (samples > 0) (void)co_await health->probe();
  for (std::int64_t i = 0; i < samples && steady_now_ms() < end; ++i) {
    const core::HealthReading reading = co_await health->probe();
    if (reading.status == core::HealthStatus::pass) latencies.push_back(reading.latency_us);
  }
  core::LatencyBaseline baseline;
  baseline.samples = static_cast<std::int64_t>(latencies.size());
  if (latencies.empty()) co_return baseline;
  std::sort(latencies.begin(), latencies.end());
  baseline.median_us = latencies[latencies.size() / 2];
  baseline.p95_us = latencies[latencies.size() * 95 / 100];
  co_return baseline;
}

}  // namespace hitless::engine
