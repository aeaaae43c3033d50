#include <chrono>

#include "adapters/health/address.hpp"
#include "adapters/health/probes.hpp"
#include "base/text.hpp"

namespace hitless {
namespace health {
namespace {

using core::HealthReading;
using core::HealthStatus;

class TcpProbe final : public ports::Health {
 public:
  explicit TcpProbe(TcpHealth config)
      : config_(std::move(config)), where_(parse_host_port(config_.target)) {}

  [[nodiscard]] std::string describe() const override {
    return "TCP " + escape_for_terminal(truncate_utf8(config_.target, 200));
  }

  Task<HealthReading> probe() override {
    HealthReading out;
    if (!where_) {
      out.evidence = where_.error().what;
      co_return out;
    }
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(config_.timeout_ms);
    auto addresses = co_await resolve(where_->host, config_.allow_link_local, config_.timeout_ms);
    if (!addresses) {
      out.evidence = addresses.error().what;
      co_return out;
    }
    out.status = HealthStatus::fail;
    out.evidence = describe() + " → no answer within " + format_duration(config_.timeout_ms);
    for (const std::string& address : *addresses) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                            end - std::chrono::steady_clock::now())
                            .count();
      if (left <= 0) break;
      const Connect got = co_await try_connect({address, where_->port}, left);
      out.latency_us = got.latency_us;
      if (got.outcome == ConnectOutcome::timed_out) continue;
      out.evidence = describe() + " → " +
                     (got.outcome == ConnectOutcome::connected ? "connected" : got.message);
      out.status = got.outcome == ConnectOutcome::connected ? HealthStatus::pass
                   : got.outcome == ConnectOutcome::refused ? HealthStatus::fail
                                                            : HealthStatus::unknown;
      if (out.status == HealthStatus::pass) break;
    }
    co_return out;
  }

 private:
  TcpHealth config_;
  Result<HostPort> where_;
};

}  // namespace
}  // namespace health

std::unique_ptr<ports::Health> make_tcp_health(TcpHealth config) {
  return std::make_unique<health::TcpProbe>(std::move(config));
}

}  // namespace hitless
