#include "engine/guard.hpp"

#include <algorithm>

#include "base/time.hpp"
#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kKeepIntervalMs = 10'000;
constexpr DurationMs kKeepDeadlineMs = 10'000;
constexpr DurationMs kTakeDeadlineMs = 30'000;
constexpr DurationMs kCheckDeadlineMs = 5'000;
constexpr DurationMs kArmDeadlineMs = 15'000;
constexpr DurationMs kStopWaitMs = 10'000;
// The instance is back or flagged this long after its drain's end, plus the timer's own accuracy.
constexpr DurationMs kWatchdogMarginMs = 45'000;

}  // namespace

// Outlives the guard until the loop has seen `stop`.
struct Guard::Keeping {
  GuardParts parts;
  std::int64_t epoch = 0;
  DurationMs interval_ms = kKeepIntervalMs;
  std::function<std::vector<Out>()> out;
  std::function<void(Error)> on_lost;
  bool stop = false, ended = false;
  Signal changed, over;
  AsyncMutex timers;  // arming again and disarming exclude each other
  std::vector<core::InstanceId> to_disarm;

  Task<void> arm_again(core::InstanceId instance);
  Task<void> disarm_all();
};

namespace {

ports::WatchdogOrder order_of(const GuardParts& parts, std::int64_t epoch, const Guard::Out& out) {
  return {out.instance, parts.claimant.rollout, epoch, out.drain_left_ms + kWatchdogMarginMs};
}

}  // namespace

// It may have gone back since the round began: asked anew under the lock.
Task<void> Guard::Keeping::arm_again(core::InstanceId instance) {
  const AsyncMutex::Guard lock = co_await timers.lock();
  for (const Out& now : out()) {
    if (now.instance != instance || stop) continue;
    (void)co_await with_timeout(parts.watchdog->arm(order_of(parts, epoch, now)), kArmDeadlineMs,
                                "arming the watchdog again");
    co_return;
  }
}

Task<void> Guard::Keeping::disarm_all() {
  for (const core::InstanceId& id : std::exchange(to_disarm, {})) {
    const AsyncMutex::Guard lock = co_await timers.lock();
    (void)co_await with_timeout(parts.watchdog->disarm(id, epoch), kArmDeadlineMs,
                                "disarming the watchdog");
  }
}

Guard::~Guard() {
  if (keeping_) keeping_->stop = true;
}

Task<Result<std::int64_t>> Guard::take(std::int64_t at_least) {
  epoch_ = at_least + 1;
  if (parts_.coordination == nullptr) co_return epoch_;
  auto lease = co_await with_timeout(parts_.coordination->acquire(parts_.claimant, at_least),
                                     kTakeDeadlineMs, "taking the lease");
  if (!lease) co_return tl::unexpected<Error>(lease.error());
  epoch_ = lease->epoch;
  ttl_ms_ = lease->ttl_ms;
  co_return epoch_;
}

Task<void> Guard::keep(std::function<std::vector<Out>()> out, std::function<void(Error)> on_lost) {
  if (parts_.coordination == nullptr && parts_.watchdog == nullptr) co_return;
  keeping_ = std::make_shared<Keeping>();
  keeping_->parts = parts_;
  keeping_->epoch = epoch_;
  if (ttl_ms_ > 0) keeping_->interval_ms = std::min(kKeepIntervalMs, ttl_ms_ / 3);
  keeping_->out = std::move(out);
  keeping_->on_lost = std::move(on_lost);
  co_await detach(keep_loop(keeping_));
}

Task<void> Guard::keep_loop(std::shared_ptr<Keeping> keeping) {
  DurationMs next = steady_now_ms() + keeping->interval_ms;
  while (!keeping->stop) {
    const DurationMs left = std::max<DurationMs>(next - steady_now_ms(), 0);
    (void)co_await keeping->changed.wait_for(left);
    co_await keeping->disarm_all();
    if (keeping->stop) break;
    if (steady_now_ms() < next) continue;
    next = steady_now_ms() + keeping->interval_ms;
    if (keeping->parts.coordination != nullptr) {
      auto renewed = co_await with_timeout(keeping->parts.coordination->renew(), kKeepDeadlineMs,
                                           "renewing the lease");
      // What could not be reached is fenced all the same; only a refusal says that it is lost.
      if (!renewed && renewed.error().code == ErrorCode::refused && !keeping->stop) {
        keeping->on_lost(renewed.error());
        break;
      }
    }
    if (keeping->parts.watchdog == nullptr || keeping->stop) continue;
    for (const Out& out : keeping->out()) {
      if (!keeping->stop) co_await keeping->arm_again(out.instance);
    }
  }
  co_await keeping->disarm_all();
  keeping->ended = true;
  keeping->over.notify();
}

void Guard::disarm_soon(core::InstanceId instance) {
  if (parts_.watchdog == nullptr || !keeping_) return;
  keeping_->to_disarm.push_back(std::move(instance));
  keeping_->changed.notify();
}

Task<void> Guard::stop() {
  if (keeping_) {
    keeping_->stop = true;
    keeping_->changed.notify();
    const TimeMs end = steady_now_ms() + kStopWaitMs;
    while (!keeping_->ended && steady_now_ms() < end) (void)co_await keeping_->over.wait_for(100);
  }
  if (parts_.coordination != nullptr && ttl_ms_ > 0) {
    (void)co_await with_timeout(parts_.coordination->release(), kKeepDeadlineMs,
                                "giving the lease back");
  }
}

Task<Status> Guard::check(core::InstanceId instance) {
  if (parts_.coordination == nullptr) co_return Status{};
  co_return co_await with_timeout(parts_.coordination->check(std::move(instance), epoch_),
                                  kCheckDeadlineMs, "asking whether our lease still holds");
}

Task<Status> Guard::arm(Out out) {
  if (parts_.watchdog == nullptr || !keeping_) co_return Status{};
  const AsyncMutex::Guard lock = co_await keeping_->timers.lock();
  co_return co_await with_timeout(parts_.watchdog->arm(order_of(parts_, epoch_, out)),
                                  kArmDeadlineMs, "arming the watchdog");
}

Task<void> Guard::disarm(core::InstanceId instance) {
  if (parts_.watchdog == nullptr || !keeping_) co_return;
  const AsyncMutex::Guard lock = co_await keeping_->timers.lock();
  (void)co_await with_timeout(parts_.watchdog->disarm(std::move(instance), epoch_), kArmDeadlineMs,
                              "disarming the watchdog");
}

Task<std::vector<core::Event>> Guard::alarms() {
  std::vector<core::Event> told;
  if (parts_.watchdog == nullptr) co_return told;
  auto alarms = co_await with_timeout(parts_.watchdog->alarms(), kArmDeadlineMs,
                                      "asking the hosts for watchdog alarms");
  if (!alarms) co_return told;  // a host that cannot be asked keeps them
  for (const ports::WatchdogAlarm& alarm : *alarms) {
    told.push_back(core::Noted{
        alarm.instance, "the watchdog of " + alarm.rollout + " fired on " + alarm.at + " at " +
                            format_timestamp(alarm.fired_at) + ": " + alarm.what});
    alarmed_.push_back(alarm.instance);
  }
  co_return told;
}

Task<void> Guard::clear_alarms() {
  for (const core::InstanceId& id : std::exchange(alarmed_, {})) {
    (void)co_await with_timeout(parts_.watchdog->clear_alarms(id), kArmDeadlineMs,
                                "clearing watchdog alarms");
  }
}

}  // namespace hitless::engine
