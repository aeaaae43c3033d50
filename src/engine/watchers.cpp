#include "engine/watchers.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/check_sockets.hpp"
#include "engine/shared_reading.hpp"
#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kObserveDeadlineMs = 5'000;
// How often pure counter changes are handed on; for large pools five readings apart.
constexpr DurationMs kCounterIntervalMs = 100;
constexpr DurationMs kReadingsPerCounters = 5;
constexpr DurationMs kStopDeadlineMs = 10'000;

using Count = std::optional<std::int64_t>;

// Equal but for the counters that rise with every request. Works in `now`, which is the same again
// afterwards: copying both would be most of the cost of a large pool.
bool same_but_counters(const core::TargetReading& last, core::TargetReading& now) {
  const bool serving = last.state == core::TargetState::in && now.state == core::TargetState::in;
  const std::tuple<Count, Count, Count, Count> kept{now.requests, now.errors, now.idle,
                                                    now.in_flight};
  std::tie(now.requests, now.errors, now.idle) = std::tie(last.requests, last.errors, last.idle);
  if (serving) now.in_flight = last.in_flight;  // only a draining one's count matters
  const bool same = last == now;
  std::tie(now.requests, now.errors, now.idle, now.in_flight) = kept;
  return same;
}

Task<Result<core::ServiceReading>> read_service(ports::Service* service, core::Action action,
                                                core::ServiceIdentity before) {
  co_return co_await service->verify(action, std::move(before));
}

Task<Result<core::HealthReading>> read_health(ports::Health* health) {
  co_return co_await health->probe();
}

}  // namespace

struct WatchShared {
  const ServiceParts* parts;
  Watchers::Emit emit;
  int running = 0;
  Signal ended;
  std::map<core::InstanceId, core::TargetReading> traffic;
  // forget() in order: a reading that began before the last one of its instance is void.
  std::int64_t forgets = 0;
  std::map<core::InstanceId, std::int64_t> forgotten;
  [[nodiscard]] bool is_void(const core::InstanceId& id, std::int64_t began) const {
    const auto last = forgotten.find(id);
    return last != forgotten.end() && last->second > began;
  }
  std::map<core::InstanceId, CheckSockets> checks;
  std::map<core::InstanceId, core::ServiceReading> service;
  TimeMs counters_at = 0;
  std::set<core::InstanceId> expected;  // whose first request since an effect is waited for
};

struct WatchLoop {
  core::Watch watch;
  bool stop = false;
  Signal changed;
};

Watchers::Watchers(const ServiceParts* parts, Emit emit)
    : shared_(std::make_shared<WatchShared>()) {
  shared_->parts = parts;
  shared_->emit = std::move(emit);
}

Watchers::~Watchers() {
  for (auto& [key, loop] : loops_) loop->stop = true;
  shared_->emit = [](core::Event) {};
}

void Watchers::forget(const core::InstanceId& id) {
  shared_->traffic.erase(id);
  shared_->forgotten[id] = ++shared_->forgets;
  shared_->checks.erase(id);
  shared_->service.erase(id);
  shared_->expected.insert(id);
}

void Watchers::look_now(core::WatchKind kind, const core::InstanceId& id) {
  for (auto& [key, loop] : loops_) {
    const bool shows_it = kind == core::WatchKind::traffic || key.second == id;
    if (key.first == kind && shows_it) loop->changed.notify();
  }
}

namespace {

Task<void> read_into(const ServiceParts* parts, std::shared_ptr<const FullReading>* out) {
  *out = co_await read_shared(parts);
}

Task<void> count_into(const InstanceParts* instance, std::optional<std::int64_t>* out) {
  if (auto count = co_await count_sockets(instance)) *out = *count;
}

// Whoever is forgotten meanwhile gets no memory back: what it had may be of before an effect.
Task<void> leave_out_checks_of(std::shared_ptr<WatchShared> shared, core::InstanceId id,
                               core::TargetReading merged, std::optional<std::int64_t>* count) {
  CheckSockets memory = shared->checks[id];
  const std::int64_t began = shared->forgets;
  merged.host_connections = *count;
  co_await leave_out_checks(shared->parts, shared->parts->instances.find(id), &memory, &merged);
  *count = merged.host_connections;
  if (!shared->is_void(id, began)) shared->checks[id] = std::move(memory);
}

Task<void> observe_traffic(std::shared_ptr<WatchShared> shared, core::Watch watch) {
  const std::int64_t began = shared->forgets;
  std::shared_ptr<const FullReading> reading;
  std::map<core::InstanceId, std::optional<std::int64_t>> counts;
  std::vector<Task<void>> looks;
  looks.push_back(read_into(shared->parts, &reading));
  for (const core::InstanceId& id : watch.host_counts) {
    const InstanceParts* instance = shared->parts->instances.find(id);
    if (instance != nullptr && instance->port != 0)
      looks.push_back(count_into(instance, &counts[id]));
  }
  co_await join_all(std::move(looks));
  std::vector<Task<void>> closer;
  for (auto& [id, count] : counts) {
    if (const auto merged = reading->merged.find(id); count && merged != reading->merged.end())
      closer.push_back(leave_out_checks_of(shared, id, merged->second, &count));
  }
  co_await join_all(std::move(closer));
  const TimeMs now = steady_now_ms();
  const DurationMs interval = std::max<DurationMs>(
      kCounterIntervalMs, kReadingsPerCounters * least_pause_ms(*shared->parts));
  const bool counters_due = watch.counters && now - shared->counters_at >= interval;
  if (counters_due) shared->counters_at = now;
  core::TrafficSeen seen;
  for (const auto& [id, in_pools] : reading->merged) {
    // It was read while an effect on this instance was under way: it may be of before or after.
    if (shared->is_void(id, began)) continue;
    core::TargetReading merged = in_pools;
    if (const auto count = counts.find(id); count != counts.end())
      merged.host_connections = count->second;
    const auto last = shared->traffic.find(id);
    const bool is_new = last == shared->traffic.end();
    const bool due = counters_due || (watch.counters && shared->expected.count(id) != 0);
    if (!is_new && (due ? last->second == merged : same_but_counters(last->second, merged)))
      continue;
    if (!is_new && watch.counters) shared->expected.erase(id);
    shared->traffic[id] = merged;
    seen.readings.emplace_back(id, std::move(merged));
  }
  if (!seen.readings.empty()) shared->emit(std::move(seen));
}

Task<void> observe_service(std::shared_ptr<WatchShared> shared, core::Watch watch) {
  const InstanceParts* instance = shared->parts->instances.find(watch.instance);
  if (instance == nullptr) co_return;
  const std::int64_t began = shared->forgets;
  auto reading = co_await with_timeout(read_service(instance->service, watch.action, watch.before),
                                       kObserveDeadlineMs, "asking for the service");
  if (shared->is_void(watch.instance, began)) co_return;
  core::ServiceReading value;
  if (reading) {
    value = std::move(*reading);
  } else {
    value.evidence = describe(reading.error());
  }
  const auto last = shared->service.find(watch.instance);
  if (last != shared->service.end() && last->second == value) co_return;
  shared->service[watch.instance] = value;
  shared->emit(core::ServiceSeen{watch.instance, std::move(value)});
}

Task<void> observe_health(std::shared_ptr<WatchShared> shared, core::Watch watch) {
  const InstanceParts* instance = shared->parts->instances.find(watch.instance);
  if (instance == nullptr || instance->health == nullptr) co_return;
  const std::int64_t began = shared->forgets;
  auto reading =
      co_await with_timeout(read_health(instance->health), kObserveDeadlineMs, "health probe");
  if (shared->is_void(watch.instance, began)) co_return;
  core::HealthReading value;
  if (reading) {
    value = std::move(*reading);
  } else {
    value.evidence = describe(reading.error());
  }
  shared->emit(core::HealthSeen{watch.instance, std::move(value)});
}

Task<void> observe_once(std::shared_ptr<WatchShared> shared, core::Watch watch) {
  switch (watch.kind) {
    case core::WatchKind::traffic:
      co_await observe_traffic(std::move(shared), std::move(watch));
      break;
    case core::WatchKind::service:
      co_await observe_service(std::move(shared), std::move(watch));
      break;
    case core::WatchKind::health:
      co_await observe_health(std::move(shared), std::move(watch));
      break;
  }
}

// Whatever is asked for in between: a large pool is not read without a break.
DurationMs least_pause(const WatchShared& shared, const core::Watch& watch) {
  return watch.kind == core::WatchKind::traffic ? least_pause_ms(*shared.parts) : 0;
}

Task<void> run_loop_of(std::shared_ptr<WatchShared> shared, std::shared_ptr<WatchLoop> loop) {
  while (!loop->stop) {
    co_await observe_once(shared, loop->watch);
    if (loop->stop) break;
    const DurationMs least = least_pause(*shared, loop->watch);
    if (least > 0) co_await sleep_for(least);
    if (!loop->stop)
      (void)co_await loop->changed.wait_for(
          std::max<DurationMs>(loop->watch.interval_ms - least, 0));
  }
  --shared->running;
  shared->ended.notify();
}

}  // namespace

Task<void> Watchers::keep(std::vector<core::Watch> wanted) {
  std::map<std::pair<core::WatchKind, core::InstanceId>, std::shared_ptr<WatchLoop>> kept;
  for (core::Watch& watch : wanted) {
    const auto key = std::make_pair(watch.kind, watch.instance);
    if (const auto it = loops_.find(key); it != loops_.end()) {
      const bool sooner = watch.interval_ms < it->second->watch.interval_ms;
      const bool more = watch.host_counts.size() > it->second->watch.host_counts.size();
      it->second->watch = std::move(watch);
      if (sooner || more) it->second->changed.notify();
      kept[key] = it->second;
      continue;
    }
    auto loop = std::make_shared<WatchLoop>();
    loop->watch = std::move(watch);
    ++shared_->running;
    if (key.first == core::WatchKind::service) shared_->service.erase(key.second);
    co_await detach(run_loop_of(shared_, loop));
    kept[key] = std::move(loop);
  }
  for (auto& [key, loop] : loops_) {
    if (kept.count(key) != 0) continue;
    loop->stop = true;
    loop->changed.notify();
  }
  loops_ = std::move(kept);
}

Task<void> Watchers::stop() {
  for (auto& [key, loop] : loops_) {
    loop->stop = true;
    loop->changed.notify();
  }
  loops_.clear();
  const TimeMs end = steady_now_ms() + kStopDeadlineMs;
  while (shared_->running > 0 && steady_now_ms() < end) (void)co_await shared_->ended.wait_for(500);
}

}  // namespace hitless::engine
