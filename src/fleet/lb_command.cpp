// Kind command: a load balancer that the user's own commands speak to.
#include <fmt/format.h>

#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table{
      "command_node",
      "One node of a load balancer of kind command",
      {node_name_key(), key("host", text(Format::host_name), "",
                            "The commands run on that host; default: on this machine.")},
      "",
      {},
      {}};
  return table;
}

Type argv() {
  Type type = command();
  type.placeholders = {"node", "pool", "member", "host", "port", "service", "address"};
  return type;
}

std::vector<Key> keys() {
  return {
      needed(key("drain", argv(), "", "No new work for the member; exit code 0: it was told.")),
      needed(key("rejoin", argv(), "", "The member gets new work again.")),
      needed(also({"status"},
                  key("state", argv(), "",
                      "Prints one line about the member: `ready`, `drain`, `maint` or `absent`, "
                      "then any of check=, in_flight=, idle=, requests=, errors=, epoch=."))),
      also({"in_flight"}, key("count", argv(), "",
                              "Prints the member's requests or sessions in flight, one number.")),
      also({"kill"}, key("close", argv(), "", "Cuts what is still in flight at the member.")),
      key("timeout", duration(), "10s", "For one drain, rejoin or close; at most 25s."),
      key("settle", duration(), "0s",
          "How long after `drain` new work may still arrive at the member."),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"backend"}, key("pool", text(Format::name), "", "What {pool} is."))),
          also({"server"}, key("member", text(Format::name, instance_places()), "{host}",
                               "What {member} is: the instance's name in that pool."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  CommandLb options;
  options.drain = reader.words("drain");
  options.rejoin = reader.words("rejoin");
  options.state = reader.words("state");
  options.count = reader.words("count");
  options.close = reader.words("close");
  options.timeout_ms = reader.duration("timeout");
  options.settle_ms = reader.duration("settle");
  lb.options = std::move(options);
  decode_nodes(context, reader, node_table(), lb, nullptr);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  constexpr DurationMs kMinMs = 100, kMaxMs = 25'000;  // below the engine's own deadline
  validate_nodes(context, lb);
  const auto* options = std::get_if<CommandLb>(&lb.options);
  if (options == nullptr || (options->timeout_ms >= kMinMs && options->timeout_ms <= kMaxMs))
    return;
  context.error("HL0108", context.place({"load_balancers", lb.name, "timeout"}),
                fmt::format("`timeout` of `{}` wants 100ms to 25s", lb.name), "out of range");
}

}  // namespace

LbKindEntry command_entry() {
  return {LbKind::command, "command", keys,  pool_keys, "pool",
          "member",        false,     false, decode,    validate};
}

}  // namespace hitless::fleet
