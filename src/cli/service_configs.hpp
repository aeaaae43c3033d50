// What the fleet file says of one instance, as its driver wants to know it. Pure.
#pragma once
#include <string>
#include <vector>

#include "adapters/service/services.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

[[nodiscard]] std::vector<std::string> installed_files(const fleet::Service& service,
                                                       const fleet::Instance& instance);
[[nodiscard]] service::NginxConfig nginx_config(const fleet::Service& service);
[[nodiscard]] service::SystemdConfig systemd_config(const fleet::Service& service,
                                                    const fleet::Instance& instance);
// The driver of a kind that is neither nginx, nor systemd, nor command.
[[nodiscard]] service::DaemonKind daemon_kind(fleet::ServiceKind kind);
[[nodiscard]] service::DaemonConfig daemon_config(const fleet::Service& service,
                                                  const fleet::Instance& instance);
[[nodiscard]] service::PostgresqlConfig postgresql_config(const fleet::Service& service,
                                                          const fleet::Instance& instance);
[[nodiscard]] service::CommandConfig command_config(const fleet::Service& service,
                                                    const fleet::Instance& instance);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const fleet::Service& service,
                                                            const fleet::Instance& instance);

}  // namespace hitless::cli
