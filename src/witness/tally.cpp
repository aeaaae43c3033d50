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
    case RequestType::ws_echo:
      return "message on a WebSocket";
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
    case LossKind::wrong_body:
      return "wrong_body";
    case LossKind::tls:
      return "tls";
  }
  return "?";
}

Tally::Tally() : seconds_(kSeconds) {}

Tally::Second& Tally::second_of(TimeMs at_ms) {
  const std::int64_t number = at_ms / 1000;
  Second& second = seconds_[static_cast<std::size_t>(number) % kSeconds];
  if (number > newest_second_ && newest_second_ >= 0) close_second(newest_second_);
  if (second.number != number) second = Second{.number = number, .latency = {}};
  newest_second_ = number;
  return second;
}

void Tally::close_second(std::int64_t number) {
  const Second& second = seconds_[static_cast<std::size_t>(number) % kSeconds];
  if (second.number != number) return;
  series_.add({.start_ms = number * 1000,
               .sent = second.sent,
               .ok = second.ok,
               .lost = second.lost,
               .p50_us = second.latency.quantile_us(0.5),
               .p95_us = second.latency.quantile_us(0.95)});
}

Mark Tally::count_now(Mark mark, TimeMs at_ms) const {
  mark.at_ms = at_ms;
  mark.sent = totals_.sent;
  mark.ok = totals_.ok;
  mark.answered_4xx = totals_.answered_4xx;
  mark.http_answers = http_answers_;
  mark.in_flight = totals_.in_flight;
  mark.arrivals = arrivals_;
  mark.longest_gap_ms =
      std::max(longest_gap_ms_, last_sent_ms_ > 0 ? at_ms - last_sent_ms_ : std::int64_t{0});
  return mark;
}

void Tally::mark(Mark mark) {
  const std::lock_guard lock(mutex_);
  if (totals_.marks.size() >= kMaxMarks) {
    ++totals_.marks_dropped;
    return;
  }
  totals_.marks.push_back(count_now(std::move(mark), wall_now_ms()));
  longest_gap_ms_ = 0;
}

void Tally::named(const std::string& id_prefix) {
  const std::lock_guard lock(mutex_);
  totals_.id_prefix = id_prefix;
}

void Tally::started(TimeMs at_ms) {
  const std::lock_guard lock(mutex_);
  totals_.started_ms = at_ms;
}

void Tally::stopped(TimeMs at_ms) {
  const std::lock_guard lock(mutex_);
  totals_.stopped_ms = at_ms;
  if (newest_second_ >= 0) close_second(newest_second_);
}

void Tally::sent(RequestType type, TimeMs at_ms, std::int64_t lag_us, std::int64_t arrival) {
  const std::lock_guard lock(mutex_);
  arrivals_ = arrival;
  if (last_sent_ms_ > 0) longest_gap_ms_ = std::max(longest_gap_ms_, at_ms - last_sent_ms_);
  last_sent_ms_ = at_ms;
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
  if (status != 101) ++http_answers_;
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
  if (losses_.size() >= kMaxRecentLosses) {
    losses_.pop_front();
    ++totals_.losses_forgotten;
  }
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
  result.series = series_.points();
  result.now = count_now({}, totals_.stopped_ms > 0 ? totals_.stopped_ms : wall_now_ms());
  result.p50_us = result.latency.quantile_us(0.5);
  result.p95_us = result.latency.quantile_us(0.95);
  result.p99_us = result.latency.quantile_us(0.99);
  return result;
}

}  // namespace hitless::witness
