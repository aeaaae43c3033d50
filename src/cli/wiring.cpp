#include "cli/wiring.hpp"

#include <filesystem>
#include <fstream>

#include "adapters/coordination/claims.hpp"
#include "adapters/health/probes.hpp"
#include "adapters/host/host.hpp"
#include "adapters/notify/notify.hpp"
#include "adapters/watchdog/watchdog.hpp"
#include "base/text.hpp"
#include "cli/wiring_pools.hpp"
#include "cli/wiring_services.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxSourceBytes = 4u << 20;

std::string absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

Result<std::unique_ptr<ports::Host>> wire_host(const fleet::Fleet& fleet, const fleet::Host& host) {
  if (host.connect == fleet::Connect::local)
    return host::make_local_host(host.name, host.address, host.sudo);
  host::SshConfig config;
  config.name = host.name;
  config.address = host.address;
  config.ssh_name = host.ssh_name;
  config.user = host.user.value_or(fleet.ssh.user.value_or(""));
  config.identity_file = absolute(host.identity.value_or(fleet.ssh.identity.value_or("")));
  config.known_hosts_file = absolute(fleet.ssh.known_hosts.value_or(""));
  config.config_file = absolute(fleet.ssh.config.value_or(""));
  config.port = host.port.value_or(0);
  config.sudo = host.sudo;
  if (fleet.ssh.connect_timeout_ms > 0)
    config.connect_timeout_s = static_cast<int>((fleet.ssh.connect_timeout_ms + 999) / 1000);
  config.keep_s = static_cast<int>((fleet.ssh.keep_ms + 999) / 1000);
  return host::make_ssh_host(std::move(config));
}

// Builds the drivers of one service, sharing hosts between instances and load balancer nodes.
class Builder {
 public:
  Builder(const fleet::Fleet& fleet, const fleet::Service& service, Sources sources)
      : fleet_(fleet), service_(service), sources_(sources) {}

  Result<std::unique_ptr<Wiring>> build() {
    wiring_->parts.name = service_.name;
    wiring_->unit = service_.unit;
    set_config_kind();
    set_policy();
    for (const fleet::Instance& instance : service_.instances) {
      if (Status ok = add_instance(instance); !ok) return tl::unexpected<Error>(ok.error());
    }
    if (Status ok = add_pools(); !ok) return tl::unexpected<Error>(ok.error());
    for (const fleet::HealthCheck& dependency : service_.dependencies) {
      // A dependency is one thing for all instances; the first one's placeholders serve.
      fleet::HealthCheck check = fleet::resolve(dependency, service_, service_.instances.front());
      ports::Health* made = add_check(check, wiring_->parts.instances.front().host);
      wiring_->parts.dependencies.push_back({dependency.name, made});
    }
    for (const fleet::Gate& gate : service_.policy.gates) {
      wiring_->checks.push_back(
          make_promql_health({gate.url, gate.promql, gate.below, gate.above, gate.timeout_ms}));
      // Named after its service, so that those of several services on a host stay apart.
      wiring_->parts.dependencies.push_back(
          {"gate " + gate.name + " of " + service_.name, wiring_->checks.back().get(), true});
    }
    add_coordination();
    if (service_.policy.watchdog) {
      if (Status ok = add_watchdog(); !ok) return tl::unexpected<Error>(ok.error());
    }
    return std::move(wiring_);
  }

 private:
  Result<ports::Host*> host(const std::string& name) {
    if (const auto it = hosts_.find(name); it != hosts_.end()) return it->second;
    const fleet::Host* found = fleet_.host(name);
    if (found == nullptr) return fail(ErrorCode::internal, "host " + name + " is not in the fleet");
    auto made = wire_host(fleet_, *found);
    if (!made) return tl::unexpected<Error>(made.error());
    wiring_->hosts.push_back(std::move(*made));
    hosts_[name] = wiring_->hosts.back().get();
    return hosts_[name];
  }

  void set_config_kind() {
    engine::ServiceParts& parts = wiring_->parts;
    parts.config_kind = config_kind_of(service_);
    if (service_.health && service_.health->kind == fleet::CheckKind::http) {
      const std::string& url = service_.health->url;
      const std::size_t host_at = url.find("://");
      const std::size_t path_at =
          host_at == std::string::npos ? host_at : url.find('/', host_at + 3);
      if (path_at != std::string::npos)
        parts.health_path = url.substr(path_at, url.find_first_of("?#", path_at) - path_at);
    }
  }

  void set_policy() {
    const fleet::Policy& from = service_.policy;
    core::Policy& to = wiring_->parts.policy;
    to.capacity = {from.floor, from.at_once, from.max_failures, from.capacity_wait_ms,
                   from.zone_by_zone};
    to.drain.deadline_ms = from.drain.deadline_ms;
    to.drain.quiet_ms = from.drain.quiet_ms;
    to.drain.settle_ms = from.drain.settle_ms;
    to.drain.host_count = from.drain.host_count;
    switch (from.drain.on_deadline) {
      case fleet::OnDeadline::abort:
        to.drain.on_deadline = core::OnDrainDeadline::abort;
        break;
      case fleet::OnDeadline::force:
        to.drain.on_deadline = core::OnDrainDeadline::force;
        break;
      case fleet::OnDeadline::wait:
        to.drain.on_deadline = core::OnDrainDeadline::wait;
        break;
    }
    to.verify.deadline_ms = from.verify.deadline_ms;
    to.verify.stability_ms = from.verify.stability_ms;
    to.verify.grace_ms = from.verify.grace_ms;
    to.verify.latency_samples = from.verify.samples;
    to.verify.latency_factor = from.verify.latency_factor;
    to.verify.latency_slack_ms = from.verify.latency_slack_ms;
    to.verify.compare_latency = from.verify.compare_latency;
    to.verify.health = service_.health.has_value();
    if (service_.health) {
      to.verify.health_interval_ms = service_.health->interval_ms;
      to.verify.rise = service_.health->rise;
      to.verify.fall = service_.health->fall;
    }
    to.rejoin = {from.rejoin.deadline_ms, from.rejoin.traffic_wait_ms, from.rejoin.soak_ms,
                 from.rejoin.max_error_ratio};
    wiring_->parts.canaries = from.canaries;
  }

  Status add_instance(const fleet::Instance& from) {
    auto reached = host(from.host);
    if (!reached) return tl::unexpected<Error>(reached.error());
    engine::InstanceParts to;
    to.id = core::InstanceId{from.id};
    to.host_name = from.host;
    to.zone = from.zone;
    to.host = *reached;
    to.port = from.port.value_or(0);
    WiredService service = wire_service(service_, from, **reached);
    to.main_config = std::move(service.main_config);
    to.service = service.driver.get();
    wiring_->services.push_back(std::move(service.driver));
    if (service_.health)
      to.health = add_check(fleet::resolve(*service_.health, service_, from), *reached);
    for (const fleet::ConfigFile& file : service_.config) {
      auto read = read_source(file, from);
      if (!read && sources_ == Sources::optional) {
        to.files.push_back({absolute(file.source), file.dest, {}, {}});
        continue;
      }
      if (!read) return tl::unexpected<Error>(read.error());
      to.files.push_back(std::move(*read));
    }
    if (to.port == 0) wiring_->parts.policy.drain.host_count = false;
    wiring_->parts.instances.push_back(std::move(to));
    return {};
  }

  Result<engine::ConfigFile> read_source(const fleet::ConfigFile& file,
                                         const fleet::Instance& instance) {
    const fleet::Placeholders values = fleet::placeholders_of(service_, instance);
    engine::ConfigFile to{fleet::expand(file.source, values),
                          fleet::expand(file.dest, values),
                          file.mode.value_or("0644"),
                          {}};
    std::ifstream in(to.source, std::ios::binary);
    std::string text(kMaxSourceBytes + 1, '\0');
    if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad())
      return fail(ErrorCode::not_found, "cannot read the new configuration", to.source);
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxSourceBytes)
      return fail(ErrorCode::invalid, "the new configuration is larger than 4 MiB", to.source);
    to.content = std::move(text);
    return to;
  }

  ports::Health* add_check(const fleet::HealthCheck& check, ports::Host* on) {
    wiring_->checks.push_back(make_check(check, on));
    return wiring_->checks.back().get();
  }

  // A load balancer's node without a host is reached from this machine.
  HostOf host_of() {
    return [this](const std::string& name) -> Result<ports::Host*> {
      if (!name.empty()) return host(name);
      if (here_ == nullptr) {
        wiring_->hosts.push_back(host::make_local_host("localhost", "127.0.0.1", false));
        here_ = wiring_->hosts.back().get();
      }
      return here_;
    };
  }

  Status add_pools() {
    auto pools = wire_pools(fleet_, service_, wiring_->parts, host_of());
    if (!pools) return tl::unexpected<Error>(pools.error());
    wiring_->pools = std::move(*pools);
    for (const auto& pool : wiring_->pools) wiring_->parts.pools.push_back(pool.get());
    return {};
  }

  void add_coordination() {
    coordination::ClaimsConfig config;
    config.service = service_.name;
    config.home_is_locked = true;  // a rollout starts only under the service's file lock
    for (const engine::InstanceParts& instance : wiring_->parts.instances)
      config.instances.push_back({instance.id, instance.host, instance.port});
    wiring_->coordination = coordination::make_host_claims(std::move(config));
  }

  Status add_watchdog() {
    watchdog::WatchdogConfig config;
    for (const fleet::Instance& instance : service_.instances) {
      const engine::InstanceParts& parts =
          *wiring_->parts.instances.find(core::InstanceId{instance.id});
      watchdog::WatchedInstance watched{parts.id, service_.name, parts.port, parts.host, {}};
      for (const fleet::Target& target : instance.targets) {
        const fleet::LoadBalancer* lb = fleet_.load_balancer(target.lb);
        if (lb == nullptr) continue;  // add_pools has refused it
        if (Status ok = add_watched(*lb, target, host_of(), watched); !ok) return ok;
      }
      config.instances.push_back(std::move(watched));
    }
    wiring_->watched = config.instances;
    wiring_->watchdog = watchdog::make_watchdog(std::move(config));
    return {};
  }

  const fleet::Fleet& fleet_;
  const fleet::Service& service_;
  Sources sources_;
  ports::Host* here_ = nullptr;
  std::unique_ptr<Wiring> wiring_ = std::make_unique<Wiring>();
  std::map<std::string, ports::Host*> hosts_;
};

}  // namespace

std::unique_ptr<ports::Health> make_check(const fleet::HealthCheck& check, ports::Host* host) {
  switch (check.kind) {
    case fleet::CheckKind::http: {
      HttpHealth config;
      config.url = check.url;
      config.expect_status = check.status;
      config.expect_body = check.body.value_or("");
      config.ca_file = check.ca.value_or("");
      config.host_header = check.host_header.value_or("");
      config.timeout_ms = check.timeout_ms;
      return make_http_health(std::move(config));
    }
    case fleet::CheckKind::tcp:
      return make_tcp_health({check.target, check.timeout_ms});
    case fleet::CheckKind::command:
      break;
  }
  return make_command_health(
      {check.command, check.timeout_ms, [host](std::vector<std::string> argv, DurationMs deadline) {
         return host->exec(std::move(argv), {}, deadline);
       }});
}

namespace {

Task<void> hold(std::unique_ptr<Wiring> wiring, std::function<Task<void>(Wiring*)> task) {
  co_await task(wiring.get());
  wiring.reset();
}

}  // namespace

void run_with(std::unique_ptr<Wiring> wiring, std::function<Task<void>(Wiring*)> task) {
  run_until_done([&] { return hold(std::move(wiring), task); });
}

std::vector<std::string> Wiring::pool_texts() const {
  std::vector<std::string> texts;
  for (const auto& pool : pools) texts.push_back(pool->describe());
  return texts;
}

Result<std::unique_ptr<Wiring>> wire(const fleet::Fleet& fleet, const std::string& service,
                                     Sources sources) {
  const fleet::Service* found = fleet.service(service);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const auto& [name, each] : fleet.services) names.push_back(name);
    const std::string near = nearest(service, names);
    return fail(ErrorCode::not_found, "no service `" + service + "` in the fleet file", fleet.file,
                near.empty() ? "it has: " + join(names, ", ") : "did you mean `" + near + "`?");
  }
  return Builder(fleet, *found, sources).build();
}

}  // namespace hitless::cli
