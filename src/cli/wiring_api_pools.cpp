// Pools of load balancers that are told through an API, a file or a program on their nodes.
#include "adapters/traffic/consul.hpp"
#include "adapters/traffic/envoy.hpp"
#include "adapters/traffic/ipvs.hpp"
#include "adapters/traffic/nginx_plus.hpp"
#include "adapters/traffic/traefik.hpp"
#include "cli/wiring_pools.hpp"

namespace hitless::cli {
namespace {

using Made = Result<std::unique_ptr<ports::Traffic>>;

// The members of a pool with their place in it, and their sockets.
template <class Member, class Pool>
void add_members(const PoolWiring& from, std::string Member::* place, Pool& pool) {
  pool.lb = from.lb->name;
  for (const PoolMember& member : from.members) {
    Member made;
    made.instance = core::InstanceId{member.instance->id};
    made.*place = member.target->member;
    pool.sockets.push_back({made.instance, member.host, member.instance->port.value_or(0)});
    pool.members.push_back(std::move(made));
  }
}

template <class Node, class Pool>
Status add_nodes(const PoolWiring& from, Pool& pool) {
  for (const fleet::LbNode& node : from.lb->nodes) {
    auto reached = from.host(node.host.value_or(""));
    if (!reached) return tl::unexpected<Error>(reached.error());
    Node made;
    made.name = node.name;
    made.host = *reached;
    if constexpr (requires { made.url; }) made.url = node.url;
    pool.nodes.push_back(std::move(made));
  }
  return {};
}

Made refused(const Status& why) {
  return tl::unexpected<Error>(why.error());
}

}  // namespace

Made make_envoy_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::EnvoyLb>(from.lb->options);
  EnvoyPool pool;
  add_members(from, &EnvoyMember::endpoint, pool);
  if (Status ok = add_nodes<EnvoyNode>(from, pool); !ok) return refused(ok);
  pool.cluster = from.pool;
  pool.file = options.endpoints;
  pool.panic_percent = options.panic_percent;
  pool.timeout_ms = options.timeout_ms;
  if (Status ok = check_envoy(pool); !ok) return refused(ok);
  return make_envoy(std::move(pool));
}

Made make_nginx_plus_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::NginxPlusLb>(from.lb->options);
  NginxPlusPool pool;
  add_members(from, &NginxPlusMember::server, pool);
  if (Status ok = add_nodes<NginxPlusNode>(from, pool); !ok) return refused(ok);
  pool.upstream = from.pool;
  pool.user = options.user;
  if (!options.password.empty())
    pool.password = [secret = options.password] { return secret.reveal(); };
  pool.timeout_ms = options.timeout_ms;
  if (Status ok = check_nginx_plus(pool); !ok) return refused(ok);
  return make_nginx_plus(std::move(pool));
}

Made make_traefik_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::TraefikLb>(from.lb->options);
  TraefikPool pool;
  add_members(from, &TraefikMember::server, pool);
  if (Status ok = add_nodes<TraefikNode>(from, pool); !ok) return refused(ok);
  pool.service = from.pool;
  pool.file = options.file;
  pool.timeout_ms = options.timeout_ms;
  if (Status ok = check_traefik(pool); !ok) return refused(ok);
  return make_traefik(std::move(pool));
}

Made make_consul_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::ConsulLb>(from.lb->options);
  ConsulPool pool;
  pool.lb = from.lb->name;
  pool.service = from.pool;
  pool.url = options.url;
  if (!options.token.empty()) pool.token = [secret = options.token] { return secret.reveal(); };
  pool.settle_ms = options.settle_ms;
  pool.timeout_ms = options.timeout_ms;
  for (const PoolMember& member : from.members)
    pool.members.push_back({core::InstanceId{member.instance->id}, member.host,
                            member.target->member, member.instance->port.value_or(0)});
  if (Status ok = check_consul(pool); !ok) return refused(ok);
  return make_consul(std::move(pool));
}

Made make_ipvs_pool(const PoolWiring& from) {
  IpvsPool pool;
  add_members(from, &IpvsMember::server, pool);
  if (Status ok = add_nodes<IpvsNode>(from, pool); !ok) return refused(ok);
  pool.service = from.pool;
  pool.binary = std::get<fleet::IpvsLb>(from.lb->options).binary;
  if (Status ok = check_ipvs(pool); !ok) return refused(ok);
  return make_ipvs(std::move(pool));
}

}  // namespace hitless::cli
