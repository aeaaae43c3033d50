// Judging a restarted or reloaded instance: proven, stable, healthy, as fast as before. unknown is
// never a pass (rule I12): it waits, and at the deadline it fails.
#pragma once
#include <string>

#include "core/census.hpp"
#include "core/state.hpp"

namespace hitless::core {

struct Judgement {
  enum class Kind { wait, pass, fail, never_happened };
  Kind kind = Kind::wait;
  std::string reason;
  TimeMs again_at = 0;
  bool service_fault = false;  // the process itself is at fault: no need to look at dependencies
};
[[nodiscard]] Judgement judge(const State& state, const Instance& instance,
                              const Verifying& verifying, TimeMs now);

// Errors or failing health while it takes live traffic; empty: none.
[[nodiscard]] std::string soak_trouble(const State& state, const Instance& instance,
                                       const Soaking& soaking);

// A window never mixes two zones.
[[nodiscard]] bool another_zone_in_work(const State& state, const Census& census,
                                        const Instance& instance);

}  // namespace hitless::core
