#include "engine/traffic_ops.hpp"

#include <algorithm>
#include <tuple>

#include "core/traffic.hpp"
#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kReadDeadlineMs = 3'000;
constexpr DurationMs kHostCountDeadlineMs = 3'000;

Task<Result<std::vector<core::TargetReport>>> read_pool(ports::Traffic* pool) {
  co_return co_await pool->read();
}

std::vector<core::TargetReport> all_unknown(const ServiceParts& parts, const ports::Traffic& pool,
                                            const std::string& why) {
  std::vector<core::TargetReport> reports;
  for (const InstanceParts& instance : parts.instances) {
    core::TargetReport report;
    report.instance = instance.id;
    report.pool = pool.describe();
    report.note = why;
    reports.push_back(std::move(report));
  }
  return reports;
}

Task<void> read_one_pool(const ServiceParts* parts, ports::Traffic* pool,
                         std::vector<core::TargetReport>* out) {
  auto reports =
      co_await with_timeout(read_pool(pool), kReadDeadlineMs, "reading " + pool->describe());
  std::vector<core::TargetReport> got =
      reports ? std::move(*reports) : all_unknown(*parts, *pool, describe(reports.error()));
  out->insert(out->end(), std::make_move_iterator(got.begin()), std::make_move_iterator(got.end()));
}

template <class Op>
Task<Status> on_every_pool(const ServiceParts* parts, Op op) {
  // One after another: the first refusal stops it before more is changed.
  for (ports::Traffic* pool : parts->pools) {
    Status status = co_await op(pool);
    if (!status) co_return status;
  }
  co_return Status{};
}

}  // namespace

Task<Result<std::int64_t>> count_sockets(const InstanceParts* instance) {
  std::vector<int> ports = instance->also_ports;
  ports.push_back(instance->port);
  std::int64_t sum = 0;
  for (const int port : ports) {
    auto count = co_await with_timeout(instance->host->connections_on(port), kHostCountDeadlineMs,
                                       "counting sockets");
    if (!count) co_return count;
    sum += *count;
  }
  co_return sum;
}

Task<FullReading> read_traffic(const ServiceParts* parts) {
  FullReading result;
  std::vector<Task<void>> tasks;
  for (ports::Traffic* pool : parts->pools)
    tasks.push_back(read_one_pool(parts, pool, &result.reports));
  co_await join_all(std::move(tasks));

  // Grouped by instance where they are: a copy of each would double the cost of a large pool. One
  // pool on one node mostly comes in that order.
  const auto place = [](const core::TargetReport& report) {
    return std::tie(report.instance, report.pool, report.node);
  };
  if (!std::ranges::is_sorted(result.reports, {}, place))
    std::ranges::sort(result.reports, {}, place);
  for (const InstanceParts& instance : parts->instances) {
    const auto mine =
        std::ranges::equal_range(result.reports, instance.id, {}, &core::TargetReport::instance);
    core::TargetReading reading = core::merge(mine);
    result.merged.insert_or_assign(result.merged.end(), instance.id, std::move(reading));
  }
  co_return result;
}

Task<Status> drain_everywhere(const ServiceParts* parts, core::InstanceId id) {
  co_return co_await on_every_pool(parts, [id](ports::Traffic* pool) { return pool->drain(id); });
}

Task<Status> rejoin_everywhere(const ServiceParts* parts, core::InstanceId id) {
  co_return co_await on_every_pool(parts, [id](ports::Traffic* pool) { return pool->rejoin(id); });
}

Task<Status> close_remaining_everywhere(const ServiceParts* parts, core::InstanceId id) {
  co_return co_await on_every_pool(
      parts, [id](ports::Traffic* pool) { return pool->close_remaining(id); });
}

}  // namespace hitless::engine
