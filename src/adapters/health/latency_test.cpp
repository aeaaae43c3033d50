#include "adapters/health/latency.hpp"

#include <gtest/gtest.h>

namespace hitless {
namespace {

using core::HealthStatus;

// Gives the readings that it was told to, one after another; the last one for ever.
class Scripted final : public ports::Health {
 public:
  explicit Scripted(std::vector<core::HealthReading> readings) : readings_(std::move(readings)) {}
  [[nodiscard]] std::string describe() const override { return "scripted"; }
  Task<core::HealthReading> probe() override {
    co_await sleep_for(0);
    co_return readings_[std::min(calls++, readings_.size() - 1)];
  }
  std::size_t calls = 0;

 private:
  std::vector<core::HealthReading> readings_;
};

core::LatencyBaseline measure(Scripted& health, int samples, DurationMs budget_ms = 60'000) {
  core::LatencyBaseline result;
  run_until_done(
      [&]() -> Task<void> { result = co_await measure_latency(health, samples, budget_ms); });
  return result;
}

TEST(Latency, MedianAndNearestRankP95OfThePasses) {
  std::vector<core::HealthReading> readings;
  for (int i = 20; i >= 1; --i) {
    readings.push_back({HealthStatus::pass, i * 100, ""});
    readings.push_back({HealthStatus::fail, 999'999, ""});
    readings.push_back({HealthStatus::unknown, 999'999, ""});
  }
  Scripted health(readings);
  const auto baseline = measure(health, 60);
  EXPECT_EQ(baseline.samples, 20);
  EXPECT_EQ(baseline.median_us, 1000);
  EXPECT_EQ(baseline.p95_us, 1900);
  Scripted one({{HealthStatus::pass, 7, ""}});
  EXPECT_EQ(measure(one, 1).p95_us, 7);
}

TEST(Latency, NothingPassedIsNothingMeasured) {
  Scripted health({{HealthStatus::fail, 5, ""}});
  const auto baseline = measure(health, 10);
  EXPECT_EQ(baseline.samples, 0);
  EXPECT_EQ(baseline.median_us, 0);
  EXPECT_EQ(health.calls, 10u);
}

TEST(Latency, StartsNoProbeAfterTheBudget) {
  Scripted health({{HealthStatus::pass, 5, ""}});
  EXPECT_EQ(measure(health, 10, 0).samples, 0);
  EXPECT_EQ(health.calls, 0u);
  EXPECT_EQ(measure(health, 1'000'000).samples, 1000) << "capped";
}

}  // namespace
}  // namespace hitless
