#include "cli/ask_fleet.hpp"

#include <algorithm>

namespace hitless::cli {
namespace {

// What people call the program, whatever the service is named.
std::vector<std::string> names_of_kind(fleet::ServiceKind kind) {
  switch (kind) {
    case fleet::ServiceKind::nginx:
      return {"nginx"};
    case fleet::ServiceKind::apache:
      return {"apache", "apache2", "httpd"};
    case fleet::ServiceKind::haproxy:
      return {"haproxy"};
    case fleet::ServiceKind::php_fpm:
      return {"php-fpm", "php", "fpm"};
    case fleet::ServiceKind::gunicorn:
      return {"gunicorn"};
    case fleet::ServiceKind::redis:
      return {"redis"};
    case fleet::ServiceKind::postgresql:
      return {"postgresql", "postgres"};
    case fleet::ServiceKind::systemd:
    case fleet::ServiceKind::command:
      break;
  }
  return {};
}

agent::KnownService known(const fleet::Service& service) {
  agent::KnownService known{service.name, names_of_kind(service.kind), {}};
  if (!service.unit.empty()) {
    known.aliases.push_back(service.unit);
    known.aliases.push_back(service.unit.substr(0, service.unit.find('.')));
  }
  for (const fleet::Instance& instance : service.instances) known.hosts.push_back(instance.host);
  return known;
}

}  // namespace

agent::KnownFleet known_fleet(const fleet::Fleet& fleet) {
  agent::KnownFleet all;
  for (const auto& [name, service] : fleet.services) all.services.push_back(known(service));
  all.groups = fleet.groups;
  for (const auto& [name, host] : fleet.hosts) {
    if (host.zone.empty()) continue;
    std::vector<std::string>& zone = all.groups[host.zone];
    if (std::find(zone.begin(), zone.end(), name) == zone.end()) zone.push_back(name);
  }
  return all;
}

}  // namespace hitless::cli
