// Workers before and after, told apart by pid and start time; and what all proofs of a reload begin
// with. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hitless::service {

// Entries of ServiceIdentity::workers that do not start with a digit are marks of the generation
// that the program itself keeps ("failed:1", "run_id:…"), and no processes.
struct Generations {
  std::vector<std::string> fresh, old;
};
[[nodiscard]] Generations compare_workers(const core::ServiceIdentity& before,
                                          const core::ServiceIdentity& now);
// The value of a mark of this name; empty: there is none.
[[nodiscard]] std::string mark_of(const core::ServiceIdentity& identity, const std::string& name);
// Start time of a worker, in ticks; 0: it is none.
[[nodiscard]] std::int64_t start_of(const std::string& worker);

// A main process that is gone or another one, or that was never looked at: no reload is proven.
[[nodiscard]] std::optional<core::ServiceReading> main_process_changed(
    const core::ServiceIdentity& before, const core::ServiceIdentity& now);

}  // namespace hitless::service
