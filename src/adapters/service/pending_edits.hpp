// Does a program run what is on disk, or has somebody edited its configuration since? A reload
// would activate such an edit together with what was meant. Told by when each file's content, name
// or mode changed (ctime, which nobody sets by accident) against when the program last read its
// configuration. What cannot be told is said to be unknown, and never that all is well.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/service/config_tree.hpp"
#include "adapters/service/unit_status.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

// Who tells when the configuration was last read.
enum class LoadedAt {
  oldest_worker,    // a reload replaces all workers
  youngest_worker,  // a reload adds one, and old ones may stay long
  main_process      // its start, or any reload that systemd knows of
};

inline constexpr const char* kPendingEdits = "Pending edits";

// A line for the preflight; nothing when the program runs what is on disk.
Task<std::optional<core::Check>> pending_edits(ports::Host* host, ConfigTree* tree,
                                               core::ServiceIdentity identity,
                                               std::optional<UnitStatus> unit, LoadedAt loaded_at);

// The same for a program that tells itself when it read its configuration, in seconds since the
// epoch by its host's clock.
Task<std::optional<core::Check>> pending_edits_since(ports::Host* host, ConfigTree* tree,
                                                     double loaded_s);

// In ticks since boot, as ServiceIdentity::start_time. A file of before `since` is loaded, one of
// after `until` is not, and of one between nobody can say.
struct LoadWindow {
  std::int64_t since = 0, until = 0;
};
[[nodiscard]] std::optional<LoadWindow> load_window(const core::ServiceIdentity& identity,
                                                    const std::optional<UnitStatus>& unit,
                                                    LoadedAt loaded_at);
// out: what times_script printed. Pure; for tests, too.
[[nodiscard]] std::optional<core::Check> judge_edits(const LoadWindow& window,
                                                     std::string_view out);

}  // namespace hitless::service
