// Kind haproxy: its keys, and the fleet file against the load balancer's own haproxy.cfg.
#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/haproxy_cfg.hpp"
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {
namespace {

class HaproxyValidator {
 public:
  HaproxyValidator(const LoadContext& context, const LoadBalancer& lb, const Source& source)
      : context_(context), lb_(lb), source_(source), config_(parse_haproxy_cfg(source)) {}

  void run() {
    sockets();
    server_state();
    for (const auto& [name, service] : context_.fleet.services)
      for (std::size_t i = 0; i < service.pools.size(); ++i)
        if (service.pools[i].lb == lb_.name) pool(service, i);
  }

 private:
  [[nodiscard]] std::string at_line(int line) const {
    return fmt::format("{}:{}", source_.name(), line);
  }

  void sockets() {
    if (config_.stats_sockets.empty()) {
      auto& d = context_.warning("HL0406", context_.place({"load_balancers", lb_.name, "config"}),
                                 fmt::format("{} has no `stats socket`", source_.name()),
                                 "nothing to talk to");
      d.help = "add to `global`: stats socket /run/haproxy/admin.sock mode 660 level admin";
      return;
    }
    for (const auto& node : lb_.nodes) {
      if (node.socket.kind != Endpoint::Kind::unix_socket) continue;
      for (const auto& socket : config_.stats_sockets)
        if (socket.address == node.socket.path && socket.level != "admin") {
          auto& d = context_.error(
              "HL0406", context_.place({"load_balancers", lb_.name, "nodes"}),
              fmt::format("the socket of {} is at level {}, not admin", node.name, socket.level),
              "cannot drain through it");
          d.notes.push_back(at_line(socket.line));
        }
    }
  }

  // Drains survive reloads by it, and so does what the configuration no longer says.
  void server_state() {
    if (config_.server_state_line == 0) return;
    auto& d =
        context_.warning("HL0407", context_.place({"load_balancers", lb_.name, "config"}),
                         fmt::format("{} loads a server state file at each start", source_.name()),
                         "may bring back old addresses and ports");
    d.notes.push_back(at_line(config_.server_state_line));
    d.help =
        "write it anew (`show servers state`) right before each reload, and delete it when you "
        "change the address, port or TLS of a server";
  }

  void pool(const Service& service, std::size_t index) {
    const PoolRef& ref = service.pools[index];
    const LoadContext::Path path{"services", service.name, "pools", std::to_string(index)};
    const HaproxyBackend* backend = config_.find(ref.pool);
    if (backend == nullptr) return unknown_backend(ref, path);
    std::vector<std::string> missing;
    std::vector<const HaproxyServer*> unchecked;
    const HaproxyServer* slowest = nullptr;
    for (const auto& instance : service.instances) {
      const HaproxyServer* server = backend->find(instance.targets[index].member);
      if (server == nullptr) {
        missing.push_back(instance.targets[index].member);
        continue;
      }
      compare_address(instance, *backend, *server, path);
      if (!server->check)
        unchecked.push_back(server);
      else if (slowest == nullptr || server->rise_time_ms() > slowest->rise_time_ms())
        slowest = server;
    }
    if (!missing.empty()) missing_servers(*backend, missing, path);
    if (!unchecked.empty()) unchecked_servers(*backend, unchecked, path);
    if (slowest != nullptr) rejoin(service, *backend, *slowest);
    drain(service, *backend);
  }

  static LoadContext::Path below(LoadContext::Path path, const char* key) {
    path.emplace_back(key);
    return path;
  }

  void unknown_backend(const PoolRef& ref, const LoadContext::Path& path) {
    std::vector<std::string> known;
    for (const auto& backend : config_.backends) known.push_back(backend.name);
    const std::string meant = nearest(ref.pool, known);
    auto& d = context_.error(
        "HL0401", context_.place(below(path, "backend")),
        fmt::format("{} has no backend `{}`", source_.name(), escape_for_terminal(ref.pool)),
        meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    if (meant.empty() && !known.empty()) d.notes.push_back("it has: " + join(known, ", "));
  }

  void missing_servers(const HaproxyBackend& backend, const std::vector<std::string>& missing,
                       const LoadContext::Path& path) {
    std::vector<std::string> known;
    for (const auto& server : backend.servers) known.push_back(server.name);
    const std::string meant = nearest(missing.front(), known);
    auto& d =
        context_.error("HL0402", context_.place(below(path, "server")),
                       fmt::format("backend `{}` has no server {}", backend.name, listed(missing)),
                       meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    d.notes.push_back(fmt::format("{}: {}", at_line(backend.line),
                                  known.empty() ? "no servers at all" : "it has " + listed(known)));
  }

  static std::string listed(const std::vector<std::string>& names) {
    constexpr std::size_t most = 6;
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < names.size() && i < most; ++i)
      shown.push_back("`" + escape_for_terminal(names[i]) + "`");
    return join(shown, ", ") +
           (names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
  }

  void compare_address(const Instance& instance, const HaproxyBackend& backend,
                       const HaproxyServer& server, const LoadContext::Path& path) {
    const std::string name = backend.name + "/" + server.name;
    if (instance.port && server.port && *instance.port != *server.port) {
      auto& d = context_.error("HL0403", context_.place(below(path, "server")),
                               fmt::format("{} listens on port {}, but {} sends to port {}",
                                           instance.id, *instance.port, name, *server.port),
                               "another program would be drained");
      d.notes.push_back(at_line(server.line));
    } else if (!server.host.empty() && server.host != instance.address) {
      auto& d =
          context_.warning("HL0403", context_.place(below(path, "server")),
                           fmt::format("{} is at {}, but {} sends to {}", instance.id,
                                       instance.address, name, escape_for_terminal(server.host)),
                           "is it the same machine?");
      d.notes.push_back(at_line(server.line));
    }
  }

  void unchecked_servers(const HaproxyBackend& backend,
                         const std::vector<const HaproxyServer*>& unchecked,
                         const LoadContext::Path& path) {
    std::vector<std::string> names;
    for (const auto* server : unchecked) names.push_back(server->name);
    auto& d = context_.warning(
        "HL0404", context_.place(below(path, "backend")),
        fmt::format("in {} there is no `check` on {}", backend.name, listed(names)),
        "comes back unchecked");
    d.notes.push_back(at_line(unchecked.front()->line));
    d.help = "add `check` to the server (or to default-server)";
  }

  void rejoin(const Service& service, const HaproxyBackend& backend, const HaproxyServer& server) {
    const DurationMs needed = server.rise_time_ms(), given = service.policy.rejoin.deadline_ms;
    if (needed <= given) return;
    const DurationMs inter = server.fastinter_ms.value_or(server.inter_ms);
    auto& d = context_.error(
        "HL0309", context_.place({"services", service.name, "policy", "rejoin", "deadline"}),
        fmt::format("rejoin.deadline {} is shorter than the checks of {}/{} need ({} x {} = {})",
                    format_duration(given), backend.name, server.name, server.rise,
                    format_duration(inter), format_duration(needed)),
        "can never be met");
    d.notes.push_back(at_line(server.line));
  }

  void drain(const Service& service, const HaproxyBackend& backend) {
    const auto& policy = service.policy.drain;
    if (policy.on_deadline == OnDeadline::wait) return;
    const Span at = context_.place({"services", service.name, "policy", "drain", "deadline"});
    const char* outcome = policy.on_deadline == OnDeadline::force
                              ? "such a request would be cut"
                              : "such a request would stop the rollout";
    if (backend.timeout_server_ms && *backend.timeout_server_ms > policy.deadline_ms) {
      auto& d = context_.error(
          "HL0306", at,
          fmt::format("drain.deadline {} is shorter than the {} that {} gives a request",
                      format_duration(policy.deadline_ms),
                      format_duration(*backend.timeout_server_ms), backend.name),
          outcome);
      d.notes.push_back(fmt::format("{}: timeout server", at_line(backend.line)));
      d.help = fmt::format("drain: {{ deadline: {}s }} or more, or on_deadline: wait",
                           (*backend.timeout_server_ms + 999) / 1000);
    } else if (backend.timeout_tunnel_ms && *backend.timeout_tunnel_ms > policy.deadline_ms) {
      auto& d = context_.warning(
          "HL0306", at,
          fmt::format("{} lets tunnels (WebSockets) live for {}, longer than drain.deadline {}",
                      backend.name, format_duration(*backend.timeout_tunnel_ms),
                      format_duration(policy.deadline_ms)),
          outcome);
      d.notes.push_back(fmt::format("{}: timeout tunnel", at_line(backend.line)));
    }
  }

  const LoadContext& context_;
  const LoadBalancer& lb_;
  const Source& source_;
  HaproxyConfig config_;
};

using namespace types;

const Table& node_table() {
  static const Table table{
      "haproxy_node",
      "One node of HAProxy",
      {node_name_key(),
       needed(also({"stats_socket", "admin_socket"},
                   key("socket", text(Format::socket), "",
                       "Runtime API at level admin: unix:/path or tcp:host:port."))),
       also({"master_socket"}, key("master", text(Format::socket), "",
                                   "Master CLI: lets old workers be counted after a reload.")),
       key("host", text(Format::host_name), "",
           "The unix sockets are on that host and reached over its ssh connection.")},
      "",
      {},
      {}};
  return table;
}

std::vector<Key> keys() {
  return {
      key("config", text(Format::path), "",
          "Its haproxy.cfg: lets `check` compare pools, servers and timeouts offline."),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"pool"}, key("backend", text(Format::name), "", "Backend there."))),
          key("server", text(Format::name, {"host", "service", "port"}), "{host}",
              "Name of the instance's server in that backend.")};
}

void decode_node(const Reader& reader, LbNode& made) {
  made.socket = endpoint_of(reader.text("socket"));
  if (auto master = reader.optional_text("master")) made.master = endpoint_of(*master);
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  HaproxyLb options;
  if (auto config = reader.optional_text("config"))
    options.config = context.path_from_here(*config);
  lb.options = std::move(options);
  decode_nodes(context, reader, node_table(), lb, decode_node);
}

void hosts_without_effect(const LoadContext& context, const LoadBalancer& lb) {
  for (std::size_t i = 0; i < lb.nodes.size(); ++i) {
    const LbNode& node = lb.nodes[i];
    if (!node.host) continue;
    const bool any_unix = node.socket.kind == Endpoint::Kind::unix_socket ||
                          (node.master && node.master->kind == Endpoint::Kind::unix_socket);
    if (any_unix) continue;
    context.warning("HL0212",
                    context.place({"load_balancers", lb.name, "nodes", std::to_string(i), "host"}),
                    "`host` has no effect: no socket of this node is a unix socket",
                    "tcp sockets are reached directly");
  }
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  hosts_without_effect(context, lb);
  const auto* options = std::get_if<HaproxyLb>(&lb.options);
  if (options == nullptr || !options->config) return;
  Source source;
  Diagnostics own;
  if (Source::read(*options->config, *options->config, own, source)) {
    HaproxyValidator(context, lb, source).run();
    return;
  }
  for (const auto& d : own.take_sorted())
    context.error("HL0405", context.place({"load_balancers", lb.name, "config"}), d.message,
                  "cannot be compared");
}

}  // namespace

LbKindEntry haproxy_entry() {
  return {LbKind::haproxy, "haproxy", keys,  pool_keys, "backend",
          "server",        false,     false, decode,    validate};
}

}  // namespace hitless::fleet
