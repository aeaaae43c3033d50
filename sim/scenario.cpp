#include "sim/scenario.hpp"

#include <algorithm>

namespace hitless::sim {
namespace {

constexpr TimeMs kStartMs = 1'000;
constexpr DurationMs kDrainSlackMs = 1'500;  // commands, looks, the quiet window
constexpr int kTrapPercent = 55;             // of the seeds: faults aimed at where they matter
constexpr DurationMs kSlowCommandMs = 700;   // to a node, while the network is slow
constexpr int kReloadPercent = 40;           // of the seeds: it reloads and does not restart

struct KindInfo {
  FaultKind kind;
  std::string_view name;
  DurationMs shortest, longest;  // how long it lasts; 0, 0: a moment
};

constexpr std::array<KindInfo, kFaultKinds> kKinds{{
    {FaultKind::kill, "controller killed", 1'000, 20'000},
    {FaultKind::pause, "controller paused", 500, 150'000},
    {FaultKind::starve, "controller starved of CPU", 2'000, 20'000},
    {FaultKind::clock_jump, "clock jumps", 0, 0},
    {FaultKind::crash_point, "controller killed at a write or an effect", 1'000, 20'000},
    {FaultKind::store_down, "journal cannot be reached", 500, 15'000},
    {FaultKind::store_full, "journal's disk is full", 500, 15'000},
    {FaultKind::store_unknown_result, "journal's answer is lost", 0, 0},
    {FaultKind::store_torn_write, "torn write", 0, 0},
    {FaultKind::store_lag, "journal replica lags", 500, 60'000},
    {FaultKind::store_compaction, "journal compacted", 0, 0},
    {FaultKind::lease_lost, "leases lost", 0, 0},
    {FaultKind::net_lost_request, "requests lost", 200, 5'000},
    {FaultKind::net_lost_reply, "replies lost", 200, 5'000},
    {FaultKind::net_delay, "network slow", 500, 10'000},
    {FaultKind::net_duplicate, "requests doubled", 500, 10'000},
    {FaultKind::partition_host, "host cut off", 500, 20'000},
    {FaultKind::partition_lb, "load balancer node cut off", 500, 20'000},
    {FaultKind::host_reboot, "host reboots by itself", 0, 0},
    {FaultKind::restart_hangs, "restart hangs", 2'000, 20'000},
    {FaultKind::restart_sick, "restarts but sick", 2'000, 40'000},
    {FaultKind::new_config_sick, "sick with the new configuration", 2'000, 60'000},
    {FaultKind::flaps, "flaps", 2'000, 20'000},
    {FaultKind::ssh_refused, "ssh refused", 500, 15'000},
    {FaultKind::slow_start, "starts slowly", 5'000, 40'000},
    {FaultKind::start_limit, "start limit hit", 2'000, 20'000},
    {FaultKind::disk_full, "disk full", 2'000, 20'000},
    {FaultKind::lb_reload, "load balancer reloads and forgets drains", 0, 0},
    {FaultKind::lb_stale, "load balancer answers with old numbers", 500, 5'000},
    {FaultKind::lb_refuses, "load balancer answers 5xx", 200, 8'000},
    {FaultKind::lb_human, "someone toggles a server", 0, 0},
    {FaultKind::lb_node_disagrees, "one node disagrees", 1'000, 15'000},
    {FaultKind::lb_fails_open, "load balancer fails open", 500, 10'000},
    {FaultKind::peer_dies, "service dies", 1'000, 20'000},
    {FaultKind::direct_clients, "clients that the load balancer does not know", 300, 8'000},
    {FaultKind::probes_lost, "health probes lost", 500, 8'000},
    {FaultKind::net_stuck, "messages to hosts get stuck", 0, 0},
}};

// A swarm: each seed has only some kinds, so that rare ones meet often.
std::vector<FaultKind> kinds_of(Random& random) {
  std::vector<FaultKind> kinds;
  const int wanted = static_cast<int>(random.between(1, 5));
  for (int i = 0; i < wanted; ++i)
    kinds.push_back(kKinds[static_cast<std::size_t>(random.pick(kDrawnKinds))].kind);
  return kinds;
}

Fault draw_fault(Random& random, FaultKind kind, const Scenario& scenario) {
  const KindInfo& info = kKinds[static_cast<std::size_t>(kind)];
  Fault fault;
  fault.kind = kind;
  fault.at = kStartMs + random.between(0, random.percent(70) ? 8'000 : 30'000);
  fault.lasts = info.longest == 0 ? 0 : random.between(info.shortest, info.longest);
  fault.home = random.percent(75) ? 0 : random.pick(scenario.homes);
  fault.host = random.pick(scenario.hosts);
  fault.node = random.pick(scenario.nodes);
  fault.n = random.between(1, 60);
  fault.aimed = random.percent(50);
  constexpr core::EffectKind kAims[] = {core::EffectKind::drain, core::EffectKind::confirm_out,
                                        core::EffectKind::act, core::EffectKind::act,
                                        core::EffectKind::rejoin};
  fault.aim = kAims[random.pick(5)];
  return fault;
}

void draw_policy(Random& random, core::Plan& plan) {
  core::Policy& policy = plan.policy;
  const auto hosts = static_cast<std::int64_t>(plan.instances.size());
  policy.capacity.floor = hosts - random.between(1, 2);
  policy.capacity.at_once = random.between(1, 2);
  policy.capacity.max_failures = random.percent(15) ? 1 : 0;
  const int rule = random.pick(10);
  policy.drain.on_deadline = rule < 7   ? core::OnDrainDeadline::abort
                             : rule < 9 ? core::OnDrainDeadline::force
                                        : core::OnDrainDeadline::wait;
}

}  // namespace

std::string_view to_string(FaultKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].name;
}

core::Plan plan_of(int hosts, core::Intent intent) {
  core::Plan plan;
  plan.rollout = "R-1";
  plan.service = "web";
  plan.intent = intent;
  plan.changes_config = intent == core::Intent::apply;
  plan.action = core::Action::restart;
  core::Policy& policy = plan.policy;
  policy.capacity.floor = hosts - 1;
  policy.capacity.wait_ms = 20'000;
  policy.drain.deadline_ms = 4'000;
  policy.drain.quiet_ms = 100;
  policy.verify.deadline_ms = 10'000;
  policy.verify.grace_ms = 2'000;
  policy.verify.stability_ms = 300;
  policy.verify.rise = 2;
  policy.verify.fall = 3;
  policy.verify.latency_samples = 2;
  policy.rejoin.deadline_ms = 8'000;
  policy.rejoin.traffic_wait_ms = 1'000;
  policy.rejoin.soak_ms = 150;
  for (int i = 1; i <= hosts; ++i) {
    const std::string host = "web0" + std::to_string(i);
    plan.instances.push_back(
        core::InstancePlan{core::InstanceId{"web@" + host}, host, "", i == 1, ""});
  }
  return plan;
}

Scenario draw(std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.nodes = static_cast<int>(random.between(1, kNodes));
  scenario.homes = random.percent(40) ? 1 : static_cast<int>(random.between(2, kHomes));
  scenario.direct = random.percent(20);
  scenario.lb_checks = random.percent(90);
  scenario.somebody_resumes = random.percent(92);
  scenario.plan =
      plan_of(scenario.hosts, random.percent(50) ? core::Intent::restart : core::Intent::apply);
  draw_policy(random, scenario.plan);
  if (Random(mix(seed)).percent(kReloadPercent)) by_reload(scenario.plan);
  scenario.drain_ms = random.percent(85) ? random.between(20, 1'500) : random.between(3'000, 9'000);
  if (!random.percent(3)) {
    const std::vector<FaultKind> kinds = kinds_of(random);
    const int count = static_cast<int>(random.between(1, 8));
    for (int i = 0; i < count; ++i) {
      const FaultKind kind =
          kinds[static_cast<std::size_t>(random.pick(static_cast<int>(kinds.size())))];
      scenario.faults.push_back(draw_fault(random, kind, scenario));
    }
  }
  for (const Fault& fault : scenario.faults)
    scenario.faults_end = std::max(scenario.faults_end, fault.at + fault.lasts);
  Random traps(~seed);
  if (traps.percent(kTrapPercent)) lay_trap(traps, scenario);
  return scenario;
}

void by_reload(core::Plan& plan) {
  plan.action = core::Action::reload;
  if (plan.intent == core::Intent::restart) plan.intent = core::Intent::reload;
}

namespace {

// Nothing that is a reason to fail, but perhaps a configuration that makes sick.
bool nothing_hinders(const Scenario& scenario, bool bad_config) {
  const auto forgets =
      std::count_if(scenario.faults.begin(), scenario.faults.end(),
                    [](const Fault& fault) { return fault.kind == FaultKind::lb_reload; });
  // On a slow network each node is told and looked at late.
  const bool slow = std::any_of(scenario.faults.begin(), scenario.faults.end(),
                                [](const Fault& f) { return f.kind == FaultKind::net_delay; });
  const DurationMs told = slow ? scenario.nodes * kSlowCommandMs : 0;
  // Each forgotten drain begins anew, and its deadline does not.
  const DurationMs drain = scenario.drain_ms * (scenario.direct ? 2 : 1) * (1 + forgets) +
                           (forgets > 0 ? told * (1 + forgets) : 0);
  if (drain + kDrainSlackMs >= scenario.plan.policy.drain.deadline_ms) return false;
  for (const Fault& fault : scenario.faults) {
    switch (fault.kind) {
      case FaultKind::kill:
      case FaultKind::crash_point:
      case FaultKind::clock_jump:
      case FaultKind::store_lag:
      case FaultKind::store_compaction:
      case FaultKind::net_delay:
      case FaultKind::net_duplicate:
      case FaultKind::lb_reload:
        break;
      case FaultKind::new_config_sick:
        if (bad_config) break;
        return false;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace

bool harmless(const Scenario& scenario) {
  return nothing_hinders(scenario, false);
}

bool only_bad_config(const Scenario& scenario) {
  return nothing_hinders(scenario, true);
}

}  // namespace hitless::sim
