// Kind touch_file: load balancers whose health check follows a file on the instance's host.
#include <fmt/format.h>

#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

std::vector<Key> keys() {
  return {needed(also({"delay", "wait"},
                      key("settle", duration(), "",
                          "How long the slowest load balancer takes to notice that the file is "
                          "gone: interval x fall + timeout of its check.")))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"path"}, key("file", text(Format::remote_path, {"host", "service", "port"}),
                                    "", "The file, on the instance's host; absolute.")))};
}

void decode(const LoadContext&, const Reader& reader, LoadBalancer& lb) {
  TouchFileLb options;
  options.settle_ms = reader.duration("settle");
  lb.options = options;
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  const auto* options = std::get_if<TouchFileLb>(&lb.options);
  if (options == nullptr || options->settle_ms >= 100) return;
  auto& d = context.error("HL0108", context.place({"load_balancers", lb.name, "settle"}),
                          fmt::format("`settle` of `{}` is too short", lb.name),
                          "no health check is that quick");
  d.help = "interval x fall + timeout of the slowest load balancer's check, such as 15s";
}

}  // namespace

LbKindEntry touch_file_entry() {
  return {
      LbKind::touch_file, "touch_file", keys, pool_keys, "", "file", true, true, decode, validate};
}

}  // namespace hitless::fleet
