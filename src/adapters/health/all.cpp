// Several checks as one: it passes when all pass, fails when one fails, and takes as long as the
// slowest.
#include <algorithm>

#include "adapters/health/probes.hpp"

namespace hitless {
namespace {

Task<void> probe_into(ports::Health* check, core::HealthReading* out) {
  *out = co_await check->probe();
}

class AllHealth final : public ports::Health {
 public:
  explicit AllHealth(std::vector<NamedHealth> checks) : checks_(std::move(checks)) {}

  std::string describe() const override {
    std::string all;
    for (const NamedHealth& each : checks_)
      all += (all.empty() ? "" : ", ") + each.name + ": " + each.check->describe();
    return all;
  }

  Task<core::HealthReading> probe() override {
    std::vector<core::HealthReading> readings(checks_.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < readings.size(); ++i)
      tasks.push_back(probe_into(checks_[i].check, &readings[i]));
    co_await join_all(std::move(tasks));
    core::HealthReading all;
    all.status = core::HealthStatus::pass;
    std::string passed;
    for (std::size_t i = 0; i < readings.size(); ++i) {
      all.latency_us = std::max(all.latency_us, readings[i].latency_us);
      const std::string line = checks_[i].name + ": " + readings[i].evidence;
      passed += (passed.empty() ? "" : ", ") + line;
      const bool worse = readings[i].status == core::HealthStatus::fail
                             ? all.status != core::HealthStatus::fail
                             : readings[i].status == core::HealthStatus::unknown &&
                                   all.status == core::HealthStatus::pass;
      if (!worse) continue;
      all.status = readings[i].status;
      all.evidence = line;
    }
    if (all.status == core::HealthStatus::pass) all.evidence = passed;
    co_return all;
  }

 private:
  std::vector<NamedHealth> checks_;
};

}  // namespace

std::unique_ptr<ports::Health> make_all_health(std::vector<NamedHealth> checks) {
  return std::make_unique<AllHealth>(std::move(checks));
}

}  // namespace hitless
