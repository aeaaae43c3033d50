// Kind nginx: nginx (open source) as the load balancer; its upstream file is edited and reloaded.
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table{"nginx_lb_node",
                           "One nginx that balances",
                           {node_name_key(), key("host", text(Format::host_name), "",
                                                 "Where it runs; default: on this machine.")},
                           "",
                           {},
                           {}};
  return table;
}

std::vector<Key> keys() {
  return {
      needed(also({"file", "upstream_file"},
                  key("upstreams", text(Format::remote_path), "",
                      "The file with the upstream blocks; hitless edits it, in place of you."))),
      key("binary", text(Format::remote_path), "/usr/sbin/nginx", "The program."),
      also({"config"}, key("main_config", text(Format::remote_path), "/etc/nginx/nginx.conf",
                           "Its main configuration (-c).")),
      key("error_log", text(Format::remote_path), "/var/log/nginx/error.log",
          "Where a failed reload leaves its only trace."),
      also({"pidfile"},
           key("pid_file", text(Format::remote_path), "/run/nginx.pid", "Pid of the master.")),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {
      needed(also({"pool", "backend"},
                  key("upstream", text(Format::name), "", "Name of the upstream block."))),
      also({"member"}, key("server", text(Format::text, instance_places()), "{address}:{port}",
                           "The instance's `server` there, as it is written.")),
      key("drained_when", choice({"no_old_workers", "no_sockets"}), "no_old_workers",
          "no_old_workers: workers of before the reload are gone, so that none can pick it any "
          "more; no_sockets: nginx has no connection to it (for sites with endless WebSockets).")};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  NginxLb options;
  options.upstreams = reader.text("upstreams");
  options.binary = reader.text("binary");
  options.main_config = reader.text("main_config");
  options.error_log = reader.text("error_log");
  options.pid_file = reader.text("pid_file");
  lb.options = std::move(options);
  decode_nodes(context, reader, node_table(), lb, nullptr);
}

}  // namespace

LbKindEntry nginx_entry() {
  return {LbKind::nginx, "nginx", keys,  pool_keys, "upstream",
          "server",      false,   false, decode,    validate_nodes};
}

}  // namespace hitless::fleet
