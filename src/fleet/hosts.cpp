// Hosts: the fleet file over the inventories over ssh_config.
#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/inventory.hpp"
#include "fleet/load_context.hpp"
#include "fleet/ssh_config.hpp"

namespace hitless::fleet {
namespace {

bool is_yes(const std::string& text) {
  return text == "true" || text == "True" || text == "yes" || text == "Yes" || text == "1" ||
         text == "on";
}

// One inventory's variables of one host, as far as we know them.
class VarReader {
 public:
  VarReader(const Inventory& inventory, const std::string& host, Diagnostics& diagnostics)
      : inventory_(inventory),
        host_(host),
        vars_(inventory.vars_of(host)),
        diagnostics_(diagnostics) {}

  // The first of these names that is set and passes check.
  std::optional<std::string> get(std::initializer_list<const char*> names,
                                 Status (*check)(std::string_view)) {
    for (const char* name : names) {
      const auto found = vars_.find(name);
      if (found == vars_.end() || found->second.value.empty()) continue;
      const InventoryVar& var = found->second;
      if (var.value.find("{{") != std::string::npos) {
        report(Severity::warning, "HL0604", var,
               fmt::format("`{}` of {} is a template that hitless does not evaluate", name, host_),
               "ignored");
        return std::nullopt;
      }
      if (check != nullptr)
        if (auto ok = check(var.value); !ok) {
          report(Severity::error, "HL0111", var,
                 fmt::format("`{}` of {} cannot be used", name, host_), ok.error().what);
          return std::nullopt;
        }
      return var.value;
    }
    return std::nullopt;
  }
  void report(Severity severity, const char* code, const InventoryVar& var, std::string message,
              std::string label) {
    Span at = var.span.line > 0 ? var.span : inventory_.hosts.at(host_);
    Diagnostic d = inventory_.source.error(code, at, std::move(message), std::move(label));
    d.severity = severity;
    diagnostics_.add(std::move(d));
  }
  [[nodiscard]] const InventoryVar& var(const char* name) const { return vars_.at(name); }

 private:
  const Inventory& inventory_;
  const std::string& host_;
  InventoryVars vars_;
  Diagnostics& diagnostics_;
};

Host host_from(const Inventory& inventory, const std::string& name, Diagnostics& diagnostics) {
  VarReader vars(inventory, name, diagnostics);
  Host host;
  host.name = name;
  const Span at = inventory.hosts.at(name);
  host.mark = {inventory.source.name(), at.line, at.column};
  host.ssh_name = vars.get({"ansible_host", "ansible_ssh_host"}, check_host_address).value_or("");
  host.address = host.ssh_name;
  host.user = vars.get({"ansible_user", "ansible_ssh_user"}, check_user_name);
  host.identity = vars.get({"ansible_ssh_private_key_file", "ansible_private_key_file"}, nullptr);
  if (host.identity) host.identity = expand_home(*host.identity);
  for (const char* args : {"ansible_ssh_common_args", "ansible_ssh_extra_args"})
    if (vars.get({args}, nullptr))
      vars.report(Severity::warning, "HL0604", vars.var(args),
                  fmt::format("`{}` is not used", args),
                  "say it in ssh_config (ProxyJump and so on)");
  host.zone = vars.get({"hitless_zone"}, check_identifier).value_or("");
  host.sudo = is_yes(vars.get({"ansible_become"}, nullptr).value_or("false"));
  if (const auto port = vars.get({"ansible_port", "ansible_ssh_port"}, nullptr)) {
    auto number = parse_integer(*port);
    if (number && *number >= 1 && *number <= 65535)
      host.port = static_cast<int>(*number);
    else
      diagnostics.add(
          inventory.source.error("HL0108", at, fmt::format("the port of {} is not one", name)));
  }
  const std::string connection = vars.get({"ansible_connection"}, nullptr).value_or("ssh");
  if (connection == "local")
    host.connect = Connect::local;
  else if (connection != "ssh" && connection != "smart" && connection != "paramiko")
    vars.report(
        Severity::warning, "HL0604", vars.var("ansible_connection"),
        fmt::format("hitless does not know the connection `{}`", escape_for_terminal(connection)),
        "ssh is used instead");
  return host;
}

void take_inventory(LoadContext& context, const Inventory& inventory) {
  context.fleet.digest += sha256_hex(inventory.source.text());
  for (const auto& name : inventory.order)
    context.fleet.hosts.emplace(name, host_from(inventory, name, context.diagnostics));
  for (const auto& [name, group] : inventory.groups) {
    auto& members = context.fleet.groups[name];
    for (const auto& member : inventory.members(name))
      if (std::find(members.begin(), members.end(), member) == members.end())
        members.push_back(member);
  }
  auto& all = context.fleet.groups["all"];
  for (const auto& name : inventory.order)
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
}

void load_inventories(LoadContext& context) {
  const Reader root(context.root, root_table());
  for (const auto& path : root.words("inventory")) {
    const std::string file = context.path_from_here(path);
    Inventory inventory;
    const bool readable = read_inventory(file, file, context.diagnostics, inventory);
    if (!readable && inventory.source.text().empty()) {
      auto& d = context.error("HL0601", root.span("inventory"),
                              fmt::format("the inventory {} cannot be used", path),
                              "see the message about it");
      d.help = "a path here is relative to the fleet file";
    }
    take_inventory(context, inventory);
  }
  ask_outside(context, [&](const Inventory& inventory) { take_inventory(context, inventory); });
}

void apply_entry(const LoadContext& context, const Node& node, Host& host) {
  const Reader entry(node, host_table());
  if (auto user = entry.optional_text("user")) host.user = user;
  if (auto port = entry.optional_whole("port")) host.port = static_cast<int>(*port);
  if (auto identity = entry.optional_text("identity"))
    host.identity = context.path_from_here(*identity);
  if (entry.node("connect") != nullptr)
    host.connect = entry.text("connect") == "local" ? Connect::local : Connect::ssh;
  if (entry.node("sudo") != nullptr) host.sudo = entry.flag("sudo");
  if (auto zone = entry.optional_text("zone")) host.zone = *zone;
  if (auto alias = entry.optional_text("ssh")) {
    host.ssh_name = *alias;
    host.address.clear();  // an inventory's address belongs to its own ssh name
  }
  if (auto address = entry.optional_text("address")) host.address = *address;
}

void apply_own_hosts(LoadContext& context) {
  const Node* hosts = context.root.find("hosts");
  if (hosts == nullptr || hosts->kind != Node::Kind::map) return;
  for (std::size_t i = 0; i < hosts->keys.size(); ++i) {
    const std::string& name = hosts->keys[i].text;
    if (!check_host_name(name)) continue;
    Host& host = context.fleet.hosts[name];
    host.name = name;
    host.mark = context.mark(hosts->keys[i].span);
    apply_entry(context, hosts->items[i], host);
  }
}

void decode_ssh(LoadContext& context) {
  const Reader reader = Reader(context.root, root_table()).object("ssh", ssh_table());
  Ssh& ssh = context.fleet.ssh;
  const auto path = [&](const char* key) -> std::optional<std::string> {
    auto written = reader.optional_text(key);
    if (written) written = context.path_from_here(*written);
    return written;
  };
  ssh.config = path("config");
  ssh.known_hosts = path("known_hosts");
  ssh.identity = path("identity");
  ssh.user = reader.optional_text("user");
  ssh.connect_timeout_ms = reader.duration("connect_timeout");
  ssh.keep_ms = reader.duration("keep");
  constexpr DurationMs kMostKeptMs = 3'600'000;
  if (ssh.keep_ms > kMostKeptMs)
    context.error("HL0108", reader.span("keep"), "`keep` is too long",
                  "at most " + format_duration(kMostKeptMs));
}

void fill_addresses(LoadContext& context) {
  SshConfig config;
  if (context.fleet.ssh.config) {
    Diagnostics own;
    config = SshConfig::load(*context.fleet.ssh.config, own);
    for (const auto& d : own.take_sorted()) {
      if (d.line > 0)
        context.diagnostics.add(d);
      else
        context.error("HL0605", context.place({"ssh", "config"}), d.message, "cannot be followed");
    }
  }
  for (auto& [name, host] : context.fleet.hosts) {
    if (host.ssh_name.empty()) host.ssh_name = name;
    if (!host.address.empty()) continue;
    if (host.connect == Connect::local) {
      host.address = "127.0.0.1";
      continue;
    }
    const std::string named = config.lookup(host.ssh_name).host_name;
    host.address = check_host_address(named) ? named : host.ssh_name;
    if (!named.empty() && host.address != named)
      context.warning("HL0605", context.place({"hosts", name}),
                      fmt::format("HostName of {} in ssh_config is not an address", host.ssh_name),
                      "its name is used instead");
  }
}

}  // namespace

void load_hosts(LoadContext& context) {
  decode_ssh(context);
  load_inventories(context);
  apply_own_hosts(context);
  fill_addresses(context);
}

}  // namespace hitless::fleet
