#include "cli/wiring_pools.hpp"

#include <map>

#include "adapters/traffic/caddy.hpp"
#include "adapters/traffic/command.hpp"
#include "adapters/traffic/envoy.hpp"
#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/ipvs.hpp"
#include "adapters/traffic/nginx_lb.hpp"
#include "adapters/traffic/pgbouncer.hpp"
#include "adapters/traffic/touch_file.hpp"
#include "adapters/traffic/traefik.hpp"
#include "fleet/words.hpp"

namespace hitless::cli {
namespace {

using Made = Result<std::unique_ptr<ports::Traffic>>;

Made make_haproxy_pool(const PoolWiring& from) {
  HaproxyPool pool;
  pool.lb = from.lb->name;
  pool.backend = from.pool;
  for (const PoolMember& member : from.members)
    pool.servers.emplace_back(core::InstanceId{member.instance->id}, member.target->member);
  for (const fleet::LbNode& node : from.lb->nodes) {
    HaproxyNode to{node.name, node.socket.text, node.master ? node.master->text : "", {}, {}};
    if (node.host) {
      auto reached = from.host(*node.host);
      if (!reached) return tl::unexpected<Error>(reached.error());
      to.forward = [on = *reached](std::string path) { return on->forward_unix(std::move(path)); };
    }
    pool.nodes.push_back(std::move(to));
  }
  if (Status ok = check_haproxy(pool); !ok) return tl::unexpected<Error>(ok.error());
  return make_haproxy(std::move(pool));
}

std::vector<std::string> expanded(const std::vector<std::string>& argv,
                                  const fleet::Placeholders& values) {
  std::vector<std::string> out;
  for (const std::string& word : argv) out.push_back(fleet::expand(word, values));
  return out;
}

Made make_command_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::CommandLb>(from.lb->options);
  CommandPool pool;
  pool.lb = from.lb->name;
  pool.pool = from.pool;
  pool.timeout_ms = options.timeout_ms;
  pool.settle_ms = options.settle_ms;
  for (const fleet::LbNode& node : from.lb->nodes) {
    auto reached = from.host(node.host.value_or(""));
    if (!reached) return tl::unexpected<Error>(reached.error());
    CommandNode to{node.name, *reached, {}};
    for (const PoolMember& member : from.members) {
      fleet::Placeholders values = fleet::placeholders_of(*from.service, *member.instance);
      values.emplace_back("node", node.name);
      values.emplace_back("pool", from.pool);
      values.emplace_back("member", member.target->member);
      CommandMember made;
      made.instance = core::InstanceId{member.instance->id};
      made.member = member.target->member;
      made.drain = expanded(options.drain, values);
      made.rejoin = expanded(options.rejoin, values);
      made.state = expanded(options.state, values);
      made.count = expanded(options.count, values);
      made.close = expanded(options.close, values);
      to.members.push_back(std::move(made));
    }
    pool.nodes.push_back(std::move(to));
  }
  for (const PoolMember& member : from.members)
    pool.sockets.push_back(
        {core::InstanceId{member.instance->id}, member.host, member.instance->port.value_or(0)});
  return make_command_traffic(std::move(pool));
}

Made make_pgbouncer_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::PgbouncerLb>(from.lb->options);
  PgbouncerPool pool;
  pool.lb = from.lb->name;
  pool.database = from.pool;
  if (from.members.size() != 1)
    return fail(ErrorCode::invalid, "database " + from.pool + " stands for several instances");
  pool.instance = core::InstanceId{from.members.front().instance->id};
  pool.user = options.user;
  pool.resume_user = options.resume_user;
  pool.os_user = options.os_user;
  pool.max_pause_ms = options.max_pause_ms;
  if (!options.password.empty())
    pool.password = [secret = options.password] { return secret.reveal(); };
  for (const fleet::LbNode& node : from.lb->nodes) {
    auto reached = from.host(node.host.value_or(""));
    if (!reached) return tl::unexpected<Error>(reached.error());
    PgbouncerNode to{node.name, node.socket.text, {}, *reached};
    if (node.host)
      to.forward = [on = *reached](std::string path) { return on->forward_unix(std::move(path)); };
    pool.nodes.push_back(std::move(to));
  }
  if (Status ok = check_pgbouncer(pool); !ok) return tl::unexpected<Error>(ok.error());
  return make_pgbouncer(std::move(pool));
}

NginxLbFiles nginx_files(const fleet::LoadBalancer& lb) {
  const auto& options = std::get<fleet::NginxLb>(lb.options);
  return {options.upstreams, options.binary, options.main_config, options.error_log,
          options.pid_file};
}

Made make_nginx_pool(const PoolWiring& from) {
  NginxLbPool pool;
  pool.lb = from.lb->name;
  pool.upstream = from.pool;
  pool.files = nginx_files(*from.lb);
  for (const fleet::LbNode& node : from.lb->nodes) {
    auto reached = from.host(node.host.value_or(""));
    if (!reached) return tl::unexpected<Error>(reached.error());
    pool.nodes.push_back({node.name, *reached});
  }
  for (const PoolMember& member : from.members) {
    const core::InstanceId id{member.instance->id};
    pool.members.push_back({id, member.target->member});
    pool.sockets.push_back({id, member.host, member.instance->port.value_or(0)});
    const auto when = member.target->extras.find("drained_when");
    if (when != member.target->extras.end() && when->second == "no_sockets")
      pool.sockets_suffice = true;
  }
  if (Status ok = check_nginx_lb(pool); !ok) return tl::unexpected<Error>(ok.error());
  return make_nginx_lb(std::move(pool));
}

Made make_caddy_pool(const PoolWiring& from) {
  CaddyPool pool;
  pool.lb = from.lb->name;
  pool.id = from.pool;
  pool.timeout_ms = std::get<fleet::CaddyLb>(from.lb->options).timeout_ms;
  for (const fleet::LbNode& node : from.lb->nodes) {
    auto reached = from.host(node.host.value_or(""));
    if (!reached) return tl::unexpected<Error>(reached.error());
    pool.nodes.push_back({node.name, *reached, node.url});
  }
  for (const PoolMember& member : from.members) {
    const core::InstanceId id{member.instance->id};
    pool.members.push_back({id, member.target->member});
    pool.sockets.push_back({id, member.host, member.instance->port.value_or(0)});
  }
  if (Status ok = check_caddy(pool); !ok) return tl::unexpected<Error>(ok.error());
  return make_caddy(std::move(pool));
}

Made make_touch_file_pool(const PoolWiring& from) {
  TouchFilePool pool;
  pool.lb = from.lb->name;
  pool.settle_ms = std::get<fleet::TouchFileLb>(from.lb->options).settle_ms;
  for (const PoolMember& member : from.members)
    pool.members.push_back({core::InstanceId{member.instance->id}, member.host,
                            member.target->member, member.instance->port.value_or(0)});
  return make_touch_file(std::move(pool));
}

const char* name_of(fleet::LbKind kind) {
  switch (kind) {
    case fleet::LbKind::haproxy:
      return "haproxy";
    case fleet::LbKind::command:
      return "command";
    case fleet::LbKind::nginx:
      return "nginx";
    case fleet::LbKind::touch_file:
      return "touch_file";
    case fleet::LbKind::elbv2:
      return "elbv2";
    case fleet::LbKind::pgbouncer:
      return "pgbouncer";
    case fleet::LbKind::envoy:
      return "envoy";
    case fleet::LbKind::nginx_plus:
      return "nginx_plus";
    case fleet::LbKind::traefik:
      return "traefik";
    case fleet::LbKind::consul:
      return "consul";
    case fleet::LbKind::ipvs:
      return "ipvs";
    case fleet::LbKind::caddy:
      break;
  }
  return "caddy";
}

}  // namespace

Made wire_pool(const PoolWiring& pool) {
  switch (pool.lb->kind) {
    case fleet::LbKind::haproxy:
      return make_haproxy_pool(pool);
    case fleet::LbKind::command:
      return make_command_pool(pool);
    case fleet::LbKind::elbv2:
      return make_elbv2_pool(pool);
    case fleet::LbKind::pgbouncer:
      return make_pgbouncer_pool(pool);
    case fleet::LbKind::nginx:
      return make_nginx_pool(pool);
    case fleet::LbKind::touch_file:
      return make_touch_file_pool(pool);
    case fleet::LbKind::envoy:
      return make_envoy_pool(pool);
    case fleet::LbKind::nginx_plus:
      return make_nginx_plus_pool(pool);
    case fleet::LbKind::traefik:
      return make_traefik_pool(pool);
    case fleet::LbKind::consul:
      return make_consul_pool(pool);
    case fleet::LbKind::ipvs:
      return make_ipvs_pool(pool);
    case fleet::LbKind::caddy:
      break;
  }
  return make_caddy_pool(pool);
}

Result<std::vector<std::unique_ptr<ports::Traffic>>> wire_pools(const fleet::Fleet& fleet,
                                                                const fleet::Service& service,
                                                                const engine::ServiceParts& parts,
                                                                const HostOf& host) {
  std::map<std::pair<std::string, std::string>, PoolWiring> pools;
  for (const fleet::Instance& instance : service.instances) {
    const engine::InstanceParts* part = parts.instances.find(core::InstanceId{instance.id});
    for (const fleet::Target& target : instance.targets) {
      PoolWiring& pool = pools[{target.lb, target.pool}];
      pool.members.push_back({&instance, &target, part == nullptr ? nullptr : part->host});
    }
  }
  std::vector<std::unique_ptr<ports::Traffic>> all;
  for (auto& [key, pool] : pools) {
    pool.service = &service;
    pool.lb = fleet.load_balancer(key.first);
    pool.pool = key.second;
    pool.host = host;
    if (pool.lb == nullptr)
      return fail(ErrorCode::internal, "load balancer " + key.first + " is not in the fleet");
    auto made = wire_pool(pool);
    if (!made) return tl::unexpected<Error>(made.error());
    all.push_back(std::move(*made));
  }
  return all;
}

Status add_watched(const fleet::LoadBalancer& lb, const fleet::Target& target, const HostOf& host,
                   watchdog::WatchedInstance& watched) {
  if (lb.kind == fleet::LbKind::pgbouncer) return {};  // each PAUSE brings its own timer
  if (lb.kind != fleet::LbKind::haproxy) {
    watched.not_covered.push_back(lb.name + " (" + name_of(lb.kind) + ")");
    return {};
  }
  for (const fleet::LbNode& node : lb.nodes) {
    auto from = host(node.host.value_or(""));
    if (!from) return tl::unexpected<Error>(from.error());
    watched.targets.push_back({node.name, node.socket.text, target.pool, target.member, *from});
  }
  return {};
}

ports::PrivilegedCommands privileged_commands(const fleet::LoadBalancer& lb) {
  if (lb.kind == fleet::LbKind::pgbouncer) return pgbouncer_privileged_commands();
  if (lb.kind == fleet::LbKind::nginx) return nginx_lb_commands(nginx_files(lb));
  if (const auto* envoy = std::get_if<fleet::EnvoyLb>(&lb.options))
    return envoy_commands(envoy->endpoints);
  if (const auto* traefik = std::get_if<fleet::TraefikLb>(&lb.options))
    return traefik_commands(traefik->file);
  if (const auto* ipvs = std::get_if<fleet::IpvsLb>(&lb.options))
    return ipvs_commands(ipvs->binary);
  return {};
}

ports::PrivilegedCommands privileged_commands(const fleet::Fleet& fleet,
                                              const fleet::Target& target) {
  const fleet::LoadBalancer* lb = fleet.load_balancer(target.lb);
  return lb != nullptr && lb->kind == fleet::LbKind::touch_file ? touch_file_commands(target.member)
                                                                : ports::PrivilegedCommands{};
}

}  // namespace hitless::cli
