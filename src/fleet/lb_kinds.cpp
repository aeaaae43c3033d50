#include "fleet/lb_kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/schema_types.hpp"
#include "fleet/words.hpp"

namespace hitless::fleet {

using namespace types;

std::span<const LbKindEntry> lb_kind_entries() {
  static const std::array entries{haproxy_entry(),   command_entry(),    elbv2_entry(),
                                  nginx_entry(),     touch_file_entry(), caddy_entry(),
                                  pgbouncer_entry(), envoy_entry(),      nginx_plus_entry(),
                                  traefik_entry(),   consul_entry(),     ipvs_entry()};
  return entries;
}

const LbKindEntry& entry_of(LbKind kind) {
  const auto all = lb_kind_entries();
  const auto found = std::ranges::find(all, kind, &LbKindEntry::kind);
  return found == all.end() ? all.front() : *found;
}

const LbKindEntry* find_lb_kind(std::string_view name) {
  for (const LbKindEntry& entry : lb_kind_entries())
    if (entry.name == name) return &entry;
  return nullptr;
}

const Table& load_balancer_table() {
  static const Table table = [] {
    Table made{"load_balancer",
               "One load balancer of one or more nodes with the same pools",
               {},
               "kind",
               {},
               {}};
    std::vector<std::string> kinds;
    for (const LbKindEntry& entry : lb_kind_entries()) kinds.emplace_back(entry.name);
    made.keys.push_back(
        needed(key("kind", choice(std::move(kinds)), "", "Which program or service it is.")));
    for (const LbKindEntry& entry : lb_kind_entries())
      for (Key& each : entry.keys()) made.keys.push_back(only({entry.name}, std::move(each)));
    return made;
  }();
  return table;
}

const Table& pool_table() {
  static const Table table = [] {
    Table made{"pool", "A place in a load balancer", {}, "lb", {}, {}, "load_balancers"};
    made.keys.push_back(needed(
        also({"load_balancer"}, key("lb", text(Format::name), "", "A key of load_balancers."))));
    for (const LbKindEntry& entry : lb_kind_entries())
      for (Key& each : entry.pool_keys()) made.keys.push_back(only({entry.name}, std::move(each)));
    return made;
  }();
  return table;
}

void decode_load_balancers(LoadContext& context) {
  const Node* all = context.root.find("load_balancers");
  if (all == nullptr || all->kind != Node::Kind::map) return;
  for (std::size_t i = 0; i < all->keys.size(); ++i) {
    const Reader reader(all->items[i], load_balancer_table());
    LoadBalancer made;
    made.name = all->keys[i].text;
    made.mark = context.mark(all->keys[i].span);
    // An unknown kind was reported; its pools are read as of the first kind.
    if (const LbKindEntry* entry = find_lb_kind(reader.kind())) {
      made.kind = entry->kind;
      entry->decode(context, reader, made);
    }
    context.fleet.load_balancers.emplace(made.name, std::move(made));
  }
}

PoolRef decode_pool(const LoadContext& context, const Node& node) {
  const Node* lb_name = node.find("lb");
  const LoadBalancer* lb =
      lb_name == nullptr ? nullptr : context.fleet.load_balancer(lb_name->text);
  const LbKindEntry& entry = entry_of(lb == nullptr ? LbKind::haproxy : lb->kind);
  const Reader reader(node, pool_table(), entry.name);
  PoolRef made;
  made.lb = reader.text("lb");
  made.pool = *entry.pool_key == '\0' ? made.lb : reader.text(entry.pool_key);
  made.mark = context.mark(reader.span(*entry.pool_key == '\0' ? "lb" : entry.pool_key));
  for (const Key& each : entry.pool_keys()) {
    if (each.name == entry.member_key) {
      made.member = reader.text(each.name);
    } else if (each.name != entry.pool_key) {
      if (auto value = reader.optional_text(each.name)) made.extras[each.name] = *value;
    }
  }
  return made;
}

namespace {

void validate_port(const LoadContext& context, const LoadBalancer& lb) {
  for (const auto& [name, service] : context.fleet.services)
    for (std::size_t i = 0; i < service.pools.size(); ++i) {
      if (service.pools[i].lb != lb.name) continue;
      for (const Instance& instance : service.instances) {
        if (instance.port) continue;
        auto& d =
            context.error("HL0220", context.place({"services", name, "pools", std::to_string(i)}),
                          fmt::format("{} has no port, but `{}` needs one", instance.id, lb.name),
                          "its sockets are what is counted");
        d.help = "add `port:` (or `ports:`) to the service";
        return;
      }
    }
}

}  // namespace

void validate_load_balancers(const LoadContext& context) {
  for (const auto& [name, lb] : context.fleet.load_balancers) {
    const LbKindEntry& entry = entry_of(lb.kind);
    entry.validate(context, lb);
    if (entry.needs_port) validate_port(context, lb);
  }
}

void decode_nodes(const LoadContext& context, const Reader& reader, const Table& table,
                  LoadBalancer& lb, void (*more)(const Reader&, LbNode&)) {
  const Node* nodes = reader.node("nodes");
  if (nodes == nullptr || nodes->kind != Node::Kind::list) return;
  for (const auto& node : nodes->items) {
    const Reader each(node, table);
    LbNode made;
    made.name = each.text("name");
    made.mark = context.mark(each.span("name"));
    if (table.find("host") != nullptr) made.host = each.optional_text("host");
    if (more != nullptr) more(each, made);
    lb.nodes.push_back(std::move(made));
  }
}

void validate_nodes(const LoadContext& context, const LoadBalancer& lb) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < lb.nodes.size(); ++i) {
    const LbNode& node = lb.nodes[i];
    const auto at = [&](const char* key) {
      return context.place({"load_balancers", lb.name, "nodes", std::to_string(i), key});
    };
    if (!node.name.empty() && !seen.insert(node.name).second)
      context.error("HL0210", at("name"),
                    fmt::format("two nodes are called `{}`", escape_for_terminal(node.name)),
                    "names must differ");
    if (!node.host || context.fleet.hosts.count(*node.host) > 0 || !check_host_name(*node.host))
      continue;
    std::vector<std::string> known;
    for (const auto& [name, host] : context.fleet.hosts) known.push_back(name);
    const std::string meant = nearest(*node.host, known);
    context.error("HL0201", at("host"), fmt::format("host `{}` is not defined", *node.host),
                  meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
  }
}

Endpoint endpoint_of(const std::string& text) {
  Endpoint endpoint;
  endpoint.text = text;
  if (text.compare(0, 5, "unix:") == 0) {
    endpoint.path = text.substr(5);
    return endpoint;
  }
  endpoint.kind = Endpoint::Kind::tcp;
  if (text.size() > 4)
    if (auto parsed = parse_host_port(std::string_view(text).substr(4))) {
      endpoint.host = parsed->host;
      endpoint.port = parsed->port;
    }
  return endpoint;
}

Key node_name_key() {
  return needed(key("name", text(Format::name), "", "Shown in plans and logs."));
}

Table http_node_table(std::string name, std::string about, std::string url, std::string about_url) {
  return {std::move(name),
          std::move(about),
          {node_name_key(),
           also({"admin", "api"},
                key("url", text(Format::http_url), std::move(url), std::move(about_url))),
           key("host", text(Format::host_name), "",
               "curl runs there, over its ssh connection; default: on this machine.")},
          "",
          {},
          {}};
}

Key http_timeout_key() {
  return key("timeout", duration(), "2s", "For one call of its API; at most 2.5s.");
}

void decode_http_nodes(const LoadContext& context, const Reader& reader, const Table& table,
                       LoadBalancer& lb) {
  decode_nodes(context, reader, table, lb, [](const Reader& each, LbNode& made) {
    made.url = each.text("url");
    while (made.url.ends_with('/')) made.url.pop_back();
  });
}

void validate_http_timeout(const LoadContext& context, const LoadBalancer& lb,
                           DurationMs timeout_ms) {
  constexpr DurationMs kMinMs = 100, kMaxMs = 2'500;  // the engine waits 3 s for a reading
  if (timeout_ms >= kMinMs && timeout_ms <= kMaxMs) return;
  context.error("HL0108", context.place({"load_balancers", lb.name, "timeout"}),
                fmt::format("`timeout` of `{}` wants 100ms to 2.5s", lb.name), "out of range");
}

const std::vector<std::string>& instance_places() {
  static const std::vector<std::string> names{"host", "service", "port", "address"};
  return names;
}

}  // namespace hitless::fleet
