#include "witness/tally.hpp"

namespace hitless::witness {

const char* name_of(RequestType type) {
  switch (type) {
    case RequestType::get_new:
      return "GET on a new connection";
    case RequestType::get_kept:
      return "GET on a kept-alive connection";
    case RequestType::post_new:
      return "POST on a new connection";
    case RequestType::post_kept:
      return "POST on a kept-alive connection";
  }
  return "?";
}

const char* name_of(LossKind kind) {
  switch (kind) {
    case LossKind::refused:
      return "refused";
    case LossKind::reset:
      return "reset";
    case LossKind::stale_close:
      return "stale_close";
    case LossKind::timeout:
      return "timeout";
    case LossKind::http_5xx:
      return "http_5xx";
    case LossKind::short_body:
      return "short_body";
    case LossKind::malformed:
      return "malformed";
  }
  return "?";
}

Tally::Tally() : seconds_(kSeconds) {}

Tally::Second& Tally::second_of(TimeMs at_ms) {
  const std::int64_t number = at_ms / 1000;
  Second& second = seconds_[static_cast<std::size_t>(number) % kSeconds];
  if (second.number != number) second = Second{.number = number, .latency = {}};
  newest_second_ = number;
  return second;
}

void Tally::started(TimeMs at_ms) {
  const std::lock_guard lock(mutex_);
  totals_.started_ms = at_ms;
}

void Tally::stopped(TimeMs at_ms) {
  const std::lock_guard lock(mutex_);
  totals_.stopped_ms = at_ms;
}

void Tally::sent(RequestType type, TimeMs at_ms, std::int64_t lag_us) {
  const std::lock_guard lock(mutex_);
  ++totals_.sent;
  ++totals_.in_flight;
  ++totals_.sent_by_type[static_cast<std::size_t>(type)];
  totals_.max_lag_us = std::max(totals_.max_lag_us, lag_us);
  ++second_of(at_ms).sent;
}

void Tally::withdrawn(RequestType type, const std::string& why) {
  const std::lock_guard lock(mutex_);
  --totals_.sent;
  --totals_.in_flight;
  --totals_.sent_by_type[static_cast<std::size_t>(type)];
  ++totals_.not_sent;
  totals_.not_sent_why = why;
}

void Tally::not_sent(std::int64_t count, const std::string& why) {
  const std::lock_guard lock(mutex_);
  totals_.not_sent += count;
  totals_.not_sent_why = why;
}

void Tally::answered(int status, TimeMs at_ms, std::int64_t latency_us) {
  const std::lock_guard lock(mutex_);
  --totals_.in_flight;
  totals_.latency.add(latency_us);
  Second& second = second_of(at_ms);
  second.latency.add(latency_us);
  if (status >= 400) {
    ++totals_.answered_4xx;
  } else {
    ++totals_.ok;
    ++second.ok;
  }
}

void Tally::lost(Loss loss, TimeMs at_ms) {
  const std::lock_guard lock(mutex_);
  --totals_.in_flight;
  ++totals_.lost;
  ++totals_.by_kind[static_cast<std::size_t>(loss.kind)];
  ++totals_.lost_by_type[static_cast<std::size_t>(loss.type)];
  ++second_of(at_ms).lost;
  if (losses_.size() >= kMaxRecentLosses) losses_.pop_front();
  losses_.push_back(std::move(loss));
}

void Tally::unfinished() {
  const std::lock_guard lock(mutex_);
  --totals_.in_flight;
  ++totals_.unfinished;
}

void Tally::reopened() {
  const std::lock_guard lock(mutex_);
  ++totals_.reopened;
}

std::vector<SecondWindow> Tally::last_seconds() const {
  std::vector<SecondWindow> windows;
  const auto span = static_cast<std::int64_t>(kSeconds);
  for (std::int64_t number = newest_second_ - span + 1; number < newest_second_; ++number) {
    if (number < 0) continue;
    const Second& second = seconds_[static_cast<std::size_t>(number) % kSeconds];
    if (second.number != number) continue;
    windows.push_back({number * 1000, second.sent, second.ok, second.lost,
                       second.latency.quantile_us(0.5), second.latency.quantile_us(0.95),
                       second.latency.quantile_us(0.99)});
  }
  return windows;
}

ProberSnapshot Tally::snapshot() const {
  const std::lock_guard lock(mutex_);
  ProberSnapshot result = totals_;
  result.recent_losses.assign(losses_.begin(), losses_.end());
  result.last_seconds = last_seconds();
  result.p50_us = result.latency.quantile_us(0.5);
  result.p95_us = result.latency.quantile_us(0.95);
  result.p99_us = result.latency.quantile_us(0.99);
  return result;
}

}  // namespace hitless::witness
