// Service port: one service on one host. `act` starts a reload or restart and says whether the
// command was carried out; only verify(), by observation, says whether it took effect.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/event.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

enum class ReloadFailureMode { keeps_old, dies, unknown };

struct ServiceCapabilities {
  bool can_reload = false;
  bool proves_reload = false;  // otherwise a reload is never chosen
  ReloadFailureMode reload_failure_mode = ReloadFailureMode::unknown;
  bool proves_restart = true;
  // Of a whole host: it can be rebooted from here; whether it asks to be, and for what.
  bool reboots = false, needs_reboot = false;
  std::string reboot_reason;
};

// One reload or restart. It happens only while `expected` is still who runs, and only while nobody
// holds the service with a higher epoch than the fence.
struct ActOrder {
  core::Action action = core::Action::none;
  std::string operation_id;  // the same id happens once
  core::ServiceIdentity expected;
  DurationMs deadline_ms = 60'000;
  Fence fence = {};
};

using Files = std::map<std::string, std::string>;  // absolute path on the host → content

// What the running program itself says that a change of its configuration needs.
struct ChangeNeeds {
  core::Action action = core::Action::restart;  // none: nothing that it looks at differs
  std::string text;                             // "work_mem by a reload"
};

class Service {
 public:
  virtual ~Service() = default;
  [[nodiscard]] virtual std::string describe() const = 0;  // "nginx (nginx.service)"
  virtual Task<Result<ServiceCapabilities>> capabilities() = 0;
  virtual Task<Result<core::ServiceIdentity>> identity() = 0;
  // Preflight lines of this driver: unit exists, is running, start limit, disk, sudo.
  virtual Task<std::vector<core::Check>> validate() = 0;
  // Today's binary on the configuration as it would be with `changed` in place of what is on disk
  // (empty: as it is on disk). Nothing live is touched.
  virtual Task<core::Check> test_config(Files changed) = 0;
  // Everything the configuration on disk consists of (includes followed), for diff and digest.
  virtual Task<Result<Files>> config_files() = 0;
  // Empty: it does not describe itself, and the class of the diff stands.
  virtual Task<Result<std::optional<ChangeNeeds>>> needed_for(Files /*before*/, Files /*after*/) {
    co_return std::optional<ChangeNeeds>{};
  }
  // The same as it would be with `changed` in place of what is on disk: a file that a link leads
  // to, and what a changed file includes, count as well.
  virtual Task<Result<Files>> config_files_with(Files changed) {
    auto files = co_await config_files();
    if (!files) co_return files;
    for (auto& [path, content] : changed) (*files)[path] = std::move(content);
    co_return files;
  }
  virtual Task<Result<core::Outcome>> act(ActOrder order) = 0;
  // The outcome of an act that a controller which is gone may have started; waits for its end.
  // not_found: no trace of it (Host::await_operation).
  virtual Task<Result<core::Outcome>> await_act(std::string operation_id,
                                                DurationMs deadline_ms) = 0;
  // What the world says now, compared with `before`. One reading; the core judges over time.
  virtual Task<core::ServiceReading> verify(core::Action action, core::ServiceIdentity before) = 0;
};

}  // namespace hitless::ports
