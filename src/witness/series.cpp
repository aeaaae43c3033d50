#include "witness/series.hpp"

#include <algorithm>

namespace hitless::witness {

namespace {

void merge(SeriesPoint* into, const SeriesPoint& next) {
  into->sent += next.sent;
  into->lost += next.lost;
  if (into->p50_us && next.p50_us && into->ok + next.ok > 0) {
    into->p50_us = (*into->p50_us * into->ok + *next.p50_us * next.ok) / (into->ok + next.ok);
  } else if (next.p50_us) {
    into->p50_us = next.p50_us;
  }
  into->ok += next.ok;
  if (next.p95_us) into->p95_us = std::max(into->p95_us.value_or(0), *next.p95_us);
}

}  // namespace

void Series::add(const SeriesPoint& second) {
  const TimeMs slot = second.start_ms - second.start_ms % width_ms_;
  if (!points_.empty() && points_.back().start_ms == slot) {
    merge(&points_.back(), second);
    return;
  }
  if (points_.size() >= kMaxPoints) {
    halve();
    add(second);
    return;
  }
  points_.push_back(second);
  points_.back().start_ms = slot;
  points_.back().width_ms = width_ms_;
}

void Series::halve() {
  width_ms_ *= 2;
  std::vector<SeriesPoint> all;
  all.swap(points_);
  for (const SeriesPoint& point : all) add(point);
}

}  // namespace hitless::witness
