#include "cli/service_configs.hpp"

#include <algorithm>

namespace hitless::cli {
namespace {

std::vector<std::string> expand(const std::vector<std::string>& words,
                                const fleet::Placeholders& values) {
  std::vector<std::string> out;
  for (const std::string& word : words) out.push_back(fleet::expand(word, values));
  return out;
}

void add_files(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& file : more) {
    if (std::find(to.begin(), to.end(), file) == to.end()) to.push_back(file);
  }
}

}  // namespace

std::vector<std::string> installed_files(const fleet::Service& service,
                                         const fleet::Instance& instance) {
  const fleet::Placeholders values = fleet::placeholders_of(service, instance);
  std::vector<std::string> files;
  for (const fleet::ConfigFile& file : service.config)
    files.push_back(fleet::expand(file.dest, values));
  return files;
}

service::NginxConfig nginx_config(const fleet::Service& service) {
  const fleet::NginxOptions& from = service.nginx;
  return {service.unit,   from.binary,   from.main_config,   from.prefix.value_or(""),
          from.error_log, from.pid_file, from.binary_upgrade};
}

service::SystemdConfig systemd_config(const fleet::Service& service,
                                      const fleet::Instance& instance) {
  service::SystemdConfig config;
  config.unit = service.unit;
  const fleet::Placeholders values = fleet::placeholders_of(service, instance);
  config.config_files = installed_files(service, instance);
  add_files(config.config_files, expand(service.daemon.config_files, values));
  config.test = expand(service.daemon.test, values);
  config.reload_proof = expand(service.daemon.reload_proof, values);
  switch (service.daemon.reload_failure) {
    case fleet::ReloadFailure::unknown:
      break;
    case fleet::ReloadFailure::keeps_old:
      config.reload_failure = ports::ReloadFailureMode::keeps_old;
      break;
    case fleet::ReloadFailure::dies:
      config.reload_failure = ports::ReloadFailureMode::dies;
      break;
  }
  return config;
}

service::DaemonKind daemon_kind(fleet::ServiceKind kind) {
  switch (kind) {
    case fleet::ServiceKind::haproxy:
      return service::DaemonKind::haproxy;
    case fleet::ServiceKind::php_fpm:
      return service::DaemonKind::php_fpm;
    case fleet::ServiceKind::gunicorn:
      return service::DaemonKind::gunicorn;
    case fleet::ServiceKind::redis:
      return service::DaemonKind::redis;
    case fleet::ServiceKind::apache:
    case fleet::ServiceKind::nginx:
    case fleet::ServiceKind::systemd:
    case fleet::ServiceKind::postgresql:
    case fleet::ServiceKind::command:
      break;
  }
  return service::DaemonKind::apache;
}

service::DaemonConfig daemon_config(const fleet::Service& service,
                                    const fleet::Instance& instance) {
  const fleet::Placeholders values = fleet::placeholders_of(service, instance);
  const fleet::DaemonOptions& from = service.daemon;
  service::DaemonConfig config{service.unit,
                               from.binary,
                               from.main_config,
                               from.error_log,
                               expand(from.config_files, values),
                               expand(from.test, values),
                               expand(from.cli, values)};
  // What the program finds by itself (includes) is found; the rest has to be told.
  const bool finds =
      service.kind == fleet::ServiceKind::apache || service.kind == fleet::ServiceKind::php_fpm;
  if (!finds) {
    std::vector<std::string> files = installed_files(service, instance);
    std::erase(files, config.main_config);
    add_files(config.config_files, files);
  }
  return config;
}

service::PostgresqlConfig postgresql_config(const fleet::Service& service,
                                            const fleet::Instance& instance) {
  const fleet::PostgresqlOptions& from = service.postgresql;
  service::PostgresqlConfig config;
  if (!from.data_dir) config.unit = service.unit;
  config.bin_dir = from.bin_dir;
  config.data_dir = from.data_dir.value_or("");
  config.log_file = from.log_file.value_or("");
  config.psql = from.bin_dir + "/psql";
  config.socket_dir = from.socket_dir;
  config.user = from.user;
  config.os_user = from.os_user;
  config.port = instance.port.value_or(config.port);
  // What it reads beside its main file, and what we are told of (conf.d, which may be empty).
  const std::string folder = from.main_config.substr(0, from.main_config.rfind('/'));
  config.config_files = {from.main_config, folder + "/pg_hba.conf", folder + "/pg_ident.conf"};
  if (from.data_dir) add_files(config.config_files, {*from.data_dir + "/postgresql.auto.conf"});
  add_files(config.config_files,
            expand(from.config_files, fleet::placeholders_of(service, instance)));
  add_files(config.config_files, installed_files(service, instance));
  return config;
}

service::CommandConfig command_config(const fleet::Service& service,
                                      const fleet::Instance& instance) {
  const fleet::Placeholders values = fleet::placeholders_of(service, instance);
  const fleet::Commands& from = *service.commands;
  service::CommandConfig config;
  config.test = expand(from.test, values);
  config.reload = expand(from.reload, values);
  config.restart = expand(from.restart, values);
  config.status = expand(from.status, values);
  config.pid_file = fleet::expand(from.pid_file, values);
  config.config_files = expand(from.config_files, values);
  config.flavor = from.flavor == fleet::Flavor::nginx ? service::CommandFlavor::nginx
                                                      : service::CommandFlavor::none;
  config.error_log = fleet::expand(from.error_log.value_or(""), values);
  return config;
}

ports::PrivilegedCommands privileged_commands(const fleet::Service& service,
                                              const fleet::Instance& instance) {
  switch (service.kind) {
    case fleet::ServiceKind::nginx:
      return service::privileged_commands(nginx_config(service),
                                          installed_files(service, instance));
    case fleet::ServiceKind::systemd:
      return service::privileged_commands(systemd_config(service, instance));
    case fleet::ServiceKind::apache:
    case fleet::ServiceKind::haproxy:
    case fleet::ServiceKind::php_fpm:
    case fleet::ServiceKind::gunicorn:
    case fleet::ServiceKind::redis:
      return service::privileged_commands(daemon_kind(service.kind),
                                          daemon_config(service, instance),
                                          installed_files(service, instance));
    case fleet::ServiceKind::postgresql:
      return service::privileged_commands(postgresql_config(service, instance));
    case fleet::ServiceKind::command:
      break;
  }
  return service::privileged_commands(command_config(service, instance),
                                      installed_files(service, instance));
}

}  // namespace hitless::cli
