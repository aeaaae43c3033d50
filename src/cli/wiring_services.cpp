#include "cli/wiring_services.hpp"

#include "adapters/service/services.hpp"
#include "cli/service_configs.hpp"
#include "confdiff/config_diff.hpp"

namespace hitless::cli {

WiredService wire_service(const fleet::Service& service, const fleet::Instance& instance,
                          ports::Host& on) {
  const std::vector<std::string> dests = installed_files(service, instance);
  const std::string first = dests.empty() ? std::string() : dests.front();
  switch (service.kind) {
    case fleet::ServiceKind::nginx:
      return {service::make_nginx_service(on, nginx_config(service)), service.nginx.main_config};
    case fleet::ServiceKind::systemd:
      return {service::make_systemd_service(on, systemd_config(service, instance)), first};
    case fleet::ServiceKind::apache:
    case fleet::ServiceKind::haproxy:
    case fleet::ServiceKind::php_fpm:
    case fleet::ServiceKind::gunicorn:
    case fleet::ServiceKind::redis: {
      const service::DaemonConfig config = daemon_config(service, instance);
      return {service::make_daemon_service(on, daemon_kind(service.kind), config),
              config.main_config.empty() ? first : config.main_config};
    }
    case fleet::ServiceKind::postgresql:
      return {service::make_postgresql_service(on, postgresql_config(service, instance)),
              service.postgresql.main_config};
    case fleet::ServiceKind::command:
      break;
  }
  service::CommandConfig config = command_config(service, instance);
  const std::string main = config.config_files.empty() ? first : config.config_files.front();
  return {service::make_command_service(on, std::move(config)), main};
}

confdiff::Kind config_kind_of(const fleet::Service& service) {
  const bool nginx_command = service.commands && service.commands->flavor == fleet::Flavor::nginx;
  if (service.kind == fleet::ServiceKind::nginx || nginx_command) return confdiff::Kind::nginx;
  if (service.kind == fleet::ServiceKind::apache) return confdiff::Kind::apache;
  if (service.kind == fleet::ServiceKind::haproxy) return confdiff::Kind::haproxy;
  if (service.config.empty()) return confdiff::Kind::text;
  return confdiff::guess_kind(service.config.front().dest);
}

}  // namespace hitless::cli
