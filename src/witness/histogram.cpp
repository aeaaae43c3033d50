#include "witness/histogram.hpp"

#include <bit>
#include <cmath>

namespace hitless::witness {

namespace {
constexpr int kSubBits = 5;
constexpr std::uint64_t kLongest = (std::uint64_t{1} << 32) - 1;
}  // namespace

std::size_t LatencyHistogram::index_of(std::uint64_t value_us) {
  if (value_us < kSubBuckets) return static_cast<std::size_t>(value_us);
  const int shift = static_cast<int>(std::bit_width(value_us)) - 1 - kSubBits;
  const auto row = static_cast<std::size_t>(shift + 1);
  return row * kSubBuckets + static_cast<std::size_t>((value_us >> shift) & (kSubBuckets - 1));
}

std::int64_t LatencyHistogram::end_of(std::size_t index) {
  if (index < kSubBuckets) return static_cast<std::int64_t>(index);
  const std::size_t shift = index / kSubBuckets - 1;
  const std::uint64_t start = (kSubBuckets + index % kSubBuckets) << shift;
  return static_cast<std::int64_t>(start + (std::uint64_t{1} << shift) - 1);
}

void LatencyHistogram::add(std::int64_t latency_us) {
  const std::uint64_t value = latency_us < 0 ? 0 : static_cast<std::uint64_t>(latency_us);
  ++buckets_[index_of(std::min(value, kLongest))];
  ++count_;
}

void LatencyHistogram::clear() {
  buckets_.fill(0);
  count_ = 0;
}

std::optional<std::int64_t> LatencyHistogram::quantile_us(double share) const {
  if (count_ == 0) return std::nullopt;
  const double wanted = std::ceil(share * static_cast<double>(count_));
  const std::int64_t rank = std::clamp(static_cast<std::int64_t>(wanted), std::int64_t{1}, count_);
  std::int64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return end_of(i);
  }
  return end_of(kBuckets - 1);
}

LatencyHistogram LatencyHistogram::since(const LatencyHistogram& older) const {
  LatencyHistogram result;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint32_t before = std::min(older.buckets_[i], buckets_[i]);
    result.buckets_[i] = buckets_[i] - before;
    result.count_ += result.buckets_[i];
  }
  return result;
}

}  // namespace hitless::witness
