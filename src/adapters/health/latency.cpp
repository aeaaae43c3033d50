#include "adapters/health/latency.hpp"

#include <algorithm>
#include <chrono>

namespace hitless {
namespace {

constexpr int max_samples = 1000;

// The smallest value that at least `percent` of all do not exceed.
std::int64_t nearest_rank(const std::vector<std::int64_t>& sorted, std::size_t percent) {
  const std::size_t rank = (sorted.size() * percent + 99) / 100;
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

Task<core::LatencyBaseline> measure_latency(ports::Health& health, int samples,
                                            DurationMs budget_ms) {
  std::vector<std::int64_t> latencies;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(budget_ms);
  for (int i = 0; i < std::min(samples, max_samples); ++i) {
    if (std::chrono::steady_clock::now() >= end) break;
    const core::HealthReading reading = co_await health.probe();
    if (reading.status == core::HealthStatus::pass) latencies.push_back(reading.latency_us);
  }
  core::LatencyBaseline baseline;
  if (latencies.empty()) co_return baseline;
  std::sort(latencies.begin(), latencies.end());
  baseline.samples = static_cast<std::int64_t>(latencies.size());
  baseline.median_us = nearest_rank(latencies, 50);
  baseline.p95_us = nearest_rank(latencies, 95);
  co_return baseline;
}

}  // namespace hitless
