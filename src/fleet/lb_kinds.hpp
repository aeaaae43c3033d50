// What the fleet file may say of each kind of load balancer: one entry per kind, one file lb_*.cpp
// per entry. The tables of `load_balancers` and of a service's `pools` are put together from these
// entries, so that a key of one kind is an error at another. Only for the .cpp files of this
// folder.
//
// A new kind: an enumerator of LbKind and its options in fleet.hpp, a file lb_<kind>.cpp with an
// entry, the entry in lb_kinds.cpp; then its driver in cli/wiring_pools.cpp.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/fleet.hpp"
#include "fleet/load_context.hpp"
#include "fleet/schema.hpp"

namespace hitless::fleet {

struct LbKindEntry {
  LbKind kind;
  const char* name;  // `kind:` in the fleet file
  // Keys of the load balancer beside `kind`, and of a pool beside `lb`. Of a pool all are texts or
  // choices.
  std::vector<Key> (*keys)();
  std::vector<Key> (*pool_keys)();
  // Which keys of a pool name the pool and the instance's member of it. An empty pool key: each
  // load balancer of this kind is one pool, named like it.
  const char* pool_key;
  const char* member_key;
  // Members are told apart by their hosts too: two instances may have the same member.
  bool member_is_on_host;
  // Its driver counts the host's own sockets, so every instance needs a port.
  bool needs_port;
  void (*decode)(const LoadContext&, const Reader&, LoadBalancer&);
  // Nodes (if it has any), and what else can be known without asking; called once for each.
  void (*validate)(const LoadContext&, const LoadBalancer&);
};

[[nodiscard]] std::span<const LbKindEntry> lb_kind_entries();
[[nodiscard]] const LbKindEntry& entry_of(LbKind kind);
[[nodiscard]] const LbKindEntry* find_lb_kind(std::string_view name);

// One for each file lb_*.cpp.
[[nodiscard]] LbKindEntry haproxy_entry();
[[nodiscard]] LbKindEntry command_entry();
[[nodiscard]] LbKindEntry elbv2_entry();
[[nodiscard]] LbKindEntry pgbouncer_entry();
[[nodiscard]] LbKindEntry nginx_entry();
[[nodiscard]] LbKindEntry touch_file_entry();
[[nodiscard]] LbKindEntry caddy_entry();
[[nodiscard]] LbKindEntry envoy_entry();
[[nodiscard]] LbKindEntry nginx_plus_entry();
[[nodiscard]] LbKindEntry traefik_entry();
[[nodiscard]] LbKindEntry consul_entry();
[[nodiscard]] LbKindEntry ipvs_entry();

// ---- for the entries ----------------------------------------------------------------------------
// The list under `nodes:`, each read with `table`; what is special about the kind is added by more.
void decode_nodes(const LoadContext& context, const Reader& reader, const Table& table,
                  LoadBalancer& lb, void (*more)(const Reader&, LbNode&));
// Names differ, hosts are defined.
void validate_nodes(const LoadContext& context, const LoadBalancer& lb);
[[nodiscard]] Key node_name_key();
// For kinds with an API that curl asks from the node: nodes with `url` and `host`, and `timeout`.
[[nodiscard]] Table http_node_table(std::string name, std::string about, std::string url,
                                    std::string about_url);
[[nodiscard]] Key http_timeout_key();
void decode_http_nodes(const LoadContext& context, const Reader& reader, const Table& table,
                       LoadBalancer& lb);
void validate_http_timeout(const LoadContext& context, const LoadBalancer& lb,
                           DurationMs timeout_ms);
[[nodiscard]] Endpoint endpoint_of(const std::string& text);      // of a value of Format::socket
[[nodiscard]] const std::vector<std::string>& instance_places();  // {host} {service} {port} …

}  // namespace hitless::fleet
