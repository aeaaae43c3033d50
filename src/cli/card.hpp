// The last thing on the screen: what happened, why, what is where now, what to do next. Also the
// text of notifications and incidents. At most 80 columns where names allow it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.hpp"
#include "core/state.hpp"
#include "witness/certificate.hpp"

namespace hitless::cli {

struct CardExtras {
  std::optional<witness::Certificate> certificate;  // empty: not known, nothing is shown
  std::vector<std::string> sent;                    // "webhook ops ✓"
  std::string where;                                // "web01 journal │ FATAL: …"; may be empty
  bool is_shown = false;                            // by `show`, so that it need not be named
};
[[nodiscard]] std::string result_card(const core::State& state, const CardExtras& extras,
                                      const Terminal& terminal);

}  // namespace hitless::cli
