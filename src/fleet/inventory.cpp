#include "fleet/inventory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/format.hpp"

namespace hitless::fleet {
namespace {

bool looks_like_yaml(const Source& source) {
  const std::string& name = source.name();
  for (const std::string_view end : {".yml", ".yaml", ".json"})
    if (name.size() > end.size() && std::string_view(name).substr(name.size() - end.size()) == end)
      return true;
  const std::string_view text = trim(source.text());
  return text.substr(0, 3) == "---" || text.substr(0, 1) == "{" || text.substr(0, 4) == "all:";
}

// How far below `all` a group is; deeper groups win.
class Depths {
 public:
  explicit Depths(const Inventory& inventory) : inventory_(inventory) {
    for (const auto& [name, group] : inventory.groups) visit(name, name == "all" ? 0 : 1);
  }
  [[nodiscard]] int of(const std::string& group) const {
    const auto found = depth_.find(group);
    return found == depth_.end() ? 1 : found->second;
  }

 private:
  // A cycle would go round for ever; no honest tree is deeper than this.
  static constexpr int kDeepest = 30;
  void visit(const std::string& name, int depth) {
    int& known = depth_[name];
    if (depth > kDeepest || (known >= depth && known > 0)) return;
    known = std::max(known, depth);
    const auto group = inventory_.groups.find(name);
    if (group == inventory_.groups.end()) return;
    for (const auto& child : group->second.children) visit(child, depth + 1);
  }
  const Inventory& inventory_;
  std::map<std::string, int> depth_;
};

// One [a:b] or [a:b:step] of a pattern.
struct Range {
  bool valid = false;
  std::vector<std::string> values;
};

Range read_range(const std::string& body) {
  constexpr std::int64_t largest = 10'000;
  const auto parts = split(body, ':');
  if (parts.size() < 2 || parts.size() > 3) return {};
  std::int64_t step = 1;
  if (parts.size() == 3) {
    auto parsed = parse_integer(parts[2]);
    if (!parsed || *parsed < 1) return {};
    step = *parsed;
  }
  const std::string first = parts[0].empty() ? "0" : parts[0];
  const std::string& last = parts[1];
  Range range;
  const auto letter = [](const std::string& s) {
    return s.size() == 1 && ((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z'));
  };
  if (letter(first) && letter(last)) {
    for (std::int64_t c = first[0]; c <= last[0]; c += step)
      range.values.emplace_back(1, static_cast<char>(c));
    range.valid = !range.values.empty();
    return range;
  }
  const auto digits = [](const std::string& s) {
    return !s.empty() && s.size() <= 9 && s.find_first_not_of("0123456789") == std::string::npos;
  };
  if (!digits(first) || !digits(last)) return {};
  const std::int64_t from = std::stoll(first), to = std::stoll(last);
  if (to < from || (to - from) / step >= largest) return {};
  // Ansible wants both ends of the same width when the first is padded.
  const std::size_t width = first.size() > 1 && first[0] == '0' ? first.size() : 0;
  if (width > 0 && last.size() != width) return {};
  for (std::int64_t n = from; n <= to; n += step)
    range.values.push_back(fmt::format("{:0{}}", n, width));
  range.valid = true;
  return range;
}

}  // namespace

bool expand_ranges(const std::string& pattern, std::vector<std::string>& out) {
  constexpr int most_ranges = 4;
  std::vector<std::string> names{""};
  std::size_t from = 0;
  for (int ranges = 0;; ++ranges) {
    const std::size_t open = pattern.find('[', from);
    const std::string literal = pattern.substr(from, open - from);
    for (auto& name : names) name += literal;
    if (open == std::string::npos) break;
    const std::size_t close = pattern.find(']', open);
    if (close == std::string::npos || ranges >= most_ranges) return false;
    const Range range = read_range(pattern.substr(open + 1, close - open - 1));
    if (!range.valid || names.size() * range.values.size() > Inventory::kMaxHosts) return false;
    std::vector<std::string> next;
    for (const auto& name : names)
      for (const auto& value : range.values) next.push_back(name + value);
    names = std::move(next);
    from = close + 1;
  }
  out.insert(out.end(), names.begin(), names.end());
  return true;
}

bool add_inventory_host(Inventory& inventory, const std::string& name, Span at,
                        Diagnostics& diagnostics) {
  if (inventory.hosts.count(name) > 0) return true;
  if (inventory.hosts.size() >= Inventory::kMaxHosts) {
    diagnostics.add(inventory.source.error("HL0603", at,
                                           fmt::format("more than {} hosts", Inventory::kMaxHosts),
                                           "stopped reading here"));
    return false;
  }
  if (auto ok = check_host_address(name); !ok) {
    diagnostics.add(inventory.source.error("HL0111", at, "not a host's name", ok.error().what));
    return false;
  }
  inventory.hosts.emplace(name, at);
  inventory.order.push_back(name);
  return true;
}

std::vector<std::string> Inventory::members(const std::string& group) const {
  std::vector<std::string> found;
  std::set<std::string> seen_groups, seen_hosts;
  std::vector<std::string> open{group};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!seen_groups.insert(name).second) continue;
    const auto entry = groups.find(name);
    if (entry == groups.end()) continue;
    for (const auto& host : entry->second.hosts)
      if (seen_hosts.insert(host).second) found.push_back(host);
    const auto& children = entry->second.children;
    open.insert(open.end(), children.rbegin(), children.rend());
  }
  if (group == "all")
    for (const auto& host : order)
      if (seen_hosts.insert(host).second) found.push_back(host);
  return found;
}

InventoryVars Inventory::vars_of(const std::string& host) const {
  const Depths depths(*this);
  std::vector<std::pair<int, std::string>> holding;
  for (const auto& [name, group] : groups) {
    if (group.vars.empty()) continue;
    const auto inside = members(name);
    const bool is_member =
        name == "all" || std::find(inside.begin(), inside.end(), host) != inside.end();
    if (is_member) holding.emplace_back(name == "all" ? -1 : depths.of(name), name);
  }
  std::sort(holding.begin(), holding.end());
  InventoryVars result;
  for (const auto& [depth, name] : holding)
    for (const auto& [key, var] : groups.at(name).vars) result[key] = var;
  if (const auto own = host_vars.find(host); own != host_vars.end())
    for (const auto& [key, var] : own->second) result[key] = var;
  return result;
}

bool read_inventory(const std::string& path, const std::string& shown, Diagnostics& diagnostics,
                    Inventory& out) {
  if (!Source::read(path, shown, diagnostics, out.source)) return false;
  const std::size_t before = diagnostics.errors();
  if (looks_like_yaml(out.source))
    parse_inventory_yaml(out, diagnostics);
  else
    parse_inventory_ini(out, diagnostics);
  return diagnostics.errors() == before;
}

}  // namespace hitless::fleet
