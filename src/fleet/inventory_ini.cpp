#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/format.hpp"
#include "fleet/inventory.hpp"
#include "fleet/words.hpp"

namespace hitless::fleet {
namespace {

class IniReader {
 public:
  IniReader(Inventory& inventory, Diagnostics& diagnostics)
      : inventory_(inventory), diagnostics_(diagnostics) {}

  void run() {
    for (number_ = 1; number_ <= inventory_.source.line_count() && !full_; ++number_) {
      const std::string_view line = trim(inventory_.source.line(number_));
      if (line.empty() || line.front() == '#' || line.front() == ';') continue;
      if (line.front() == '[')
        header(line);
      else if (section_ == Section::vars)
        variable(line);
      else if (section_ == Section::children)
        child(line);
      else if (section_ == Section::hosts)
        hosts(line);
    }
  }

 private:
  enum class Section { hosts, children, vars, skipped };

  [[nodiscard]] Span here() const {
    const std::string_view line = inventory_.source.line(number_);
    const std::size_t from = std::min(line.find_first_not_of(" \t"), line.size());
    return inventory_.source.span_at(number_ - 1, static_cast<int>(from), trim(line).size());
  }
  void problem(const char* code, const std::string& message, const std::string& label) {
    diagnostics_.add(inventory_.source.error(code, here(), message, label));
  }

  InventoryGroup* group(const std::string& name) {
    if (name.empty() || name.find_first_of(" \t[]=") != std::string::npos) return nullptr;
    if (inventory_.groups.size() >= Inventory::kMaxGroups && inventory_.groups.count(name) == 0)
      return nullptr;
    return &inventory_.groups[name];
  }

  void header(std::string_view line) {
    section_ = Section::skipped;
    const std::size_t close = line.find(']');
    if (close == std::string_view::npos)
      return problem("HL0602", "a section without `]`", "not closed");
    const std::string_view rest = trim(line.substr(close + 1));
    if (!rest.empty() && rest.front() != '#' && rest.front() != ';')
      return problem("HL0602", "text after the section's `]`", "expected nothing more");
    const auto parts = split(line.substr(1, close - 1), ':');
    const std::string kind = parts.size() > 1 ? parts[1] : "";
    current_ = parts[0];
    if (group(current_) == nullptr || parts.size() > 2 ||
        (parts.size() == 2 && kind != "children" && kind != "vars"))
      return problem("HL0602", "not a section of an inventory",
                     "[group], [group:children] or [group:vars]");
    section_ = kind == "vars"       ? Section::vars
               : kind == "children" ? Section::children
                                    : Section::hosts;
  }

  void variable(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return problem("HL0602", "not a variable", "expected name=value");
    const std::string name(trim(line.substr(0, equals)));
    // Here the value goes to the end of the line; quotes around it are the writer's.
    std::string_view value = trim(line.substr(equals + 1));
    const bool quoted = value.size() > 1 && (value.front() == '"' || value.front() == '\'') &&
                        value.back() == value.front();
    if (quoted)
      value = value.substr(1, value.size() - 2);
    else if (const std::size_t comment = value.find(" #"); comment != std::string_view::npos)
      value = trim(value.substr(0, comment));
    if (InventoryGroup* of = group(current_)) of->vars[name] = {std::string(value), here()};
  }

  void child(std::string_view line) {
    const auto words = split_words(line, WordStyle::inventory);
    if (words.size() != 1 || group(words[0]) == nullptr)
      return problem("HL0602", "not a child group", "expected one group's name");
    inventory_.groups[current_].children.push_back(words[0]);
  }

  void hosts(std::string_view line) {
    const auto words = split_words(line, WordStyle::inventory);
    if (words.empty()) return;
    InventoryVars vars;
    std::string pattern = words[0];
    take_port(pattern, vars);
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      if (equals == std::string::npos || equals == 0)
        return problem("HL0602", "not a host line",
                       fmt::format("`{}` is not name=value", words[i]));
      vars[words[i].substr(0, equals)] = {words[i].substr(equals + 1), here()};
    }
    std::vector<std::string> names;
    if (!expand_ranges(pattern, names))
      return problem("HL0602", "not a range of hosts", "expected [01:20] or [a:f]");
    for (const auto& name : names) {
      if (!add_inventory_host(inventory_, name, here(), diagnostics_)) {
        full_ = inventory_.hosts.size() >= Inventory::kMaxHosts;
        return;
      }
      for (const auto& [key, var] : vars) inventory_.host_vars[name][key] = var;
      inventory_.groups[current_].hosts.push_back(name);
    }
  }

  // web01:2222 — but not inside [01:03], and not an IPv6 address.
  static void take_port(std::string& pattern, InventoryVars& vars) {
    const std::size_t colon = pattern.rfind(':');
    if (colon == std::string::npos || pattern.find(']', colon) != std::string::npos) return;
    const std::size_t bracket = pattern.rfind('[', colon);
    const bool other_colon = pattern.find(':') != colon && bracket == std::string::npos;
    auto port = parse_integer(std::string_view(pattern).substr(colon + 1));
    if (other_colon || !port || *port < 1 || *port > 65535) return;
    vars["ansible_port"] = {pattern.substr(colon + 1), {}};
    pattern.resize(colon);
  }

  Inventory& inventory_;
  Diagnostics& diagnostics_;
  Section section_ = Section::hosts;
  std::string current_ = "ungrouped";
  int number_ = 0;
  bool full_ = false;
};

}  // namespace

void parse_inventory_ini(Inventory& inventory, Diagnostics& diagnostics) {
  IniReader(inventory, diagnostics).run();
}

}  // namespace hitless::fleet
