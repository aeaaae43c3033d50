#include "engine/shared_reading.hpp"

#include <algorithm>
#include <map>

#include "engine/check_sockets.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kLookAgainMs = 100;  // a wake-up is never lost; this is for who must begin

// Reading a pool is work for its size: 10 ms for up to 1,000 instances, 100 ms for 10,000.
constexpr std::size_t kInstancesPerMs = 100;

// What the callers of one reading wait for.
struct Round {
  std::shared_ptr<const FullReading> reading;
  Signal done;
};

// Readings of one service: at most one is under way, and one waits to begin.
struct Rounds {
  bool under_way = false;
  TimeMs ended_at = 0;  // the last one; on the steady clock
  std::shared_ptr<Round> next;
};

// The shell runs on one thread. An entry that is left behind is at rest and holds nothing.
std::shared_ptr<Rounds> rounds_of(const ServiceParts* parts) {
  static std::map<const ServiceParts*, std::shared_ptr<Rounds>> all;
  auto& rounds = all[parts];
  if (!rounds) rounds = std::make_shared<Rounds>();
  return rounds;
}

// Also when the one who reads is cancelled: another of its round goes on then.
struct UnderWay {
  UnderWay(std::shared_ptr<Rounds> of, std::shared_ptr<Round> its)
      : rounds(std::move(of)), round(std::move(its)) {
    rounds->under_way = true;
  }
  void begin() const {
    if (rounds->next == round) rounds->next.reset();  // who comes from now on is too late for it
  }
  ~UnderWay() {
    begin();
    rounds->under_way = false;
    rounds->ended_at = steady_now_ms();
    round->done.notify();
    if (rounds->next) rounds->next->done.notify();
  }
  UnderWay(const UnderWay&) = delete;
  std::shared_ptr<Rounds> rounds;
  std::shared_ptr<Round> round;
};

Task<void> read_into(const ServiceParts* parts, std::shared_ptr<const FullReading>* out) {
  *out = co_await read_shared(parts);
}

Task<void> count_into(const InstanceParts* instance, Result<std::int64_t>* out) {
  *out = co_await count_sockets(instance);
}

}  // namespace

DurationMs least_pause_ms(const ServiceParts& parts) {
  return static_cast<DurationMs>(parts.instances.size() / kInstancesPerMs);
}

Task<std::shared_ptr<const FullReading>> read_shared(const ServiceParts* parts) {
  const std::shared_ptr<Rounds> rounds = rounds_of(parts);
  if (!rounds->next) rounds->next = std::make_shared<Round>();
  const std::shared_ptr<Round> mine = rounds->next;
  while (!mine->reading) {
    if (rounds->under_way) {
      (void)co_await mine->done.wait_for(kLookAgainMs);
      continue;
    }
    const UnderWay reading(rounds, mine);
    const DurationMs pause = rounds->ended_at + least_pause_ms(*parts) - steady_now_ms();
    if (pause > 0) co_await sleep_for(pause);
    reading.begin();
    mine->reading = std::make_shared<const FullReading>(co_await read_traffic(parts));
  }
  co_return mine->reading;
}

std::span<const core::TargetReport> InstanceReading::reports(const core::InstanceId& id) const {
  const auto of_id = std::ranges::equal_range(all->reports, id, {}, &core::TargetReport::instance);
  return {of_id.begin(), of_id.end()};
}

Task<InstanceReading> look_at(const ServiceParts* parts, const InstanceParts* instance,
                              bool count_sockets) {
  InstanceReading result;
  Result<std::int64_t> count = fail(ErrorCode::internal, "not asked");
  const bool counts = count_sockets && instance->port != 0;
  std::vector<Task<void>> looks;
  looks.push_back(read_into(parts, &result.all));
  if (counts) looks.push_back(count_into(instance, &count));
  co_await join_all(std::move(looks));
  result.mine = result.all->merged.at(instance->id);
  if (!counts) co_return result;
  if (count) {
    result.mine.host_connections = *count;
    CheckSockets nothing;
    co_await leave_out_checks(parts, instance, &nothing, &result.mine);
  } else {
    result.count_error = count.error();
  }
  co_return result;
}

}  // namespace hitless::engine
