// Tables of the programs under systemd whose reload we know how to prove, and of those we do not.
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

Key binary(const std::string& usual) {
  return key("binary", text(Format::remote_path), usual, "The program; it tests configurations.");
}

Key main_config(const std::string& usual) {
  return also({"config"},
              key("main_config", text(Format::remote_path), usual, "Its main configuration."));
}

Key error_log(const std::string& usual) {
  return key("error_log", text(Format::remote_path), usual, "What proves a reload is read there.");
}

Key config_files() {
  return key("config_files", list(text(Format::remote_path, {"host", "port", "service"}), 1, 200),
             "", "More files that belong to its configuration.");
}

Key test() {
  return key("test", command(), "", "Tests the configuration at {config}; exit code 0 is a pass.");
}

Table made(const char* name, const char* about, std::vector<Key> keys) {
  keys.push_back(config_files());
  return {name, about, std::move(keys), "", {}, {}};
}

}  // namespace

const Table& daemon_table(std::string_view kind) {
  static const Table apache =
      made("apache", "Where Apache keeps its things; defaults as on Debian",
           {binary("/usr/sbin/apachectl"), main_config("/etc/apache2/apache2.conf"),
            error_log("/var/log/apache2/error.log"), test()});
  static const Table haproxy =
      made("haproxy", "Where HAProxy keeps its things; defaults as on Debian",
           {binary("/usr/sbin/haproxy"), main_config("/etc/haproxy/haproxy.cfg"), test()});
  static const Table php_fpm =
      made("php_fpm", "Where php-fpm keeps its things; defaults as on Debian 12",
           {binary("/usr/sbin/php-fpm8.2"), main_config("/etc/php/8.2/fpm/php-fpm.conf"),
            error_log("/var/log/php8.2-fpm.log"), test()});
  static const Table gunicorn =
      made("gunicorn", "How gunicorn's configuration is tested", {main_config(""), test()});
  static const Table redis =
      made("redis", "How Redis is asked; defaults as on Debian",
           {main_config("/etc/redis/redis.conf"),
            key("cli", command(), "",
                "The client that asks it, instead of redis-cli; no password here."),
            test()});
  static const Table systemd =
      made("systemd", "What is known of the program beside its unit",
           {test(),
            key("reload_proof", command(), "",
                "Exits 0 only when the program runs the configuration on disk."),
            key("reload_failure", choice({"unknown", "keeps_old", "dies"}), "unknown",
                "What a reload that fails does to it, as far as you know.")});
  if (kind == "apache") return apache;
  if (kind == "haproxy") return haproxy;
  if (kind == "php-fpm") return php_fpm;
  if (kind == "gunicorn") return gunicorn;
  if (kind == "redis") return redis;
  return systemd;
}

const Table& postgresql_table() {
  static const Table table = made(
      "postgresql", "Where PostgreSQL keeps its things, and who may ask it; as on Debian 12",
      {key("bin_dir", text(Format::remote_path), "/usr/lib/postgresql/15/bin", "Its programs."),
       main_config("/etc/postgresql/15/main/postgresql.conf"),
       also({"pgdata"}, key("data_dir", text(Format::remote_path), "",
                            "When no systemd unit runs it: pg_ctl does, by this directory.")),
       key("log_file", text(Format::remote_path), "", "With data_dir: what pg_ctl is given as -l."),
       key("socket_dir", text(Format::remote_path), "/var/run/postgresql",
           "Its unix_socket_directories; psql asks it there, on the service's port."),
       key("user", text(Format::user), "postgres",
           "The superuser that psql logs in as, without a password (peer, trust)."),
       key("os_user", text(Format::user), "postgres",
           "The user of the system that psql and pg_ctl run as, when hitless is root there.")});
  return table;
}

}  // namespace hitless::fleet
