#include "adapters/traffic/host_pool.hpp"

namespace hitless {
namespace {

using core::InstanceId;

class HostPool final : public ports::Traffic {
 public:
  HostPool(ports::Traffic* pool, HostTargets targets) : pool_(pool), targets_(std::move(targets)) {
    for (const auto& [host, target] : targets_) hosts_[target] = host;
  }

  std::string describe() const override { return pool_->describe(); }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    co_return co_await pool_->capabilities();
  }

  Task<std::vector<core::TargetReport>> read() override {
    std::vector<core::TargetReport> reports = co_await pool_->read();
    std::vector<core::TargetReport> of_hosts;
    for (core::TargetReport& report : reports) {
      const auto host = hosts_.find(report.instance);
      if (host == hosts_.end()) continue;
      report.instance = host->second;
      of_hosts.push_back(std::move(report));
    }
    co_return of_hosts;
  }

  Task<Status> drain(InstanceId host) override {
    const auto target = targets_.find(host);
    if (target == targets_.end()) co_return Status{};
    co_return co_await pool_->drain(target->second);
  }
  Task<Status> rejoin(InstanceId host) override {
    const auto target = targets_.find(host);
    if (target == targets_.end()) co_return Status{};
    co_return co_await pool_->rejoin(target->second);
  }
  Task<Status> close_remaining(InstanceId host) override {
    const auto target = targets_.find(host);
    if (target == targets_.end()) co_return Status{};
    co_return co_await pool_->close_remaining(target->second);
  }
  Task<std::vector<int>> check_ports(InstanceId host) override {
    const auto target = targets_.find(host);
    if (target == targets_.end()) co_return std::vector<int>{};
    co_return co_await pool_->check_ports(target->second);
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return co_await pool_->counters();
  }
  DurationMs counter_lag_ms() const override { return pool_->counter_lag_ms(); }
  void expire() override { pool_->expire(); }
  bool has_counters() const override { return pool_->has_counters(); }

 private:
  ports::Traffic* pool_;
  HostTargets targets_;
  std::map<InstanceId, InstanceId> hosts_;
};

}  // namespace

std::unique_ptr<ports::Traffic> make_host_pool(ports::Traffic& pool, HostTargets targets) {
  return std::make_unique<HostPool>(&pool, std::move(targets));
}

}  // namespace hitless
