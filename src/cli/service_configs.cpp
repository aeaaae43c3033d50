#include "cli/service_configs.hpp"

namespace hitless::cli {
namespace {

std::vector<std::string> expand(const std::vector<std::string>& words,
                                const fleet::Placeholders& values) {
  std::vector<std::string> out;
  for (const std::string& word : words) out.push_back(fleet::expand(word, values));
  return out;
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
  return {service.unit,   from.binary,  from.main_config, from.prefix.value_or(""),
          from.error_log, from.pid_file};
}

service::SystemdConfig systemd_config(const fleet::Service& service,
                                      const fleet::Instance& instance) {
  service::SystemdConfig config;
  config.unit = service.unit;
  config.config_files = installed_files(service, instance);
  if (service.commands)
    config.test = expand(service.commands->test, fleet::placeholders_of(service, instance));
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
    case fleet::ServiceKind::command:
      break;
  }
  return service::privileged_commands(command_config(service, instance),
                                      installed_files(service, instance));
}

}  // namespace hitless::cli
