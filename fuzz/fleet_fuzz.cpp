// libFuzzer: the fleet file and the files of others that it names. The first byte chooses which.
// Nothing may crash, hang or leak; what loads must survive a second load with the same result.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "fleet/fleet.hpp"
#include "fleet/haproxy_cfg.hpp"
#include "fleet/inventory.hpp"

namespace {

using namespace hitless::fleet;

void fuzz_fleet(const std::string& text) {
  const auto result = load_fleet_text(text, "fuzz.yaml");
  const std::string shown = render(result.diagnostics, false);
  // All that is shown has been escaped: no control characters but line breaks.
  for (const char c : shown)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
  const auto again = load_fleet_text(text, "fuzz.yaml");
  if (again.fleet.has_value() != result.fleet.has_value() ||
      render(again.diagnostics, false) != shown)
    std::abort();
}

void fuzz_inventory(const std::string& text, const char* name) {
  Diagnostics diagnostics;
  Inventory inventory;
  if (!Source::from_text(text, name, diagnostics, inventory.source)) return;
  if (std::string(name) == "i.yml")
    parse_inventory_yaml(inventory, diagnostics);
  else
    parse_inventory_ini(inventory, diagnostics);
  std::size_t asked = 0;
  for (const auto& host : inventory.order)
    if (++asked < 5) (void)inventory.vars_of(host);
}

void fuzz_haproxy(const std::string& text) {
  Diagnostics diagnostics;
  Source source;
  if (Source::from_text(text, "haproxy.cfg", diagnostics, source)) (void)parse_haproxy_cfg(source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      fuzz_inventory(text, "i.ini");
      break;
    case 1:
      fuzz_inventory(text, "i.yml");
      break;
    case 2:
      fuzz_haproxy(text);
      break;
    case 3: {
      // Idempotent up to what a first pass uncovers; it must end and never grow without bound.
      if (hitless::redact(text).size() > text.size() * 11 + 16) std::abort();
      break;
    }
    default:
      fuzz_fleet(text);
  }
  return 0;
}
