// When nothing may begin: freezes hold for everybody (a person may go on, with a reason that the
// journal keeps), windows for what begins without a person. Going back is never held up, and what
// runs when a freeze begins goes on to its end.
#pragma once
#include <string>
#include <vector>

#include "fleet/fleet.hpp"

namespace hitless::cli {

// Does a freeze hold now for one of these services? Says which, and until when.
[[nodiscard]] Status check_freeze(const fleet::Fleet& fleet,
                                  const std::vector<std::string>& services, TimeMs now);
// Is each of these services that has windows in one of them now?
[[nodiscard]] Status check_windows(const fleet::Fleet& fleet,
                                   const std::vector<std::string>& services, TimeMs now);

}  // namespace hitless::cli
