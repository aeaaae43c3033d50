// A run of any length as at most kMaxPoints points: when they are used up, neighbours become one.
//
// A merged point's median is the mean of its seconds' medians and its p95 the highest of theirs:
// never better than what was measured. A plain value; nothing survives a crash.
#pragma once
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace hitless::witness {

struct SeriesPoint {
  TimeMs start_ms = 0;
  DurationMs width_ms = 1000;
  std::int64_t sent = 0, ok = 0, lost = 0;  // sent in it; answered or lost in it
  std::optional<std::int64_t> p50_us, p95_us;
};

class Series {
 public:
  static constexpr std::size_t kMaxPoints = 720;
  // Of one second that is over, later than all before.
  void add(const SeriesPoint& second);
  [[nodiscard]] const std::vector<SeriesPoint>& points() const { return points_; }

 private:
  void halve();
  std::vector<SeriesPoint> points_;
  DurationMs width_ms_ = 1000;
};

}  // namespace hitless::witness
