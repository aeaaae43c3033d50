// Kind ipvs: a virtual service of IPVS, told by ipvsadm on its directors.
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table{"ipvs_node",
                           "One director",
                           {node_name_key(), key("host", text(Format::host_name), "",
                                                 "Where it runs; default: on this machine.")},
                           "",
                           {},
                           {}};
  return table;
}

std::vector<Key> keys() {
  return {key("binary", text(Format::remote_path), "/usr/sbin/ipvsadm", "The program."),
          needed(key("nodes", list(object(node_table()), 1, 64), "",
                     "Every director, the one that stands by too; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"pool", "service"},
                      key("virtual_service", text(Format::text), "",
                          "tcp:ADDRESS:PORT, or fwmark:NUMBER of a mark for TCP only."))),
          also({"member"}, key("server", text(Format::text, instance_places()), "{address}:{port}",
                               "The instance's real server there, as `ipvsadm -Ln` shows it."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  IpvsLb options;
  options.binary = reader.text("binary");
  lb.options = std::move(options);
  decode_nodes(context, reader, node_table(), lb, nullptr);
}

}  // namespace

LbKindEntry ipvs_entry() {
  return {LbKind::ipvs, "ipvs", keys, pool_keys, "virtual_service",
          "server",     false,  true, decode,    validate_nodes};
}

}  // namespace hitless::fleet
