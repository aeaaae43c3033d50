// Names that must exist, things that must not meet, files that must be there.
#include <fmt/format.h>
#include <sys/stat.h>

#include <set>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/lb_kinds.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

constexpr std::size_t kMostCollisions = 20;

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string meant = nearest(word, known);
  return meant.empty() ? "" : fmt::format("did you mean `{}`?", meant);
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

// Without {host} every instance would be the same server.
void check_members(const LoadContext& context, const Service& service, std::size_t i) {
  const LoadBalancer* lb = context.fleet.load_balancer(service.pools[i].lb);
  const LbKindEntry& entry = entry_of(lb == nullptr ? LbKind::haproxy : lb->kind);
  if (entry.member_is_on_host) return;
  std::set<std::string> members;
  for (const auto& instance : service.instances) {
    const Target& target = instance.targets[i];
    if (members.insert(target.pool + "\n" + target.member).second) continue;
    auto& d = context.error(
        "HL0208",
        context.place({"services", service.name, "pools", std::to_string(i), entry.member_key}),
        fmt::format("two instances would both be {} `{}`", entry.member_key, target.member),
        "must differ per instance");
    d.help = "put {host} or {port} into it";
    return;
  }
}

void check_pools(const LoadContext& context, const Service& service) {
  for (std::size_t i = 0; i < service.pools.size(); ++i) {
    const PoolRef& pool = service.pools[i];
    const std::string number = std::to_string(i);
    if (!pool.lb.empty() && context.fleet.load_balancers.count(pool.lb) == 0)
      context.error("HL0202", context.place({"services", service.name, "pools", number, "lb"}),
                    fmt::format("load balancer `{}` is not defined", escape_for_terminal(pool.lb)),
                    suggestion(pool.lb, names_of(context.fleet.load_balancers)));
    check_members(context, service, i);
  }
}

bool uses_port(const HealthCheck& check) {
  for (const auto& text : {check.url, check.target})
    for (const auto& used : placeholders_in(text))
      if (used.name == "port") return true;
  return false;
}

void check_port_known(const LoadContext& context, const Service& service) {
  const auto missing = [&](const LoadContext::Path& path) {
    for (const auto& instance : service.instances)
      if (!instance.port) {
        auto& d = context.error("HL0211", context.place(path),
                                fmt::format("{{port}} is used, but {} has no port", instance.id),
                                "which port?");
        d.help = "add `port:` (or `ports:`) to the service";
        return;
      }
  };
  const auto check_path = [&](LoadContext::Path path, const HealthCheck& check) {
    if (!uses_port(check)) return;
    path.emplace_back(check.kind == CheckKind::tcp ? "tcp" : "http");
    missing(path);
  };
  if (service.health) check_path({"services", service.name, "health"}, *service.health);
  for (std::size_t i = 0; i < service.dependencies.size(); ++i)
    check_path({"services", service.name, "dependencies", std::to_string(i)},
               service.dependencies[i]);
  for (std::size_t i = 0; i < service.pools.size(); ++i)
    for (const auto& used : placeholders_in(service.pools[i].member))
      if (used.name == "port") missing({"services", service.name, "pools", std::to_string(i)});
}

void check_sources(const LoadContext& context, const Service& service) {
  for (std::size_t i = 0; i < service.config.size(); ++i) {
    std::set<std::string> seen;
    for (const auto& instance : service.instances) {
      const std::string path = expand(service.config[i].source, placeholders_of(service, instance));
      if (path.empty() || !seen.insert(path).second) continue;
      struct stat info{};
      const bool found = ::stat(path.c_str(), &info) == 0;
      if (found && S_ISREG(info.st_mode)) continue;
      const Span at =
          context.place({"services", service.name, "config", std::to_string(i), "source"});
      const std::string what = fmt::format("{} {}", escape_for_terminal(path),
                                           found ? "is not a regular file" : "does not exist");
      const char* label = found ? "" : "no such file";
      auto& d = context.lenient ? context.warning("HL0205", at, what, label)
                                : context.error("HL0205", at, what, label);
      d.help = "a path here is relative to the fleet file";
      break;
    }
  }
}

void check_destinations(const LoadContext& context) {
  std::map<std::string, std::string> owner;  // "host path" → where it was said
  std::size_t reported = 0;
  for (const auto& [name, service] : context.fleet.services)
    for (std::size_t i = 0; i < service.config.size(); ++i)
      for (const auto& instance : service.instances) {
        const std::string dest = expand(service.config[i].dest, placeholders_of(service, instance));
        const Host& host = context.fleet.hosts.at(instance.host);
        // Hosts that are one machine (three instances on this one) share their files.
        const std::string machine = host.connect == Connect::local ? "(local)" : host.ssh_name;
        if (dest.empty()) continue;
        const auto [entry, is_new] = owner.emplace(machine + " " + dest, instance.id);
        if (is_new || reported >= kMostCollisions) continue;
        ++reported;
        auto& d = context.error(
            "HL0206", context.place({"services", name, "config", std::to_string(i), "dest"}),
            fmt::format("{} of {} is also a destination of {}", dest, instance.id, entry->second),
            "one would overwrite the other");
        d.help = "put {host} into it when several instances share a machine";
      }
}

void check_listeners(const LoadContext& context) {
  std::map<std::string, std::string> owner;
  std::size_t reported = 0;
  for (const auto& [name, service] : context.fleet.services)
    for (const auto& instance : service.instances) {
      if (!instance.port) continue;
      const std::string where = fmt::format("{} port {}", instance.address, *instance.port);
      const auto [entry, is_new] = owner.emplace(where, instance.id);
      if (is_new || reported >= kMostCollisions) continue;
      ++reported;
      LoadContext::Path path{"services", name, "ports", instance.host};
      const Node* services = context.root.find("services");
      const Node* own = services != nullptr && services->find(name) != nullptr
                            ? services->find(name)->find("ports")
                            : nullptr;
      if (own == nullptr || own->find(instance.host) == nullptr) path = {"services", name, "port"};
      auto& d = context.error(
          "HL0207", context.place(path),
          fmt::format("{} and {} both listen on {}", entry->second, instance.id, where),
          "taken already");
      d.help = "give instances that share an address different `ports:`";
    }
}

void check_dependency_names(const LoadContext& context, const Service& service) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < service.dependencies.size(); ++i)
    if (!service.dependencies[i].name.empty() && !seen.insert(service.dependencies[i].name).second)
      context.error(
          "HL0210",
          context.place({"services", service.name, "dependencies", std::to_string(i), "name"}),
          fmt::format("two dependencies are called `{}`", service.dependencies[i].name),
          "names must differ");
}

}  // namespace

void validate_references(const LoadContext& context) {
  for (const auto& [name, service] : context.fleet.services) {
    check_pools(context, service);
    check_port_known(context, service);
    check_sources(context, service);
    check_dependency_names(context, service);
  }
  check_destinations(context);
  check_listeners(context);
}

}  // namespace hitless::fleet
