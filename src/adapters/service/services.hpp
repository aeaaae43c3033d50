// The drivers of ports::Service: what each needs to know, and how it is made.
//
// A driver holds no truth of its own: all it knows is read from the host again at every call, so
// that a crash of hitless loses nothing. What it caches (which files the configuration consists of)
// is checked against hashes each time. A driver and the coroutines it returned must not outlive the
// host.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/service.hpp"

namespace hitless::service {

struct SystemdConfig {
  std::string unit;                       // "app.service"
  std::vector<std::string> config_files;  // absolute paths; [0] is the main one
  // Tests a staged copy of the files: {config} becomes the staged config_files[0], {dir} its
  // folder.
  std::vector<std::string> test;
  // Exits 0 only when the running program has the configuration that is on disk. Without it a
  // reload is proven for Type=notify-reload alone, and for all others never chosen.
  std::vector<std::string> reload_proof;
  // What the user says of a reload that fails; systemd cannot know.
  ports::ReloadFailureMode reload_failure = ports::ReloadFailureMode::unknown;
};

struct NginxConfig {
  std::string unit = "nginx.service";  // empty: not under systemd, then pid_file is needed
  std::string binary = "nginx";
  std::string main_config = "/etc/nginx/nginx.conf";
  std::string prefix;     // nginx -p; empty: as built in
  std::string error_log;  // empty: the error_log of the main file
  std::string pid_file;
  bool binary_upgrade = false;  // of a unit: a restart is USR2, WINCH, QUIT; needs pid_file
};

enum class CommandFlavor { none, nginx };

struct CommandConfig {
  std::vector<std::string> test, reload, restart, status;  // argv; empty: there is none
  std::string pid_file;
  std::vector<std::string> config_files;  // [0] is the main one
  CommandFlavor flavor = CommandFlavor::none;
  std::string error_log;  // flavor nginx; empty: the error_log of the main file
};

// Programs under systemd of which we know how they show that a reload took effect.
enum class DaemonKind { apache, haproxy, php_fpm, gunicorn, redis };

struct DaemonConfig {
  std::string unit;
  std::string binary;                     // absolute; what tests a configuration
  std::string main_config;                // empty: none that is known
  std::string error_log;                  // Apache, php-fpm: without it no reload is proven
  std::vector<std::string> config_files;  // more files that belong to the configuration
  std::vector<std::string> test;          // instead of the program's own test; as SystemdConfig's
  std::vector<std::string> cli;           // Redis: its command line client
};

[[nodiscard]] std::unique_ptr<ports::Service> make_daemon_service(ports::Host& host,
                                                                  DaemonKind kind,
                                                                  const DaemonConfig& config);

struct PostgresqlConfig {
  std::string unit;      // "postgresql@15-main.service"; empty: pg_ctl, by data_dir
  std::string bin_dir;   // "/usr/lib/postgresql/15/bin"
  std::string data_dir;  // without a unit
  std::string log_file;  // without a unit: where a restarted server writes
  std::vector<std::string> config_files;  // [0] is postgresql.conf; may be patterns
  // How psql asks it, on its host: through the UNIX socket, as this user of the system (when we are
  // root there) and of the database; a superuser, let in by peer or trust.
  std::string psql = "psql", socket_dir = "/var/run/postgresql", user = "postgres",
              os_user = "postgres";
  int port = 5432;
};

[[nodiscard]] std::unique_ptr<ports::Service> make_postgresql_service(ports::Host& host,
                                                                      PostgresqlConfig config);
[[nodiscard]] std::unique_ptr<ports::Service> make_systemd_service(ports::Host& host,
                                                                   SystemdConfig config);
[[nodiscard]] std::unique_ptr<ports::Service> make_nginx_service(ports::Host& host,
                                                                 NginxConfig config);
[[nodiscard]] std::unique_ptr<ports::Service> make_command_service(ports::Host& host,
                                                                   CommandConfig config);

// What a driver runs as root on a host with sudo, for sudoers. installed: files that a rollout puts
// there, which the configuration may then include.
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const PostgresqlConfig& config);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const SystemdConfig& config);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(DaemonKind kind,
                                                            const DaemonConfig& config,
                                                            std::vector<std::string> installed);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const NginxConfig& config,
                                                            std::vector<std::string> installed);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const CommandConfig& config,
                                                            std::vector<std::string> installed);

}  // namespace hitless::service
