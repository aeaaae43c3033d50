#include "cli/freeze.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::cli {
namespace {

bool concerns(const fleet::Freeze& freeze, const std::vector<std::string>& services) {
  return freeze.services.empty() ||
         std::any_of(services.begin(), services.end(), [&](const std::string& each) {
           return std::find(freeze.services.begin(), freeze.services.end(), each) !=
                  freeze.services.end();
         });
}

}  // namespace

Status check_freeze(const fleet::Fleet& fleet, const std::vector<std::string>& services,
                    TimeMs now) {
  for (const fleet::Freeze& freeze : fleet.freezes) {
    if (!concerns(freeze, services) || !contains(freeze.range, now)) continue;
    const auto end = end_of(freeze.range, now);
    const std::string name =
        freeze.range.name.empty() ? "" : " \"" + escape_for_terminal(freeze.range.name) + "\"";
    return fail(ErrorCode::refused,
                "the freeze" + name + " holds" +
                    (end ? " until " + fleet::wall_clock(*end, freeze.range.time_zone) : ""),
                {},
                "wait for its end; a person who must go on says why: --during-freeze REASON, which "
                "the journal keeps");
  }
  return {};
}

Status check_windows(const fleet::Fleet& fleet, const std::vector<std::string>& services,
                     TimeMs now) {
  for (const std::string& name : services) {
    const fleet::Service* service = fleet.service(name);
    if (service == nullptr || service->policy.windows.empty()) continue;
    const auto& windows = service->policy.windows;
    if (std::any_of(windows.begin(), windows.end(),
                    [&](const fleet::TimeRange& each) { return contains(each, now); }))
      continue;
    const auto next = next_begin(windows, now);
    return fail(ErrorCode::refused,
                "nothing begins by itself on " + name + " outside its windows" +
                    (next ? "; the next one begins at " +
                                fleet::wall_clock(*next, windows.front().time_zone)
                          : ""),
                {}, "wait for it, or a person runs the plan");
  }
  return {};
}

}  // namespace hitless::cli
