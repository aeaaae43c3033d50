// Did an nginx reload take effect? Pure: a function of two readings and the error log between them.
//
// `nginx -t`, `nginx -s reload` and `systemctl reload` all exit 0 when a reload fails (a port held
// by another process, a limit_req_zone with a new key, a cache zone with a new path,
// listen 1.2.3.4:80 → listen 80): the old workers just go on. Only a new generation of workers from
// the same master, with the old one no longer accepting and nothing bad from the master in the log,
// is a proof.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hitless::service {

struct NginxLogLine {
  std::string level;  // "emerg"
  std::int64_t pid = 0;
  std::string message;
};
// "2026/02/18 14:04:43 [emerg] 812#812: bind() to …"; nothing for any other form.
[[nodiscard]] std::optional<NginxLogLine> parse_nginx_log_line(std::string_view line);

// log_known: log_lines are all lines at [crit] and above that were written since `before`.
[[nodiscard]] core::ServiceReading prove_nginx_reload(const core::ServiceIdentity& before,
                                                      const core::ServiceIdentity& now,
                                                      bool log_known,
                                                      const std::vector<std::string>& log_lines);

// Did an upgrade in place (USR2, WINCH, QUIT) take effect? The unit and its InvocationID stay.
// binary_current: the main process runs the binary on disk.
[[nodiscard]] core::ServiceReading prove_nginx_upgrade(const core::ServiceIdentity& before,
                                                       const core::ServiceIdentity& now,
                                                       std::optional<bool> binary_current);

}  // namespace hitless::service
