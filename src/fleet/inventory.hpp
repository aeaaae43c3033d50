// Ansible inventories, INI and YAML (and the JSON of `ansible-inventory --list`): hosts, groups,
// group children and variables, with Ansible's precedence (host over child group over parent group
// over all). group_vars/ and host_vars/ folders are not read; values with Jinja are not evaluated.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fleet/source.hpp"

namespace hitless::fleet {

struct InventoryVar {
  std::string value;
  Span span;
};
using InventoryVars = std::map<std::string, InventoryVar>;

struct InventoryGroup {
  std::vector<std::string> hosts, children;
  InventoryVars vars;
};

// One file as written.
struct Inventory {
  static constexpr std::size_t kMaxHosts = 10'000, kMaxGroups = 2'000;

  Source source;
  std::map<std::string, Span> hosts;
  std::vector<std::string> order;  // of hosts
  std::map<std::string, InventoryVars> host_vars;
  std::map<std::string, InventoryGroup> groups;

  // All hosts of a group and its children, in order, each once; cycles end.
  [[nodiscard]] std::vector<std::string> members(const std::string& group) const;
  // What holds for a host after precedence.
  [[nodiscard]] InventoryVars vars_of(const std::string& host) const;
};

// False when the file cannot be used; why is in diagnostics.
[[nodiscard]] bool read_inventory(const std::string& path, const std::string& shown,
                                  Diagnostics& diagnostics, Inventory& out);
void parse_inventory_ini(Inventory& inventory, Diagnostics& diagnostics);
void parse_inventory_yaml(Inventory& inventory, Diagnostics& diagnostics);

// Adds a host once; false when there are too many or its name is not legal (reported).
bool add_inventory_host(Inventory& inventory, const std::string& name, Span at,
                        Diagnostics& diagnostics);
// "web[01:03].example" → three names. False when the range is malformed or too large.
[[nodiscard]] bool expand_ranges(const std::string& pattern, std::vector<std::string>& out);

}  // namespace hitless::fleet
