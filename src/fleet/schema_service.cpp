// Tables of a service: configuration, commands, health, policy.
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const std::vector<std::string>& instance_placeholders() {
  static const std::vector<std::string> names{"address", "port", "host", "service"};
  return names;
}

Key unit_of(const std::string& kind, const std::string& usual) {
  return only({kind}, key("unit", text(Format::unit), usual, "The systemd unit."));
}

Key daemon_key(const std::string& kind, const std::string& about) {
  const std::string name = kind == "php-fpm" ? "php_fpm" : kind;
  return only({kind}, key(name, object(daemon_table(kind)), "", about));
}

// What health and dependencies share.
std::vector<Key> check_keys() {
  const auto& places = instance_placeholders();
  return {
      also({"url", "https"},
           key("http", text(Format::http_url, places), "", "GET this http:// or https:// URL.")),
      key("tcp", text(Format::tcp_target, places), "", "Connect to host:port."),
      also({"cmd", "exec"},
           key("command", command(), "", "Run on the host; exit code 0 is a pass.")),
      also({"expect", "code"},
           key("status", whole(100, 599), "200", "HTTP status that is a pass.")),
      also({"contains"}, key("body", text(Format::text), "", "Text that the answer must contain.")),
      key("interval", duration(), "200ms", "Between two checks."),
      key("timeout", duration(), "2s", "For one check."),
      key("rise", whole(1, 100), "3", "Passes in a row before it counts as healthy."),
      key("fall", whole(1, 100), "5", "Failures in a row before it counts as sick."),
      also({"cacert", "ca_file"},
           key("ca", text(Format::path), "", "CA bundle for https, instead of the system's.")),
      also({"host"}, key("host_header", text(Format::address), "", "Host header (and TLS name)."))};
}

}  // namespace

const Table& service_table() {
  static const Table table{
      "service",
      "One service: the same program on one or more hosts",
      {needed(key("kind",
                  choice({"nginx", "apache", "haproxy", "php-fpm", "gunicorn", "redis",
                          "postgresql", "systemd", "command"}),
                  "", "How it is driven.")),
       needed(
           only({"systemd", "gunicorn"}, key("unit", text(Format::unit), "", "The systemd unit."))),
       unit_of("nginx", "nginx.service"),
       unit_of("apache", "apache2.service"),
       unit_of("haproxy", "haproxy.service"),
       unit_of("php-fpm", "php8.2-fpm.service"),
       unit_of("redis", "redis-server.service"),
       unit_of("postgresql", "postgresql@15-main.service"),
       needed(key("hosts", one_or_list(text(Format::host_ref)), "",
                  "Hosts, or group:NAME of an inventory.")),
       key("port", port(), "", "Where it listens."),
       key("ports", map(Format::host_name, port()), "", "The same per host, where it differs."),
       also({"pool", "backends"},
            key("pools", list(object(pool_table()), 1, 32), "", "Its places in load balancers.")),
       also({"configs", "files", "config_files"},
            key("config", list(object(config_table()), 1, 200), "", "What `apply` installs.")),
       only({"nginx"}, key("nginx", object(nginx_table()), "", "Where nginx keeps its things.")),
       daemon_key("apache", "Where Apache keeps its things."),
       daemon_key("haproxy", "Where HAProxy keeps its things."),
       daemon_key("php-fpm", "Where php-fpm keeps its things."),
       daemon_key("gunicorn", "How its configuration is tested."),
       daemon_key("redis", "How it is asked."),
       only({"postgresql"}, key("postgresql", object(postgresql_table()), "",
                                "Where PostgreSQL keeps its things, and who may ask it.")),
       daemon_key("systemd", "What is known of the program beside its unit."),
       only({"command"}, also({"command"}, needed(key("commands", object(commands_table()), "",
                                                      "The commands that drive it.")))),
       also({"healthcheck", "health_check", "check"},
            key("health", object(health_table()), "", "Asked of each instance directly.")),
       also(
           {"certificate_file", "certificates"},
           key("certificate_files",
               one_of({text(Format::remote_path, {"host", "service"}),
                       list(text(Format::remote_path, {"host", "service"}))}),
               "", "Its TLS certificates on the host, for `watch --triggers` (docs/triggers.md).")),
       also({"depends_on"}, key("dependencies", list(object(dependency_table()), 1, 50), "",
                                "What it cannot work without; blamed first when health fails.")),
       key("policy", object(policy_table()), "", "Floor, order and deadlines.")},
      "kind",
      {},
      {}};
  return table;
}

const Table& config_table() {
  static const Table table{
      "config_file",
      "One file that `apply` installs",
      {needed(also({"src", "from"}, key("source", text(Format::path, {"host", "service"}), "",
                                        "File on this machine."))),
       needed(also({"destination", "path", "to"},
                   key("dest", text(Format::remote_path, {"host", "service"}), "",
                       "Absolute path on the host."))),
       key("mode", text(Format::mode), "", "For a new file; a file that exists keeps its own.")},
      "",
      {},
      {}};
  return table;
}

const Table& nginx_table() {
  static const Table table{
      "nginx",
      "Where nginx keeps its things; defaults as on Debian",
      {key("binary", text(Format::remote_path), "/usr/sbin/nginx", "The program."),
       also({"config"}, key("main_config", text(Format::remote_path), "/etc/nginx/nginx.conf",
                            "Its main configuration (-c).")),
       key("prefix", text(Format::remote_path), "", "Its prefix (-p)."),
       key("error_log", text(Format::remote_path), "/var/log/nginx/error.log",
           "Where a failed reload leaves its only trace."),
       also({"pidfile"},
            key("pid_file", text(Format::remote_path), "/run/nginx.pid", "Pid of the master.")),
       key("binary_upgrade", boolean(), "false",
           "A restart starts a new master that takes the sockets over; the old one leaves last.")},
      "",
      {},
      {}};
  return table;
}

const Table& commands_table() {
  static const std::vector<std::string> places{"host", "port", "service"};
  static const Table table{
      "commands",
      "The commands that drive a service of kind command; each is a list of words",
      {key("test", command(), "", "Tests the configuration at {config}; exit code 0 is a pass."),
       key("reload", command(), "", "Reloads it."),
       needed(key("restart", command(), "", "Restarts it.")),
       key("status", command(), "", "Exit code 0 while it runs."),
       needed(also({"pidfile"}, key("pid_file", text(Format::remote_path, places), "",
                                    "Pid of the main process: how a restart is proven."))),
       key("config_files", list(text(Format::remote_path, places), 1, 200), "",
           "Files that make up its configuration."),
       key("flavor", choice({"none", "nginx"}), "none",
           "nginx: it is nginx, so new workers prove a reload."),
       key("error_log", text(Format::remote_path, places), "",
           "Log whose new lines count as evidence.")},
      "",
      {},
      {}};
  return table;
}

const Table& health_table() {
  static const Table table{"health",
                           "How one instance is asked whether it is fit to serve",
                           check_keys(),
                           "",
                           {"http", "tcp", "command"},
                           {}};
  return table;
}

const Table& dependency_table() {
  static const Table table = [] {
    Table made{"dependency", "Something the service needs", check_keys(),
               "",           {"http", "tcp", "command"},    {}};
    made.keys.insert(made.keys.begin(),
                     needed(key("name", text(Format::name), "", "Shown in messages.")));
    return made;
  }();
  return table;
}

const Table& policy_table() {
  static const Table table{
      "policy",
      "Floor, order and deadlines of a rollout",
      {also({"min_healthy", "minimum", "min_in_service"},
            key("floor", one_of({whole(0, 10'000), text(Format::percent)}), "",
                "Healthy instances in rotation, never fewer by our doing; default: all but one.")),
       also({"parallel", "batch", "serial", "max_parallel", "max_unavailable"},
            key("at_once", one_of({choice({"auto"}), whole(1, 10'000)}), "auto",
                "In work at the same time; auto: as many as the floor allows.")),
       key("canary", one_of({choice({"none"}), whole(1, 10'000), text(Format::host_name)}), "1",
           "Who goes first, alone: a host, the first so many, or none."),
       key("max_failures", whole(0, 10'000), "0", "Failed instances before the rollout stops."),
       key("capacity_wait", duration(), "60s", "How long to wait for capacity to come back."),
       key("zone_by_zone", boolean(), "true", "Never instances of two zones at the same time."),
       key("watchdog", boolean(), "true",
           "A timer on the hosts brings an instance back if no controller is left alive."),
       key("reboot_deadline", duration(), "10m",
           "For a host to come back from a reboot with everything well on it."),
       key("install_deadline", duration(), "10m", "For packages to be installed by `patch`."),
       key("autonomy", object(autonomy_table()), "",
           "How far agents may go, and what needs an approval (docs/AGENT.md)."),
       key("approve_own_agent", boolean(), "false",
           "A person may approve what an agent that works for them has proposed."),
       key("actions_per_hour", whole(0, 1'000), "0",
           "Rollouts of this service, and of hosts where it lives, that agents may start in an "
           "hour; "
           "0: no limit."),
       also({"window", "maintenance_windows"},
            key("windows", list(object(window_table())), "",
                "Only then something begins by itself; default: always.")),
       also({"gate"}, key("gates", list(object(gate_table()), 1, 20), "",
                          "Questions to Prometheus, asked before anything and before each "
                          "instance.")),
       key("certificate_days", whole(0, 398), "21",
           "Certificates with fewer days left are told by `watch --triggers`; 0: not looked at."),
       also({"drain_timeout"}, key("drain", object(drain_table()), "", "Taking an instance out.")),
       key("verify", object(verify_table()), "", "Proving that it runs again."),
       key("rejoin", object(rejoin_table()), "", "Putting it back.")},
      "",
      {},
      {}};
  return table;
}

const Table& autonomy_table() {
  const auto level = [](const char* name, const char* about) {
    return key(name, choice({"observe", "propose", "approve", "auto"}), "", about);
  };
  static const Table table{
      "autonomy",
      "observe: agents only look; propose: they make plans, people run them; approve: after an "
      "approval by somebody else, people too; auto: without one",
      {level("default", "For every intent that is not named here."),
       level("restart", "For restart."), level("reload", "For reload."),
       level("apply", "For apply."), level("reboot", "For reboot."), level("patch", "For patch.")},
      "",
      {},
      {}};
  return table;
}

const Table& drain_table() {
  static const Table table{
      "drain",
      "Taking an instance out of rotation",
      {also({"timeout", "drain_timeout", "max_wait"},
            key("deadline", duration(), "60s", "For all requests in flight to end.")),
       also({"on_timeout"},
            key("on_deadline", choice({"abort", "force", "wait"}), "abort",
                "abort: put it back and stop; force: cut what is left; wait: go on waiting.")),
       key("quiet", duration(), "300ms", "This long at zero before it counts as drained."),
       key("settle", duration(), "0s", "Extra wait for load balancers that lag."),
       key("host_count", boolean(), "true", "The host's own socket count must agree.")},
      "",
      {},
      {}};
  return table;
}

const Table& verify_table() {
  static const Table table{
      "verify",
      "Proving that the instance runs, anew and well",
      {also({"timeout"}, key("deadline", duration(), "60s", "For all of it.")),
       also({"stable_for"},
            key("stability", duration(), "2s", "Well for this long without a break.")),
       key("grace", duration(), "10s", "Failing health is still starting until then."),
       key("samples", whole(1, 1000), "20", "Latency samples; fewer are unknown, never a pass."),
       key("latency_factor", number(1, 1000), "3.0", "Allowed: baseline times this …"),
       key("latency_slack", duration(), "50ms", "… plus this."),
       key("compare_latency", boolean(), "true", "Compare latency with the time before.")},
      "",
      {},
      {}};
  return table;
}

const Table& rejoin_table() {
  static const Table table{
      "rejoin",
      "Putting the instance back into rotation",
      {also({"timeout"}, key("deadline", duration(), "60s", "For the load balancer to agree.")),
       key("traffic_wait", duration(), "5s", "For live traffic to be seen."),
       also({"bake"}, key("soak", duration(), "2s", "Watched with live traffic for this long.")),
       key("max_error_ratio", one_of({text(Format::ratio), number(0, 1)}), "1%",
           "Of its requests while it soaks.")},
      "",
      {},
      {}};
  return table;
}

}  // namespace hitless::fleet
