#include "adapters/traffic/node_pool.hpp"

#include <algorithm>

#include "adapters/traffic/every_node.hpp"
#include "base/text.hpp"

namespace hitless::traffic {

using core::AdminState;
using core::TargetReport;

NodePool::NodePool(PoolShape shape) : shape_(std::move(shape)) {
  for (std::size_t i = 0; i < shape_.nodes.size(); ++i)
    changing_.push_back(std::make_unique<AsyncMutex>());
}

std::string NodePool::describe() const {
  return pool_at(shape_.pool, shape_.nodes);
}

Error NodePool::at(std::size_t node, Error error) const {
  if (error.where.empty()) error.where = node_name(node);
  return error;
}

// ---- read ---------------------------------------------------------------------------------------
Task<std::vector<TargetReport>> NodePool::read_one(std::size_t node) {
  std::vector<TargetReport> reports;
  for (const core::InstanceId& member : shape_.members) {
    TargetReport report;
    report.instance = member;
    report.lb = shape_.lb;
    report.node = node_name(node);
    report.pool = shape_.pool;
    reports.push_back(std::move(report));
  }
  const std::vector<TargetReport> blank = reports;
  Status ok = shape_.config;
  if (ok) ok = co_await read_node(node, &reports);
  if (!ok) {
    reports = blank;
    for (TargetReport& report : reports) report.note = hitless::describe(at(node, ok.error()));
  }
  co_return reports;
}

Task<std::vector<TargetReport>> NodePool::read() {
  std::vector<Task<std::vector<TargetReport>>> reads;
  for (std::size_t i = 0; i < shape_.nodes.size(); ++i) reads.push_back(read_one(i));
  std::vector<TargetReport> known, all;
  for (auto& reports : co_await all_of(std::move(reads)))
    for (TargetReport& report : reports) {
      const bool counts = report.admin != AdminState::unknown && report.admin != AdminState::absent;
      (counts ? known : all).push_back(std::move(report));
    }
  co_await count_host_sockets(shape_.sockets, &known);
  all.insert(all.end(), std::make_move_iterator(known.begin()),
             std::make_move_iterator(known.end()));
  co_return all;
}

// ---- change -------------------------------------------------------------------------------------
Task<Status> NodePool::change(core::InstanceId target, bool in) {
  if (!shape_.config) co_return shape_.config;
  const auto found = std::ranges::find(shape_.members, target);
  if (found == shape_.members.end()) co_return not_in_pool(target, describe());
  const auto member = static_cast<std::size_t>(found - shape_.members.begin());
  std::vector<Task<Status>> steps;
  for (std::size_t i = 0; i < shape_.nodes.size(); ++i)
    steps.push_back(
        [](NodePool* self, std::size_t node, std::size_t which, bool into) -> Task<Status> {
          const AsyncMutex::Guard lock = co_await self->changing_[node]->lock();
          Status ok = co_await self->change_node(node, which, into);
          if (!ok) ok = tl::unexpected(self->at(node, ok.error()));
          co_return ok;
        }(this, i, member, in));
  co_return co_await all_steps(std::move(steps));
}

Task<Status> NodePool::close_remaining(core::InstanceId target) {
  co_return fail(ErrorCode::refused,
                 describe() + " cannot cut off the rest at " + escape_for_terminal(target.value),
                 shape_.lb, "use on_deadline: abort or wait");
}

// ---- capabilities and counters ------------------------------------------------------------------
Task<Result<ports::TrafficCapabilities>> NodePool::capabilities() {
  if (!shape_.config) co_return tl::unexpected(shape_.config.error());
  ports::TrafficCapabilities can;
  for (std::size_t i = 0; i < shape_.nodes.size(); ++i)
    if (auto ok = co_await add_capabilities(i, &can); !ok)
      co_return tl::unexpected(at(i, ok.error()));
  co_return can;
}

Task<Status> NodePool::count_node(std::size_t, ports::PoolCounters*) {
  co_return Status{};
}

Task<ports::PoolCounters> NodePool::count_one(std::size_t node) {
  ports::PoolCounters counters;
  Status ok = shape_.config;
  if (ok) ok = co_await count_node(node, &counters);
  if (!ok) {
    counters = {};
    counters.problem = hitless::describe(at(node, ok.error()));
  }
  counters.node = node_name(node);
  co_return counters;
}

Task<std::vector<ports::PoolCounters>> NodePool::counters() {
  std::vector<Task<ports::PoolCounters>> reads;
  for (std::size_t i = 0; i < shape_.nodes.size(); ++i) reads.push_back(count_one(i));
  co_return co_await all_of(std::move(reads));
}

}  // namespace hitless::traffic
