#include <fmt/format.h>

#include "fleet/inventory.hpp"
#include "fleet/yaml_tree.hpp"

namespace hitless::fleet {
namespace {

class YamlReader {
 public:
  YamlReader(Inventory& inventory, Diagnostics& diagnostics)
      : inventory_(inventory), diagnostics_(diagnostics) {}

  void run(const Node& root) {
    if (root.kind != Node::Kind::map) return problem(root, "an inventory is a map of groups");
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
      if (root.keys[i].text == "_meta")
        meta(root.items[i]);
      else
        group(root.keys[i], root.items[i]);
    }
  }

 private:
  void problem(const Node& at, const std::string& message) {
    diagnostics_.add(inventory_.source.error("HL0602", at.span, message));
  }

  // `ansible-inventory --list` keeps all variables here.
  void meta(const Node& node) {
    const Node* host_vars = node.find("hostvars");
    if (host_vars == nullptr) return;
    for (std::size_t i = 0; i < host_vars->keys.size(); ++i)
      vars(host_vars->items[i], inventory_.host_vars[host_vars->keys[i].text]);
  }

  void group(const Node& name, const Node& body) {
    if (inventory_.groups.size() >= Inventory::kMaxGroups) {
      diagnostics_.add(inventory_.source.error(
          "HL0603", name.span, fmt::format("more than {} groups", Inventory::kMaxGroups)));
      return;
    }
    inventory_.groups[name.text];
    if (body.kind == Node::Kind::null) return;
    if (body.kind != Node::Kind::map)
      return problem(body, fmt::format("group `{}` is not a map", name.text));
    for (std::size_t i = 0; i < body.keys.size(); ++i) {
      const Node& part = body.items[i];
      const std::string& key = body.keys[i].text;
      if (key == "hosts")
        hosts(name.text, part);
      else if (key == "vars")
        vars(part, inventory_.groups[name.text].vars);
      else if (key == "children")
        children(name.text, part);
      else
        problem(body.keys[i],
                fmt::format("`{}` in a group; expected hosts, children or vars", key));
    }
  }

  void children(const std::string& parent, const Node& node) {
    const bool named_only = node.kind == Node::Kind::list;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Node& name = named_only ? node.items[i] : node.keys[i];
      inventory_.groups[parent].children.push_back(name.text);
      if (named_only)
        inventory_.groups[name.text];
      else
        group(name, node.items[i]);
    }
  }

  void hosts(const std::string& group_name, const Node& node) {
    if (node.kind == Node::Kind::scalar) return problem(node, "`hosts` is a map of names");
    const bool named_only = node.kind == Node::Kind::list;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Node& name = named_only ? node.items[i] : node.keys[i];
      std::vector<std::string> names;
      if (name.kind != Node::Kind::scalar || !expand_ranges(name.text, names)) {
        problem(name, "not a host or a range of hosts");
        continue;
      }
      for (const auto& host : names) {
        if (!add_inventory_host(inventory_, host, name.span, diagnostics_)) break;
        inventory_.groups[group_name].hosts.push_back(host);
        if (!named_only) vars(node.items[i], inventory_.host_vars[host]);
      }
    }
  }

  // Only plain values matter to us; lists and maps belong to the user's roles.
  static void vars(const Node& node, InventoryVars& out) {
    if (node.kind != Node::Kind::map) return;
    for (std::size_t i = 0; i < node.keys.size(); ++i)
      if (node.items[i].kind == Node::Kind::scalar)
        out[node.keys[i].text] = {node.items[i].text, node.items[i].span};
  }

  Inventory& inventory_;
  Diagnostics& diagnostics_;
};

}  // namespace

void parse_inventory_yaml(Inventory& inventory, Diagnostics& diagnostics) {
  if (const auto root = parse_yaml(inventory.source, diagnostics))
    YamlReader(inventory, diagnostics).run(*root);
}

}  // namespace hitless::fleet
