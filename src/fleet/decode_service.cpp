#include <fmt/format.h>

#include <algorithm>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/endpoints.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

HealthCheck decode_check(const LoadContext& context, const Node& node, const Table& table) {
  const Reader reader(node, table);
  HealthCheck check;
  check.mark = context.mark(node.span);
  if (table.find("name") != nullptr) check.name = reader.text("name");
  check.url = reader.text("http");
  check.target = reader.text("tcp");
  check.command = reader.words("command");
  check.kind = !check.command.empty()  ? CheckKind::command
               : !check.target.empty() ? CheckKind::tcp
                                       : CheckKind::http;
  check.status = static_cast<int>(reader.whole("status"));
  check.body = reader.optional_text("body");
  if (auto ca = reader.optional_text("ca")) check.ca = context.path_from_here(*ca);
  check.host_header = reader.optional_text("host_header");
  check.interval_ms = reader.duration("interval");
  check.timeout_ms = reader.duration("timeout");
  check.rise = static_cast<int>(reader.whole("rise"));
  check.fall = static_cast<int>(reader.whole("fall"));
  return check;
}

Commands decode_commands(const LoadContext& context, const Node& node) {
  const Reader reader(node, commands_table());
  Commands made;
  made.mark = context.mark(node.span);
  made.test = reader.words("test");
  made.reload = reader.words("reload");
  made.restart = reader.words("restart");
  made.status = reader.words("status");
  made.pid_file = reader.text("pid_file");
  made.config_files = reader.words("config_files");
  made.flavor = reader.text("flavor") == "nginx" ? Flavor::nginx : Flavor::none;
  made.error_log = reader.optional_text("error_log");
  return made;
}

ServiceKind kind_of(std::string_view word) {
  static const std::map<std::string_view, ServiceKind> kinds{
      {"nginx", ServiceKind::nginx},          {"command", ServiceKind::command},
      {"apache", ServiceKind::apache},        {"haproxy", ServiceKind::haproxy},
      {"php-fpm", ServiceKind::php_fpm},      {"gunicorn", ServiceKind::gunicorn},
      {"redis", ServiceKind::redis},          {"systemd", ServiceKind::systemd},
      {"postgresql", ServiceKind::postgresql}};
  const auto found = kinds.find(word);
  return found == kinds.end() ? ServiceKind::systemd : found->second;
}

DaemonOptions decode_daemon(const Reader& service, const std::string& kind) {
  const Table& table = daemon_table(kind);
  const Reader reader = service.object(table.name, table);
  const auto has = [&](const char* name) { return table.find(name) != nullptr; };
  DaemonOptions made;
  if (has("binary")) made.binary = reader.text("binary");
  if (has("main_config")) made.main_config = reader.text("main_config");
  if (has("error_log")) made.error_log = reader.text("error_log");
  made.config_files = reader.words("config_files");
  made.test = reader.words("test");
  if (has("cli")) made.cli = reader.words("cli");
  if (has("cli") && made.cli.empty()) made.cli = {"redis-cli"};
  if (!has("reload_proof")) return made;
  made.reload_proof = reader.words("reload_proof");
  const std::string failure = reader.text("reload_failure");
  if (failure == "keeps_old") made.reload_failure = ReloadFailure::keeps_old;
  if (failure == "dies") made.reload_failure = ReloadFailure::dies;
  return made;
}

PostgresqlOptions decode_postgresql(const Reader& service) {
  const Reader reader = service.object("postgresql", postgresql_table());
  PostgresqlOptions made;
  made.bin_dir = reader.text("bin_dir");
  made.main_config = reader.text("main_config");
  made.socket_dir = reader.text("socket_dir");
  made.user = reader.text("user");
  made.os_user = reader.text("os_user");
  made.data_dir = reader.optional_text("data_dir");
  made.log_file = reader.optional_text("log_file");
  made.config_files = reader.words("config_files");
  return made;
}

class ServiceDecoder {
 public:
  ServiceDecoder(LoadContext& context, const Node& name, const Node& node)
      : context_(context), node_(node), reader_(node, service_table()) {
    service_.name = name.text;
    service_.mark = context.mark(name.span);
  }

  Service run() {
    service_.kind = kind_of(reader_.kind());
    if (service_.kind != ServiceKind::command) service_.unit = reader_.text("unit");
    hosts();
    lists();
    driver();
    if (const Node* health = map_at("health"))
      service_.health = decode_check(context_, *health, health_table());
    decode_policy(context_, service_, node_);
    instances();
    return std::move(service_);
  }

 private:
  const Node* map_at(const char* key) const {
    const Node* node = reader_.node(key);
    return node != nullptr && node->kind == Node::Kind::map ? node : nullptr;
  }
  template <class Add>
  void each(const char* key, Add add) {
    const Node* list = reader_.node(key);
    if (list == nullptr || list->kind != Node::Kind::list) return;
    for (const auto& item : list->items)
      if (item.kind == Node::Kind::map) add(item);
  }

  void hosts() {
    const Node* node = reader_.node("hosts");
    if (node == nullptr) return;
    if (node->kind == Node::Kind::scalar) add_host(*node);
    if (node->kind == Node::Kind::list)
      for (const auto& item : node->items)
        if (item.kind == Node::Kind::scalar) add_host(item);
  }

  void add_host(const Node& item) {
    constexpr std::string_view group = "group:";
    if (item.text.compare(0, group.size(), group) == 0)
      return add_group(item, item.text.substr(group.size()));
    if (context_.fleet.hosts.count(item.text) == 0) {
      if (auto& count = context_.undefined_hosts[service_.name]; count >= 0) ++count;
      if (check_host_name(item.text)) undefined_host(item);
      return;
    }
    add_member(item, item.text);
  }

  void undefined_host(const Node& item) {
    std::vector<std::string> known;
    for (const auto& [name, host] : context_.fleet.hosts) known.push_back(name);
    const std::string meant = nearest(item.text, known);
    auto& d =
        context_.error("HL0201", item.span, fmt::format("host `{}` is not defined", item.text),
                       meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    if (context_.fleet.groups.count(item.text) > 0)
      d.help = fmt::format("for the group write group:{}", item.text);
    else
      d.help = "add it under `hosts:` or name an `inventory:` that has it";
  }

  void add_group(const Node& item, const std::string& name) {
    const auto found = context_.fleet.groups.find(name);
    if (found == context_.fleet.groups.end()) {
      context_.undefined_hosts[service_.name] = -1;
      std::vector<std::string> known;
      for (const auto& [group, members] : context_.fleet.groups) known.push_back(group);
      const std::string meant = nearest(name, known);
      auto& d = context_.error("HL0203", item.span,
                               fmt::format("group `{}` is not defined", escape_for_terminal(name)),
                               meant.empty() ? "" : fmt::format("did you mean `group:{}`?", meant));
      if (known.empty()) d.help = "groups come from an `inventory:`";
      return;
    }
    if (found->second.empty())
      context_.error("HL0203", item.span, fmt::format("group `{}` has no hosts", name), "empty");
    for (const auto& member : found->second) add_member(item, member);
  }

  void add_member(const Node& item, const std::string& name) {
    auto& hosts = service_.hosts;
    if (std::find(hosts.begin(), hosts.end(), name) == hosts.end()) {
      hosts.push_back(name);
      return;
    }
    context_.error("HL0204", item.span,
                   fmt::format("host `{}` is in `{}` twice", name, service_.name),
                   "it is there already");
  }

  void lists() {
    each("pools", [&](const Node& item) { service_.pools.push_back(decode_pool(context_, item)); });
    each("config", [&](const Node& item) {
      const Reader reader(item, config_table());
      service_.config.push_back({context_.path_from_here(reader.text("source")),
                                 reader.text("dest"), reader.optional_text("mode"),
                                 context_.mark(reader.span("source"))});
    });
    service_.certificate_files = reader_.words("certificate_files");
    each("dependencies", [&](const Node& item) {
      service_.dependencies.push_back(decode_check(context_, item, dependency_table()));
    });
  }

  void driver() {
    const Reader nginx = reader_.object("nginx", nginx_table());
    service_.nginx = {nginx.text("binary"),          nginx.text("main_config"),
                      nginx.text("error_log"),       nginx.text("pid_file"),
                      nginx.optional_text("prefix"), nginx.flag("binary_upgrade")};
    service_.postgresql = decode_postgresql(reader_);
    if (service_.kind != ServiceKind::nginx && service_.kind != ServiceKind::command)
      service_.daemon = decode_daemon(reader_, reader_.kind());
    if (const Node* commands = map_at("commands"))
      service_.commands = decode_commands(context_, *commands);
  }

  void instances() {
    const auto port = reader_.optional_whole("port");
    std::map<std::string, int> ports;
    if (const Node* own = map_at("ports")) read_ports(*own, ports);
    for (const auto& name : service_.hosts) {
      const Host& host = context_.fleet.hosts.at(name);
      Instance instance;
      instance.id = service_.name + "@" + name;
      instance.host = name;
      instance.address = host.address;
      instance.zone = host.zone;
      if (port) instance.port = static_cast<int>(*port);
      if (const auto found = ports.find(name); found != ports.end()) instance.port = found->second;
      add_targets(instance);
      service_.instances.push_back(std::move(instance));
    }
  }

  void add_targets(Instance& instance) {
    const Placeholders values = placeholders_of(service_, instance);
    for (const auto& pool : service_.pools) {
      Target target{pool.lb, expand(pool.pool, values), expand_endpoint(pool.member, values), {}};
      for (const auto& [key, value] : pool.extras)
        target.extras[key] = expand_endpoint(value, values);
      instance.targets.push_back(std::move(target));
    }
  }

  void read_ports(const Node& own, std::map<std::string, int>& ports) {
    for (std::size_t i = 0; i < own.keys.size(); ++i) {
      const std::string& host = own.keys[i].text;
      if (auto number = parse_integer(own.items[i].text)) ports[host] = static_cast<int>(*number);
      if (std::find(service_.hosts.begin(), service_.hosts.end(), host) != service_.hosts.end())
        continue;
      const std::string meant = nearest(host, service_.hosts);
      context_.error(
          "HL0209", own.keys[i].span,
          fmt::format("`{}` is not a host of `{}`", escape_for_terminal(host), service_.name),
          meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
    }
  }

  LoadContext& context_;
  const Node& node_;
  Reader reader_;
  Service service_;
};

}  // namespace

void decode_services(LoadContext& context) {
  const Node* all = context.root.find("services");
  if (all == nullptr || all->kind != Node::Kind::map) return;
  for (std::size_t i = 0; i < all->keys.size(); ++i)
    context.fleet.services.emplace(all->keys[i].text,
                                   ServiceDecoder(context, all->keys[i], all->items[i]).run());
}

}  // namespace hitless::fleet
