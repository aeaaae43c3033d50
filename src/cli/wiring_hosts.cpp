// Whole hosts as instances: the services that live there wired one by one, then seen together.
#include <algorithm>
#include <set>

#include "adapters/coordination/claims.hpp"
#include "adapters/health/probes.hpp"
#include "adapters/service/apt.hpp"
#include "adapters/service/whole_host.hpp"
#include "adapters/traffic/host_pool.hpp"
#include "cli/wiring.hpp"

namespace hitless::cli {
namespace {

core::InstanceId host_id(const std::string& host) {
  return core::InstanceId{"host@" + host};
}

const engine::InstanceParts* part_on(const Wiring& member, const std::string& host) {
  for (const engine::InstanceParts& each : member.parts.instances) {
    if (each.host_name == host) return &each;
  }
  return nullptr;
}

// The stricter of both: what one of them must not do, none does.
void take_stricter(core::Policy& to, const core::Policy& from) {
  to.capacity.at_once = std::min(to.capacity.at_once, from.capacity.at_once);
  to.capacity.max_failures = std::min(to.capacity.max_failures, from.capacity.max_failures);
  to.capacity.zone_by_zone |= from.capacity.zone_by_zone;
  to.drain.deadline_ms = std::max(to.drain.deadline_ms, from.drain.deadline_ms);
  to.drain.quiet_ms = std::max(to.drain.quiet_ms, from.drain.quiet_ms);
  to.drain.settle_ms = std::max(to.drain.settle_ms, from.drain.settle_ms);
  if (from.drain.on_deadline == core::OnDrainDeadline::abort)
    to.drain.on_deadline = core::OnDrainDeadline::abort;
  to.verify.deadline_ms = std::max(to.verify.deadline_ms, from.verify.deadline_ms);
  to.verify.stability_ms = std::max(to.verify.stability_ms, from.verify.stability_ms);
  to.verify.grace_ms = std::max(to.verify.grace_ms, from.verify.grace_ms);
  to.verify.rise = std::max(to.verify.rise, from.verify.rise);
  to.verify.fall = std::max(to.verify.fall, from.verify.fall);
  to.verify.health |= from.verify.health;
  to.verify.compare_latency &= from.verify.compare_latency;
  to.rejoin.deadline_ms = std::max(to.rejoin.deadline_ms, from.rejoin.deadline_ms);
  to.rejoin.traffic_wait_ms = std::max(to.rejoin.traffic_wait_ms, from.rejoin.traffic_wait_ms);
  to.rejoin.soak_ms = std::max(to.rejoin.soak_ms, from.rejoin.soak_ms);
  to.rejoin.max_error_ratio = std::min(to.rejoin.max_error_ratio, from.rejoin.max_error_ratio);
}

class HostsBuilder {
 public:
  HostsBuilder(const fleet::Fleet& fleet, core::Intent intent) : fleet_(fleet), intent_(intent) {}

  Result<std::unique_ptr<Wiring>> build(const std::string& service) {
    if (Status ok = add_members(service); !ok) return tl::unexpected<Error>(ok.error());
    engine::ServiceParts& parts = wiring_->parts;
    parts.name = service;
    set_policy(*fleet_.service(service));
    std::vector<std::string> order;  // the service's own hosts first
    for (const auto& member : wiring_->members) {
      for (const engine::InstanceParts& each : member->parts.instances) {
        if (std::find(order.begin(), order.end(), each.host_name) == order.end())
          order.push_back(each.host_name);
      }
    }
    for (const std::string& host : order) add_host(host);
    // A count that is missing on one host would be unknown there for ever.
    parts.policy.drain.host_count &= std::all_of(parts.instances.begin(), parts.instances.end(),
                                                 [](const auto& each) { return each.port != 0; });
    for (const auto& member : wiring_->members) add_pools(*member);
    add_floors();
    add_coordination(service);
    add_watchdog();
    return std::move(wiring_);
  }

 private:
  Status add_members(const std::string& service) {
    auto own = wire(fleet_, service, Sources::optional);
    if (!own) return tl::unexpected<Error>(own.error());
    for (const engine::InstanceParts& each : (*own)->parts.instances)
      worked_.insert(each.host_name);
    wiring_->members.push_back(std::move(*own));
    for (const auto& [name, other] : fleet_.services) {
      const bool lives_there =
          std::any_of(other.instances.begin(), other.instances.end(),
                      [&](const fleet::Instance& each) { return worked_.count(each.host) > 0; });
      if (name == service || !lives_there) continue;
      auto member = wire(fleet_, name, Sources::optional);
      if (!member) return tl::unexpected<Error>(member.error());
      wiring_->members.push_back(std::move(*member));
    }
    return {};
  }

  void set_policy(const fleet::Service& service) {
    engine::ServiceParts& parts = wiring_->parts;
    parts.policy = wiring_->members.front()->parts.policy;
    parts.canaries = service.policy.canaries;
    parts.install_ms = service.policy.install_deadline_ms;
    bool counts = false;
    std::set<std::string> known;
    for (const auto& member : wiring_->members) {
      take_stricter(parts.policy, member->parts.policy);
      counts |= member->parts.policy.drain.host_count;
      for (const engine::Dependency& dependency : member->parts.dependencies) {
        if (known.insert(dependency.name).second) parts.dependencies.push_back(dependency);
      }
    }
    parts.policy.drain.host_count = counts;
    if (intent_ == core::Intent::reboot)
      parts.policy.verify.deadline_ms = service.policy.reboot_deadline_ms;
  }

  void add_host(const std::string& name) {
    engine::InstanceParts to;
    to.id = host_id(name);
    to.host_name = name;
    to.bystander = worked_.count(name) == 0;
    service::WholeHostConfig config;
    std::vector<NamedHealth> checks;
    for (const auto& member : wiring_->members) {
      const engine::InstanceParts* part = part_on(*member, name);
      if (part == nullptr) continue;
      if (to.host == nullptr) {
        to.host = part->host;
        to.zone = part->zone;
      }
      const std::string& service = member->parts.name;
      config.members.push_back({service, part->port, fleet_.service(service)->unit, part->service});
      if (part->health != nullptr) checks.push_back({service, part->health});
      if (part->port == 0 || !member->parts.policy.drain.host_count) continue;
      if (to.port == 0) {
        to.port = part->port;
      } else {
        to.also_ports.push_back(part->port);
      }
    }
    config.for_reboot = intent_ == core::Intent::reboot;
    config.never = never(name);
    wiring_->packages.push_back(service::make_apt(*to.host, apt_config(config)));
    config.packages = to.packages = wiring_->packages.back().get();
    for (const service::HostMember& member : config.members) {
      if (!member.unit.empty()) to.units.push_back(member.unit);
    }
    wiring_->services.push_back(service::make_whole_host(*to.host, std::move(config)));
    to.service = wiring_->services.back().get();
    if (!checks.empty()) {
      wiring_->checks.push_back(make_all_health(std::move(checks)));
      to.health = wiring_->checks.back().get();
    }
    wiring_->parts.instances.push_back(std::move(to));
  }

  static service::AptConfig apt_config(const service::WholeHostConfig& host) {
    service::AptConfig config;
    for (const service::HostMember& member : host.members) {
      if (!member.unit.empty()) config.units.push_back(member.unit);
      config.claims.insert(config.claims.end(), {member.service, std::to_string(member.port)});
    }
    return config;
  }

  // Why this host must not be rebooted by us.
  [[nodiscard]] std::string never(const std::string& name) const {
    const fleet::Host* host = fleet_.host(name);
    if (host != nullptr && host->connect == fleet::Connect::local)
      return "it is the machine that hitless itself runs on";
    for (const auto& [lb_name, lb] : fleet_.load_balancers) {
      for (const fleet::LbNode& node : lb.nodes) {
        if (node.host == name) return "the load balancer node " + node.name + " runs there";
      }
    }
    return {};
  }

  void add_pools(Wiring& member) {
    for (const auto& pool : member.pools) {
      HostTargets targets;
      for (const engine::InstanceParts& each : member.parts.instances)
        targets[host_id(each.host_name)] = each.id;
      wiring_->pools.push_back(make_host_pool(*pool, std::move(targets)));
      wiring_->parts.pools.push_back(wiring_->pools.back().get());
    }
  }

  // What is in no load balancer has no rotation to count.
  void add_floors() {
    for (const auto& member : wiring_->members) {
      if (member->pools.empty()) continue;
      core::ServiceFloor group;
      group.service = member->parts.name;
      group.floor = member->parts.policy.capacity.floor;
      for (const engine::InstanceParts& each : member->parts.instances)
        group.members.push_back(host_id(each.host_name));
      wiring_->parts.floors.push_back(std::move(group));
    }
  }

  void add_coordination(const std::string& service) {
    coordination::ClaimsConfig config;
    config.service = service;
    config.home_is_locked = true;  // a rollout starts only under the file locks of all of them
    config.outlives_reboot = intent_ == core::Intent::reboot;
    for (const auto& member : wiring_->members) {
      for (const engine::InstanceParts& each : member->parts.instances)
        config.instances.push_back(
            {host_id(each.host_name), each.host, each.port, member->parts.name});
    }
    wiring_->coordination = coordination::make_host_claims(std::move(config));
  }

  void add_watchdog() {
    watchdog::WatchdogConfig config;
    for (const engine::InstanceParts& each : wiring_->parts.instances) {
      if (each.bystander) continue;
      watchdog::WatchedInstance watched;
      for (const auto& member : wiring_->members) {
        const engine::InstanceParts* part = part_on(*member, each.host_name);
        if (part == nullptr) continue;
        for (const watchdog::WatchedInstance& from : member->watched) {
          if (from.instance != part->id) continue;
          if (watched.host == nullptr)
            watched = {each.id, from.service, from.port, from.host, {}, {}};
          watched.targets.insert(watched.targets.end(), from.targets.begin(), from.targets.end());
          watched.not_covered.insert(watched.not_covered.end(), from.not_covered.begin(),
                                     from.not_covered.end());
        }
      }
      if (watched.host != nullptr) config.instances.push_back(std::move(watched));
    }
    if (config.instances.empty()) return;
    wiring_->watched = config.instances;
    wiring_->watchdog = watchdog::make_watchdog(std::move(config));
  }

  const fleet::Fleet& fleet_;
  core::Intent intent_;
  std::set<std::string> worked_;
  std::unique_ptr<Wiring> wiring_ = std::make_unique<Wiring>();
};

}  // namespace

std::vector<std::string> Wiring::service_names() const {
  if (members.empty()) return {parts.name};
  std::vector<std::string> names;
  for (const auto& member : members) names.push_back(member->parts.name);
  return names;
}

Result<std::unique_ptr<Wiring>> wire_hosts(const fleet::Fleet& fleet, const std::string& service,
                                           core::Intent intent) {
  return HostsBuilder(fleet, intent).build(service);
}

Result<std::unique_ptr<Wiring>> wire_for(const fleet::Fleet& fleet, const std::string& service,
                                         core::Intent intent, Sources sources) {
  if (core::works_on_hosts(intent)) return wire_hosts(fleet, service, intent);
  // Only an apply installs them.
  return wire(fleet, service, intent == core::Intent::apply ? sources : Sources::optional);
}

}  // namespace hitless::cli
