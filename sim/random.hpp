// The only source of chance in the simulator: a counter-based generator, the same on every machine.
#pragma once
#include <cstdint>

namespace hitless::sim {

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : state_(mix(seed)) {}
  std::uint64_t next() { return mix(state_++ * 0xd1342543de82ef95ULL); }
  // low..high, both included
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  int pick(int count) { return static_cast<int>(between(0, count - 1)); }
  bool percent(int p) { return between(1, 100) <= p; }

 private:
  std::uint64_t state_;
};

}  // namespace hitless::sim
