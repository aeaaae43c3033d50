// The fleet file against each load balancer's own haproxy.cfg.
#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

class HaproxyValidator {
 public:
  HaproxyValidator(const LoadContext& context, const LoadBalancer& lb, const Source& source)
      : context_(context), lb_(lb), source_(source), config_(parse_haproxy_cfg(source)) {}

  void run() {
    sockets();
    for (const auto& [name, service] : context_.fleet.services)
      for (std::size_t i = 0; i < service.pools.size(); ++i)
        if (service.pools[i].lb == lb_.name) pool(service, i);
  }

 private:
  [[nodiscard]] std::string at_line(int line) const { return fmt::format("{}:{}", source_.name(), line); }

  void sockets() {
    if (config_.stats_sockets.empty()) {
      auto& d = context_.warning("HL0406", context_.place({"load_balancers", lb_.name, "config"}),
                                 fmt::format("{} has no `stats socket`", source_.name()), "nothing to talk to");
      d.help = "add to `global`: stats socket /run/haproxy/admin.sock mode 660 level admin";
      return;
    }
    for (const auto& node : lb_.nodes) {
      if (node.socket.kind != Endpoint::Kind::unix_socket) continue;
      for (const auto& socket : config_.stats_sockets)
        if (socket.address == node.socket.path && socket.level != "admin") {
          auto& d = context_.error("HL0406", context_.place({"load_balancers", lb_.name, "nodes"}),
                                   fmt::format("the socket of {} is at level {}, not admin", node.name, socket.level),
                                   "cannot drain through it");
          d.notes.push_back(at_line(socket.line));
        }
    }
  }

  void pool(const Service& service, std::size_t index) {
    const PoolRef& ref = service.pools[index];
    const LoadContext::Path path{"services", service.name, "pools", std::to_string(index)};
    const HaproxyBackend* backend = config_.find(ref.backend);
    if (backend == nullptr) return unknown_backend(ref, path);
    for (const auto& instance : service.instances) {
      const Target& target = instance.targets[index];
      const HaproxyServer* server = backend->find(target.server);
      if (server == nullptr) unknown_server(*backend, target, path);
      else compare_server(service, instance, *backend, *server, path);
    }
    drain(service, *backend);
  }

  static LoadContext::Path below(LoadContext::Path path, const char* key) {
    path.emplace_back(key);
    return path;
  }

  void unknown_backend(const PoolRef& ref, const LoadContext::Path& path) {
    std::vector<std::string> known;
    for (const auto& backend : config_.backends) known.push_back(backend.name);
    const std::string meant = nearest(ref.backend, known);
    auto& d = context_.error("HL0401", context_.place(below(path, "backend")),
                             fmt::format("{} has no backend `{}`", source_.name(), escape_for_terminal(ref.backend)),
                             meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    if (meant.empty() && !known.empty()) d.notes.push_back("it has: " + join(known, ", "));
  }

  void unknown_server(const HaproxyBackend& backend, const Target& target, const LoadContext::Path& path) {
    std::vector<std::string> known;
    for (const auto& server : backend.servers) known.push_back(server.name);
    const std::string meant = nearest(target.server, known);
    auto& d = context_.error("HL0402", context_.place(below(path, "server")),
                             fmt::format("backend `{}` has no server `{}`", backend.name, target.server),
                             meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    d.notes.push_back(fmt::format("{}: {}", at_line(backend.line),
                                  known.empty() ? "no servers at all" : "it has " + join(known, ", ")));
  }

  void compare_server(const Service& service, const Instance& instance, const HaproxyBackend& backend,
                      const HaproxyServer& server, const LoadContext::Path& path) {
    if (instance.port && server.port && *instance.port != *server.port) {
      auto& d = context_.error("HL0403", context_.place(below(path, "server")),
                               fmt::format("{} listens on port {}, but {} sends to port {}", instance.id, *instance.port,
                                           backend.name + "/" + server.name, *server.port),
                               "another program would be drained");
      d.notes.push_back(at_line(server.line));
    } else if (!server.host.empty() && server.host != instance.address) {
      auto& d = context_.warning("HL0403", context_.place(below(path, "server")),
                                 fmt::format("{} is at {}, but {} sends to {}", instance.id, instance.address,
                                             backend.name + "/" + server.name, server.host),
                                 "is it the same machine?");
      d.notes.push_back(at_line(server.line));
    }
    if (!server.check) {
      auto& d = context_.warning("HL0404", context_.place(below(path, "backend")),
                                 fmt::format("{}/{} has no `check`", backend.name, server.name), "comes back unchecked");
      d.notes.push_back(at_line(server.line));
      d.help = "add `check` to the server (or to default-server)";
      return;
    }
    const DurationMs needed = server.rise_time_ms();
    if (needed <= service.policy.rejoin.deadline_ms) return;
    auto& d = context_.error("HL0309", context_.place({"services", service.name, "policy", "rejoin", "deadline"}),
                             fmt::format("rejoin.deadline {} is shorter than {}'s own checks need ({} x {} = {})",
                                         format_duration(service.policy.rejoin.deadline_ms), backend.name + "/" + server.name,
                                         server.rise, format_duration(server.fastinter_ms.value_or(server.inter_ms)),
                                         format_duration(needed)),
                             "can never be met");
    d.notes.push_back(at_line(server.line));
  }

  void drain(const Service& service, const HaproxyBackend& backend) {
    const auto& policy = service.policy.drain;
    if (policy.on_deadline == OnDeadline::wait) return;
    const Span at = context_.place({"services", service.name, "policy", "drain", "deadline"});
    const char* outcome = policy.on_deadline == OnDeadline::force ? "such a request would be cut"
                                                                  : "such a request would stop the rollout";
    if (backend.timeout_server_ms && *backend.timeout_server_ms > policy.deadline_ms) {
      auto& d = context_.error("HL0306", at,
                               fmt::format("drain.deadline {} is shorter than the {} that {} gives a request",
                                           format_duration(policy.deadline_ms),
                                           format_duration(*backend.timeout_server_ms), backend.name),
                               outcome);
      d.notes.push_back(fmt::format("{}: timeout server", at_line(backend.line)));
      d.help = fmt::format("drain: {{ deadline: {}s }} or more, or on_deadline: wait",
                           (*backend.timeout_server_ms + 999) / 1000);
    } else if (backend.timeout_tunnel_ms && *backend.timeout_tunnel_ms > policy.deadline_ms) {
      auto& d = context_.warning("HL0306", at,
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

}  // namespace

void validate_haproxy(const LoadContext& context) {
  for (const auto& [name, lb] : context.fleet.load_balancers) {
    if (!lb.config) continue;
    Source source;
    Diagnostics own;
    if (Source::read(*lb.config, *lb.config, own, source)) {
      HaproxyValidator(context, lb, source).run();
      continue;
    }
    for (const auto& d : own.take_sorted())
      context.error("HL0405", context.place({"load_balancers", name, "config"}), d.message, "cannot be compared");
  }
}

}  // namespace hitless::fleet
