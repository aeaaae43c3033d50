#include "engine/guard.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

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
// For so much less of the margin a timer that was armed ahead is good enough: so long its instance
// may wait for its turn before it is armed again.
constexpr DurationMs kAheadMs = 15'000;
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
  bool stop = false, ended = false, settled = false, forgetting = false;
  Signal changed, over;
  std::map<core::InstanceId, AsyncMutex> timers;   // arming and disarming one exclude each other
  std::set<core::InstanceId> to_disarm;            // it is back
  std::map<core::InstanceId, TimeMs> armed_until;  // on the steady clock
  // Armed for a drain that has not come yet, and how long that may take. None: by a controller that
  // is gone, perhaps.
  std::map<core::InstanceId, std::optional<DurationMs>> ahead;
  std::set<core::InstanceId> arming;  // of these, in the background just now

  [[nodiscard]] bool lasts(const Out& what) const;
  Task<Status> arm(Out what);

  Task<void> arm_again(core::InstanceId instance);
  Task<void> disarm(core::InstanceId instance);
  Task<void> forget(core::InstanceId id);
  Task<void> forget_all(std::set<core::InstanceId> whom);
  [[nodiscard]] std::set<core::InstanceId> let_go(bool also_ahead) const;
  Task<void> keep_ahead();
};

namespace {

ports::WatchdogOrder order_of(const GuardParts& parts, std::int64_t epoch, const Guard::Out& out) {
  return {out.instance, parts.claimant.rollout, epoch, out.drain_left_ms + kWatchdogMarginMs};
}

}  // namespace

bool Guard::Keeping::lasts(const Out& what) const {
  const auto armed = armed_until.find(what.instance);
  return armed != armed_until.end() &&
         armed->second >= steady_now_ms() + what.drain_left_ms + kWatchdogMarginMs - kAheadMs;
}

// Under the lock. What is not known to have been armed counts as not armed.
Task<Status> Guard::Keeping::arm(Out what) {
  const TimeMs until = steady_now_ms() + order_of(parts, epoch, what).after_ms;
  armed_until.erase(what.instance);
  Status armed = co_await with_timeout(parts.watchdog->arm(order_of(parts, epoch, what)),
                                       kArmDeadlineMs, "arming the watchdog");
  if (armed) armed_until[what.instance] = until;
  co_return armed;
}

// Under the lock.
Task<void> Guard::Keeping::disarm(core::InstanceId instance) {
  armed_until.erase(instance);
  (void)co_await with_timeout(parts.watchdog->disarm(std::move(instance), epoch), kArmDeadlineMs,
                              "disarming the watchdog");
}

// Not whom a drain came for in the meantime: asked anew under the lock. Of two that do this at
// once, the second waits for the first.
Task<void> Guard::Keeping::forget(core::InstanceId id) {
  const AsyncMutex::Guard lock = co_await timers[id].lock();
  if (ahead.count(id) == 0 && to_disarm.count(id) == 0) co_return;
  co_await disarm(id);
  ahead.erase(id);
  to_disarm.erase(id);
}

Task<void> Guard::Keeping::forget_all(std::set<core::InstanceId> whom) {
  std::vector<Task<void>> tasks;
  for (const core::InstanceId& id : whom) tasks.push_back(forget(id));
  co_await join_all(std::move(tasks));
}

std::set<core::InstanceId> Guard::Keeping::let_go(bool also_ahead) const {
  std::set<core::InstanceId> whom = to_disarm;
  for (const auto& [id, drain_ms] : ahead) {
    if (!drain_ms || also_ahead) whom.insert(id);
  }
  return whom;
}

// The turn before may take long, or the rollout be paused: no timer fires while we are here.
Task<void> Guard::Keeping::keep_ahead() {
  const auto known = ahead;
  for (const auto& [id, drain_ms] : known) {
    if (!drain_ms || stop) continue;
    const AsyncMutex::Guard lock = co_await timers[id].lock();
    if (ahead.count(id) != 0 && !lasts({id, *drain_ms})) (void)co_await arm({id, *drain_ms});
  }
}

// It may have gone back since the round began: asked anew under the lock.
Task<void> Guard::Keeping::arm_again(core::InstanceId instance) {
  const AsyncMutex::Guard lock = co_await timers[instance].lock();
  for (const Out& now : out()) {
    if (now.instance != instance || stop) continue;
    (void)co_await arm(now);
    co_return;
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

// Beside the loop: a host that does not answer must not hold up the lease and the timers of others.
Task<void> Guard::forget_soon(std::shared_ptr<Keeping> keeping) {
  if (std::exchange(keeping->forgetting, true)) co_return;
  for (auto whom = keeping->let_go(false); !whom.empty() && !keeping->stop;
       whom = keeping->let_go(false))
    co_await keeping->forget_all(std::move(whom));
  keeping->forgetting = false;
}

Task<void> Guard::keep_loop(std::shared_ptr<Keeping> keeping) {
  DurationMs next = steady_now_ms() + keeping->interval_ms;
  while (!keeping->stop) {
    const DurationMs left = std::max<DurationMs>(next - steady_now_ms(), 0);
    (void)co_await keeping->changed.wait_for(left);
    if (keeping->stop) break;
    co_await detach(forget_soon(keeping));
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
    co_await keeping->keep_ahead();
  }
  co_await keeping->forget_all(keeping->let_go(true));
  keeping->ended = true;
  keeping->over.notify();
}

void Guard::disarm_soon(core::InstanceId instance) {
  if (parts_.watchdog == nullptr || !keeping_) return;
  keeping_->to_disarm.insert(std::move(instance));
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

Task<void> Guard::settle() {
  if (parts_.watchdog == nullptr || !keeping_) co_return;
  keeping_->settled = true;
  co_await keeping_->forget_all(keeping_->let_go(true));
}

Task<Status> Guard::check(core::InstanceId instance) {
  if (parts_.coordination == nullptr) co_return Status{};
  const char* const what = "asking whether our lease still holds";
  Status ours =
      co_await with_timeout(parts_.coordination->check(instance, epoch_), kCheckDeadlineMs, what);
  if (ours || ours.error().code != ErrorCode::not_found) co_return ours;
  // Another host that does not answer makes this fail; what counts is the next answer of this one.
  (void)co_await with_timeout(parts_.coordination->renew(), kKeepDeadlineMs, "renewing the lease");
  co_return co_await with_timeout(parts_.coordination->check(std::move(instance), epoch_),
                                  kCheckDeadlineMs, what);
}

Task<bool> Guard::takes_anew(core::InstanceId instance) {
  if (parts_.coordination == nullptr) co_return false;
  const Status ours = co_await with_timeout(parts_.coordination->check(instance, epoch_),
                                            kCheckDeadlineMs, "asking whether our lease is there");
  if (ours || ours.error().code != ErrorCode::not_found) co_return false;
  const Status again = co_await check(std::move(instance));
  co_return again.has_value();
}

Task<Status> Guard::arm(Out out) {
  if (parts_.watchdog == nullptr || !keeping_) co_return Status{};
  const AsyncMutex::Guard lock = co_await keeping_->timers[out.instance].lock();
  keeping_->ahead.erase(out.instance);
  keeping_->to_disarm.erase(out.instance);
  if (keeping_->lasts(out)) co_return Status{};
  co_return co_await keeping_->arm(std::move(out));
}

Task<void> Guard::arm_in_background(std::shared_ptr<Keeping> keeping, Out out) {
  const AsyncMutex::Guard lock = co_await keeping->timers[out.instance].lock();
  const core::InstanceId id = out.instance;
  // Unless its drain, or the end, came first.
  if (!keeping->stop && keeping->ahead.count(id) != 0) (void)co_await keeping->arm(std::move(out));
  keeping->arming.erase(id);
}

Task<void> Guard::arm_ahead(Out out) {
  if (parts_.watchdog == nullptr || !keeping_ || keeping_->stop || keeping_->settled) co_return;
  if (keeping_->lasts(out) || !keeping_->arming.insert(out.instance).second) co_return;
  keeping_->ahead[out.instance] = out.drain_left_ms;
  co_await detach(arm_in_background(keeping_, std::move(out)));
}

void Guard::inherit(core::InstanceId instance) {
  if (parts_.watchdog == nullptr || !keeping_) return;
  keeping_->ahead[std::move(instance)] = std::nullopt;
  keeping_->changed.notify();
}

Task<void> Guard::disarm(core::InstanceId instance) {
  if (parts_.watchdog == nullptr || !keeping_) co_return;
  const AsyncMutex::Guard lock = co_await keeping_->timers[instance].lock();
  co_await keeping_->disarm(std::move(instance));
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
