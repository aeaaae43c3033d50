// Latencies in bounded memory: log-linear buckets, 32 for each power of two, so a reading is at
// most 3 % too high. Values are microseconds; what is longer than about 71 minutes counts as that
// long.
//
// A plain value: copy it, subtract an older copy to get the time between. Nothing survives a crash.
#pragma once
#include <array>
#include <cstdint>
#include <optional>

namespace hitless::witness {

class LatencyHistogram {
 public:
  void add(std::int64_t latency_us);
  void clear();
  [[nodiscard]] std::int64_t count() const { return count_; }
  // The value below which that share (0..1) of the samples lies, rounded up to its bucket's end.
  // Empty without samples: no latency is not a latency of 0.
  [[nodiscard]] std::optional<std::int64_t> quantile_us(double share) const;
  // What was added since `older`, an earlier copy of this one, was taken.
  [[nodiscard]] LatencyHistogram since(const LatencyHistogram& older) const;

 private:
  static constexpr std::size_t kSubBuckets = 32;
  static constexpr std::size_t kBuckets = kSubBuckets * 28;
  static std::size_t index_of(std::uint64_t value_us);
  static std::int64_t end_of(std::size_t index);

  std::array<std::uint32_t, kBuckets> buckets_{};
  std::int64_t count_ = 0;
};

}  // namespace hitless::witness
