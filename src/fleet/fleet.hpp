// The fleet file hitless.yaml as plain values, checked and resolved: hosts merged with the
// inventory and ssh_config, groups expanded, policies turned into numbers, instances listed. What
// load_fleet() returns without errors needs no further checking; everything carries its place for
// later messages. Nothing here is kept over a crash: the file is read again.
//
//   auto loaded = fleet::load_fleet("hitless.yaml");
//   std::cerr << fleet::render(loaded.diagnostics, colour);
//   if (!loaded.fleet) return 78;
//   const fleet::Service* web = loaded.fleet->service("web");
//   for (const auto& instance : web->instances) …instance.id, .host, .port, .targets…
//   auto check = fleet::resolve(*web->health, *web, instance);  // no {…} left
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "fleet/calendar.hpp"
#include "fleet/diagnostics.hpp"
#include "fleet/secret.hpp"

namespace hitless::fleet {

struct Mark {
  std::string file;
  int line = 0, column = 0;  // from 1; 0: the file as a whole
};

// ---- hosts --------------------------------------------------------------------------------------
enum class Connect { ssh, local };

struct Host {
  std::string name;
  Mark mark;  // in the fleet file, else in the inventory
  Connect connect = Connect::ssh;
  std::string address;   // where its services are reached
  std::string ssh_name;  // given to ssh
  std::optional<std::string> user;
  std::optional<int> port;
  std::optional<std::string> identity;  // path
  bool sudo = false;
  std::string zone;  // empty: none
};

struct Ssh {
  std::optional<std::string> config, known_hosts, identity;  // paths, absolute or from the cwd
  std::optional<std::string> user;
  DurationMs connect_timeout_ms = 0;
  DurationMs keep_ms = 0;  // a connection outlives hitless by so much; 0: by nothing
};

// ---- load balancers -----------------------------------------------------------------------------
struct Endpoint {
  enum class Kind { unix_socket, tcp };
  Kind kind = Kind::unix_socket;
  std::string path;  // unix_socket
  std::string host;  // tcp
  int port = 0;
  std::string text;  // as written
};

// Which program or service it is. What the fleet file may say of each: fleet/lb_kinds.hpp.
enum class LbKind {
  haproxy,
  command,
  nginx,
  touch_file,
  caddy,
  elbv2,
  pgbouncer,
  envoy,
  nginx_plus,
  traefik,
  consul,
  ipvs
};

struct LbNode {
  std::string name;
  Mark mark;
  std::optional<std::string> host;  // haproxy: the unix sockets are there; else: it runs there
  Endpoint socket;                  // haproxy, pgbouncer
  std::optional<Endpoint> master;   // haproxy
  std::string url;                  // kinds with an HTTP API
};

struct HaproxyLb {
  std::optional<std::string> config;  // path of its haproxy.cfg here
};

struct CommandLb {  // words may hold {node} {pool} {member} and those of an instance
  std::vector<std::string> drain, rejoin, state, count, close;  // count, close: empty: not given
  DurationMs timeout_ms = 0;                                    // of drain, rejoin and close
  DurationMs settle_ms = 0;
};

struct NginxLb {
  std::string binary, main_config, error_log, pid_file;
  std::string upstreams;  // the file that holds the upstream blocks
};

struct TouchFileLb {
  DurationMs settle_ms = 0;  // until every load balancer has noticed
};

struct CaddyLb {
  DurationMs timeout_ms = 0;
};

struct EnvoyLb {
  std::string endpoints;  // the file of its endpoints, on every node
  int panic_percent = 0;
  DurationMs timeout_ms = 0;
};

struct NginxPlusLb {
  std::string user;  // empty: its API asks for none
  Secret password;
  DurationMs timeout_ms = 0;
};

struct TraefikLb {
  std::string file;  // of its file provider, on every node
  DurationMs timeout_ms = 0;
};

struct ConsulLb {
  std::string url;  // of the agent, as seen from each instance's host
  Secret token;
  DurationMs settle_ms = 0, timeout_ms = 0;
};

struct IpvsLb {
  std::string binary;
};

struct Elbv2Lb {
  std::string region, profile, endpoint;  // empty: as the environment and ~/.aws say
  std::optional<DurationMs> settle_ms;    // empty: by the kind of load balancer
  DurationMs poll_ms = 0;
  bool cloudwatch = false;
};

struct PgbouncerLb {
  std::string user, resume_user, os_user;
  Secret password;
  DurationMs max_pause_ms = 0;
};

struct LoadBalancer {
  std::string name;
  Mark mark;
  LbKind kind = LbKind::haproxy;
  std::vector<LbNode> nodes;  // none for kinds that have no nodes
  std::variant<HaproxyLb, CommandLb, NginxLb, TouchFileLb, CaddyLb, Elbv2Lb, PgbouncerLb, EnvoyLb,
               NginxPlusLb, TraefikLb, ConsulLb, IpvsLb>
      options;  // its own
};

// ---- services -----------------------------------------------------------------------------------
enum class ServiceKind {
  nginx,
  systemd,
  command,
  apache,
  haproxy,
  php_fpm,
  gunicorn,
  redis,
  postgresql
};

// A place in a load balancer. pool and member are what the kind calls so (a backend and a server,
// an upstream and an address); the kind's other keys are extras. All may hold placeholders, and
// Instance::targets has them expanded.
struct PoolRef {
  std::string lb, pool, member;
  std::map<std::string, std::string> extras;
  Mark mark;
};

struct ConfigFile {
  std::string source;  // path here (absolute or from the cwd); may hold {host} {service}
  std::string dest;    // on the host; may hold {host} {service}
  std::optional<std::string> mode;
  Mark mark;
};

struct NginxOptions {
  std::string binary, main_config, error_log, pid_file;
  std::optional<std::string> prefix;
  bool binary_upgrade = false;  // a restart hands the sockets over to a new master
};

enum class ReloadFailure { unknown, keeps_old, dies };

// What the tables apache, haproxy, php_fpm, gunicorn, redis and systemd hold; each has some of it.
struct DaemonOptions {
  std::string binary, main_config, error_log;
  std::vector<std::string> config_files, test, cli, reload_proof;  // empty: not given
  ReloadFailure reload_failure = ReloadFailure::unknown;
};

struct PostgresqlOptions {
  std::string bin_dir, main_config, socket_dir, user, os_user;
  std::optional<std::string> data_dir, log_file;  // not under systemd
  std::vector<std::string> config_files;
};

enum class Flavor { none, nginx };

struct Commands {  // words may hold {host} {port} {service} {address} {config} {dir}
  std::vector<std::string> test, reload, restart, status;  // empty: not given
  std::string pid_file;
  std::vector<std::string> config_files;
  Flavor flavor = Flavor::none;
  std::optional<std::string> error_log;
  Mark mark;
};

enum class CheckKind { http, tcp, command };

struct HealthCheck {
  std::string name;  // of a dependency; empty for health
  CheckKind kind = CheckKind::http;
  std::string url;                   // http; may hold {address} {port} {host} {service}
  std::string target;                // tcp, host:port
  std::vector<std::string> command;  // run on the host
  int status = 0;
  std::optional<std::string> body, ca, host_header;
  DurationMs interval_ms = 0, timeout_ms = 0;
  int rise = 0, fall = 0;
  Mark mark;
};

enum class OnDeadline { abort, force, wait };

// How far whoever is not a person may go (docs/AGENT.md). unset: people as always, agents need an
// approval.
enum class Autonomy { unset, observe, propose, approve, automatic };

struct Gate {
  std::string name, url, promql;
  std::optional<double> below, above;  // one of them
  DurationMs timeout_ms = 0;
};

struct Policy {
  std::int64_t floor = 0;             // resolved: percentages and the default are numbers here
  std::int64_t at_once = 1;           // resolved: "auto" is instances − floor, at least 1
  std::vector<std::string> canaries;  // hosts that go first, in order; empty: none
  std::int64_t max_failures = 0;
  DurationMs capacity_wait_ms = 0;
  bool zone_by_zone = true;
  bool watchdog = true;  // no instance is taken out without a timer that brings it back
  DurationMs reboot_deadline_ms = 0, install_deadline_ms = 0;
  std::map<std::string, Autonomy> autonomy;  // of each intent; none: unset
  bool approve_own_agent = false;     // a person may approve what an agent of theirs proposed
  std::int64_t actions_per_hour = 0;  // rollouts that agents start; 0: no limit
  std::vector<Gate> gates;            // asked before anything, and before each instance
  std::vector<TimeRange> windows;     // when something may begin by itself; none: always
  int certificate_days = 0;           // fewer days left are said; 0: certificates are not looked at
  struct Drain {
    DurationMs deadline_ms = 0, quiet_ms = 0, settle_ms = 0;
    OnDeadline on_deadline = OnDeadline::abort;
    bool host_count = true;
  } drain;
  struct Verify {
    DurationMs deadline_ms = 0, stability_ms = 0, grace_ms = 0, latency_slack_ms = 0;
    int samples = 0;
    double latency_factor = 0;
    bool compare_latency = true;
  } verify;
  struct Rejoin {
    DurationMs deadline_ms = 0, traffic_wait_ms = 0, soak_ms = 0;
    double max_error_ratio = 0;  // 0.01 is 1%
  } rejoin;
  Mark mark;
};

struct Target {  // one instance's place in one pool
  std::string lb, pool, member;
  std::map<std::string, std::string> extras;
};

struct Instance {
  std::string id;  // service@host
  std::string host, address, zone;
  std::optional<int> port;
  std::vector<Target> targets;
};

struct Service {
  std::string name;
  Mark mark;
  ServiceKind kind = ServiceKind::systemd;
  std::string unit;  // empty for command
  std::vector<std::string> hosts;
  std::vector<PoolRef> pools;
  std::vector<ConfigFile> config;
  NginxOptions nginx;  // nginx
  PostgresqlOptions postgresql;
  DaemonOptions daemon;  // neither nginx nor command
  std::optional<Commands> commands;
  std::optional<HealthCheck> health;
  std::vector<std::string> certificate_files;  // on the host; may hold {host} {service}
  std::vector<HealthCheck> dependencies;
  Policy policy;
  std::vector<Instance> instances;  // in the order of hosts
};

// ---- notifications and prober -------------------------------------------------------------------
enum class NotificationKind { webhook, slack, smtp, pagerduty };

struct Notification {
  std::string name;
  Mark mark;
  NotificationKind kind = NotificationKind::webhook;
  bool required = false;
  bool on_started = true, on_succeeded = true, on_failed = true;
  Secret url;                            // webhook
  Secret secret;                         // webhook: HMAC key; may be empty
  Secret webhook, token;                 // slack
  std::string channel, api_url;          // slack
  std::string smtp_url, from, username;  // smtp
  std::vector<std::string> to;
  Secret password;
  bool starttls = true;
  Secret routing_key;                 // pagerduty
  std::string change_url, alert_url;  // pagerduty, complete
};

struct ProberPath {
  std::string path;
  int weight = 1;
  std::string expect;  // must be in the body; empty: any
};

struct Prober {
  std::string url;  // scheme, authority and, without paths, the path
  int rate = 0;     // requests per second
  DurationMs timeout_ms = 0;
  std::vector<ProberPath> paths;  // never empty
  struct Mix {                    // weights; all of them 0 is an error
    int get_new = 1, get_kept = 1, post_new = 0, post_kept = 0, websocket = 0;
  } mix;
  std::string post_path, websocket_path;  // empty: paths
  int post_bytes = 0;
  std::optional<std::string> ca_file;  // path
  bool verify_tls = true;
  std::string host;           // Host header and TLS name; empty: as the URL says
  std::string server_header;  // of answers: which instance it was
  std::string id_header;      // of POSTs
  int kept_connections = 0;
  std::string executions_url;  // may hold {host} {address} {port} {service}, and {prefix}
  std::optional<DurationMs> baseline_ms;  // empty: as short as gives 20 requests
  DurationMs soak_ms = 0;
  std::vector<std::string> services;  // watches only their rollouts; empty: all
  Mark mark;
};

// ---- times and alerts ---------------------------------------------------------------------------
struct Freeze {
  TimeRange range;
  std::vector<std::string> services;  // empty: all
};

struct Schedule {
  std::string name, service, intent, time_zone;
  std::vector<std::string> hosts;  // empty: all of the service
  WeeklyTime at;
  DurationMs within_ms = 0;
};

struct AlertRule {
  std::string name, service, intent;
  std::map<std::string, std::string> match;  // labels that must be equal
  std::vector<std::string> hosts;            // empty: all of the service
  std::string host_label;  // which label names one of these hosts; empty: none does
};

struct Fleet {
  std::string file;    // as given to load_fleet
  std::string digest;  // SHA-256 of the fleet file and the inventories, for plans
  Ssh ssh;
  std::map<std::string, Host> hosts;
  std::map<std::string, std::vector<std::string>> groups;  // of the inventories; hosts in order
  std::map<std::string, LoadBalancer> load_balancers;
  std::map<std::string, Service> services;
  std::vector<Notification> notifications;
  std::vector<Prober> probers;
  std::vector<Freeze> freezes;
  std::vector<Schedule> schedules;
  std::vector<AlertRule> alerts;

  [[nodiscard]] const Host* host(const std::string& name) const;
  [[nodiscard]] const Service* service(const std::string& name) const;
  [[nodiscard]] const LoadBalancer* load_balancer(const std::string& name) const;
};

struct LoadResult {
  std::optional<Fleet> fleet;  // only when there are no errors
  std::vector<Diagnostic> diagnostics;
};

struct TargetGroupQuestion {
  std::string group;                      // name or ARN
  std::string region, profile, endpoint;  // empty: as the environment and ~/.aws say
};

// What inventories that are not files are asked through. Empty: then they are an error.
struct Outside {
  // "NAME ADDRESS" of each member, a line each, in a steady order.
  std::function<Result<std::string>(TargetGroupQuestion)> target_group;
  // Standard output of the command; it must end well, in time, and say no more than 1 MiB.
  std::function<Result<std::string>(std::vector<std::string> argv)> run;
  // Body of a GET that was answered with 200; token: a header's value, may be empty.
  std::function<Result<std::string>(std::string url, std::string token)> get;
};

[[nodiscard]] LoadResult load_fleet(const std::string& path, const Outside& outside = {});
// The same for text at hand; name is for messages, and relative paths are meant from its folder.
[[nodiscard]] LoadResult load_fleet_text(std::string text, const std::string& name,
                                         const Outside& outside = {});
[[nodiscard]] std::string json_schema();  // draft-07

// {name} replaced for each known name, once, left to right; what is not known stays.
using Placeholders = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string expand(const std::string& text, const Placeholders& values);
// {host} {address} {port} {service} of an instance.
[[nodiscard]] Placeholders placeholders_of(const Service& service, const Instance& instance);
// The check for one instance; IPv6 addresses get their brackets in URLs.
[[nodiscard]] HealthCheck resolve(HealthCheck check, const Service& service,
                                  const Instance& instance);

}  // namespace hitless::fleet
