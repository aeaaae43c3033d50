// Kind pgbouncer: a PostgreSQL behind it is out of rotation while its clients wait in a queue.
#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

constexpr DurationMs kMinPauseMs = 3'000, kMaxPauseMs = 600'000;
constexpr DurationMs kLeastForTheRestMs = 5'000;  // of a PAUSE, after the drain

const Table& node_table() {
  static const Table table{
      "pgbouncer_node",
      "One PgBouncer",
      {node_name_key(),
       needed(key("socket", text(Format::socket), "",
                  "Its socket: unix:/run/postgresql/.s.PGSQL.6432 or tcp:HOST:PORT.")),
       key("host", text(Format::host_name), "",
           "Where it runs: a unix socket is reached over ssh, and a PAUSE is ended from there "
           "when hitless is gone. Default: this machine.")},
      "",
      {},
      {}};
  return table;
}

std::vector<Key> keys() {
  return {also({"admin_user"}, key("user", text(Format::user), "pgbouncer",
                                   "Logs in to the console; one of admin_users.")),
          key("password", text(Format::secret), "", "Of that user."),
          key("resume_user", text(Format::user), "pgbouncer",
              "Ends a PAUSE from the node's host, without a password; one of admin_users, or "
              "pgbouncer."),
          key("os_user", text(Format::user), "postgres",
              "The user of the system that psql runs as there, when hitless is root on that host."),
          key("max_pause", duration(), "30s",
              "No client waits longer than this for one restart, whatever happens to hitless."),
          needed(key("nodes", list(object(node_table()), 1, 64), "", "Every PgBouncer in front."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"backend", "pool"}, key("database", text(Format::name, instance_places()),
                                               "", "Entry in [databases] that leads to it.")))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  PgbouncerLb options;
  options.user = reader.text("user");
  options.password = reader.secret("password");
  options.resume_user = reader.text("resume_user");
  options.os_user = reader.text("os_user");
  options.max_pause_ms = reader.duration("max_pause");
  lb.options = std::move(options);
  decode_nodes(context, reader, node_table(), lb, [](const Reader& each, LbNode& node) {
    node.socket = endpoint_of(each.text("socket"));
  });
}

void validate_sockets(const LoadContext& context, const LoadBalancer& lb) {
  for (std::size_t i = 0; i < lb.nodes.size(); ++i) {
    const Endpoint& socket = lb.nodes[i].socket;
    if (socket.kind != Endpoint::Kind::unix_socket || socket.path.empty() ||
        socket.path.find("/.s.PGSQL.") != std::string::npos)
      continue;
    auto& d = context.error(
        "HL0221", context.place({"load_balancers", lb.name, "nodes", std::to_string(i), "socket"}),
        fmt::format("`{}` is not a socket of PgBouncer", escape_for_terminal(socket.path)),
        "its name is .s.PGSQL. and a number");
    d.help = "unix:/run/postgresql/.s.PGSQL.6432 (unix_socket_dir and listen_port)";
  }
}

// What is left of a PAUSE after the longest drain must be enough for a restart, and a drain that
// waits on would pause again and again.
void validate_service(const LoadContext& context, const LoadBalancer& lb, DurationMs max_pause_ms,
                      const Service& service) {
  const auto& drain = service.policy.drain;
  const auto at = [&](const char* key) {
    return context.place({"services", service.name, "policy", "drain", key});
  };
  if (drain.deadline_ms + kLeastForTheRestMs > max_pause_ms) {
    auto& d = context.error(
        "HL0222", at("deadline"),
        fmt::format("drain.deadline {} leaves nothing of max_pause {} of `{}` for the restart",
                    format_duration(drain.deadline_ms), format_duration(max_pause_ms), lb.name),
        fmt::format("at most {}",
                    format_duration(std::max<DurationMs>(max_pause_ms - kLeastForTheRestMs, 0))));
    d.help = "policy: { drain: { deadline: 10s } }: how long a transaction may hold up the restart";
  }
  if (drain.on_deadline == OnDeadline::abort) return;
  auto& d = context.error("HL0222", at("on_deadline"),
                          "behind PgBouncer a drain that is over ends: on_deadline is abort",
                          "the clients wait in its queue meanwhile");
  d.help = "leave it out; end long transactions first, or raise drain.deadline and max_pause";
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  validate_sockets(context, lb);
  const auto* options = std::get_if<PgbouncerLb>(&lb.options);
  if (options == nullptr) return;
  if (options->max_pause_ms < kMinPauseMs || options->max_pause_ms > kMaxPauseMs) {
    context.error("HL0108", context.place({"load_balancers", lb.name, "max_pause"}),
                  fmt::format("`max_pause` of `{}` wants 3s to 10m", lb.name), "out of range");
    return;
  }
  for (const auto& [name, service] : context.fleet.services) {
    const bool mine =
        std::ranges::any_of(service.pools, [&](const PoolRef& pool) { return pool.lb == lb.name; });
    if (mine) validate_service(context, lb, options->max_pause_ms, service);
  }
}

}  // namespace

LbKindEntry pgbouncer_entry() {
  return {LbKind::pgbouncer, "pgbouncer", keys,  pool_keys, "database",
          "database",        false,       false, decode,    validate};
}

}  // namespace hitless::fleet
