// Looks at one service: a probe, with the log and the configuration's digest filled in.
#pragma once
#include <optional>
#include <string>

#include "adapters/service/config_tree.hpp"
#include "adapters/service/probe.hpp"

namespace hitless::service {

class Observer {
 public:
  // query: what stays the same; its log_file, when empty, is the one that nginx's main file names.
  // And when that names none, it is other_log (nginx -e), if there is one.
  Observer(ports::Host* host, ConfigTree* tree, ProbeQuery query, std::string other_log = {})
      : host_(host), tree_(tree), query_(std::move(query)), other_log_(std::move(other_log)) {}

  // With `before`, also what the main process logged since then. Without asking systemd, and then
  // without `unit` in the result, while it is still the process of `known`.
  Task<Result<ProbeResult>> look(std::optional<core::ServiceIdentity> before = std::nullopt,
                                 std::optional<core::ServiceIdentity> known = std::nullopt);
  // Who runs now; systemd's account of it is that of the last look, while it is the same process.
  Task<Result<core::ServiceIdentity>> identity();
  // The last look while it is not older than a moment: for what does not change by itself.
  Task<Result<ProbeResult>> recent();

 private:
  ports::Host* host_;
  ConfigTree* tree_;
  ProbeQuery query_;
  std::string other_log_;
  std::optional<ProbeResult> last_;
  TimeMs last_at_ = 0;  // steady clock
};

// When nothing could be read: indeterminate, with the reason.
[[nodiscard]] core::ServiceReading cannot_tell(const Error& error);

}  // namespace hitless::service
