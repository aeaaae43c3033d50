// Faults aimed at the moments where a mistake would matter: chance alone seldom meets them.
#include "sim/scenario.hpp"

namespace hitless::sim {
namespace {

using core::EffectKind;

constexpr TimeMs kFirstMs = 1'000;
constexpr DurationMs kLongEnoughMs = 45'000;  // for the moment to come, and for what follows it

Fault aimed(FaultKind kind, EffectKind at, TimeMs from) {
  Fault fault;
  fault.kind = kind;
  fault.aimed = true;
  fault.aim = at;
  fault.at = from;
  fault.host = kWhereAimed;
  return fault;
}

struct Layer {
  Random& random;
  Scenario& scenario;
  TimeMs from;

  Fault& add(FaultKind kind, EffectKind aim, DurationMs lasts = 0) {
    Fault fault = aimed(kind, aim, from);
    fault.lasts = lasts;
    fault.node = random.pick(scenario.nodes);
    scenario.faults.push_back(fault);
    return scenario.faults.back();
  }

  // The intent of an act is durable, the act was never started.
  void killed_at_act() { add(FaultKind::kill, EffectKind::act); }

  // Killed between the last look and the act; meanwhile the load balancer forgets the drain.
  void reload_while_nobody_looks() {
    add(FaultKind::crash_point, EffectKind::confirm_out).n = random.between(1, 9);
    if (random.percent(25)) return;
    add(FaultKind::lb_reload, EffectKind::confirm_out).after = random.between(200, 2'500);
  }

  // Somebody is out already, and then a node of the load balancer cannot be asked.
  void unseen_while_others_are_out() {
    scenario.nodes = kNodes;
    scenario.lb_checks = true;
    const int down = scenario.plan.policy.capacity.floor == scenario.hosts - 1 ? 1 : 2;
    for (int i = 0; i < down; ++i) {
      Fault& dead = add(FaultKind::peer_dies, EffectKind::rejoin, 40'000);
      dead.host = kElsewhere;
      dead.n = scenario.hosts - 2 - i;  // those before it in line, which are done
    }
    const bool cut = random.percent(50);
    Fault& unseen =
        add(cut ? FaultKind::partition_lb : FaultKind::lb_refuses, EffectKind::rejoin, 25'000);
    unseen.after = random.between(1'200, 4'000);
    unseen.node = static_cast<int>(random.between(1, 2));
  }

  // It comes back sick, nobody checks but us, and our probes get no answer.
  void sick_and_not_to_be_seen() {
    scenario.lb_checks = false;
    add(FaultKind::restart_sick, EffectKind::drain, 40'000);
    add(FaultKind::probes_lost, EffectKind::drain, 40'000);
  }

  // An act is under way for seconds, its controller dies, the next one is there before it arrives.
  void act_arrives_late() {
    add(FaultKind::net_stuck, EffectKind::act, 10'000);
    add(FaultKind::kill, EffectKind::act).after = random.between(1, 500);
  }

  // Asleep beyond its lease, just before it sends something.
  void sleeps_past_its_lease() {
    constexpr EffectKind kAims[] = {EffectKind::drain, EffectKind::rejoin, EffectKind::act};
    add(FaultKind::pause, kAims[random.pick(3)], random.between(11'000, 90'000));
  }

  // An act goes on by itself after its controller died, and the old process still serves.
  void act_outlives_its_controller() {
    add(FaultKind::slow_start, EffectKind::act, 30'000);
    add(FaultKind::kill, EffectKind::act).after = random.between(50, 900);
  }

  // A bad configuration is rolled back; killed there, and nobody knows whether it was reloaded.
  void killed_at_the_reload_back() {
    scenario.plan.intent = core::Intent::apply;
    scenario.plan.changes_config = true;
    by_reload(scenario.plan);
    add(FaultKind::new_config_sick, EffectKind::drain, 60'000);
    Fault& kill = add(FaultKind::kill, EffectKind::act);
    kill.backward = true;
    kill.after = random.percent(50) ? 0 : random.between(1, 400);
  }

  // The workers of before answer for a while, and they are sick.
  void old_workers_linger() {
    killed_at_the_reload_back();
    scenario.faults.pop_back();
  }

  // Clients past the load balancer, and their count is not to be had.
  void uncounted_clients() {
    scenario.direct = true;
    scenario.drain_ms = random.between(300, 1'500);
    add(FaultKind::probes_lost, EffectKind::drain, 15'000);
  }

  // It is well, and a node of the load balancer cannot reach it.
  void one_node_cannot_reach_it() {
    scenario.lb_checks = true;
    add(FaultKind::lb_node_disagrees, EffectKind::act, 40'000).n = 1;
  }

  // Nobody can say whether the act was carried out, and it was not.
  void act_never_arrives() {
    add(FaultKind::ssh_refused, EffectKind::act, random.between(11'000, 17'000));
  }

  // Nobody takes over.
  void left_alone() {
    constexpr EffectKind kAims[] = {EffectKind::confirm_out, EffectKind::act, EffectKind::rejoin};
    scenario.homes = 1;
    scenario.somebody_resumes = false;
    add(FaultKind::kill, kAims[random.pick(3)]);
  }

  // Who takes over reads a replica that lags.
  void journal_lags() {
    add(FaultKind::store_lag, EffectKind::act, 60'000);
    add(FaultKind::kill, EffectKind::act).after = random.between(0, 500);
  }

  // Something was changed, for the worse as like as not, and nothing can be journaled any more.
  void journal_full() {
    core::Plan& plan = scenario.plan;
    plan.action = core::Action::restart;
    if (plan.intent == core::Intent::reload) plan.intent = core::Intent::restart;
    add(FaultKind::store_full, EffectKind::act, 25'000);
    if (random.percent(50)) add(FaultKind::restart_sick, EffectKind::drain, 40'000);
  }

  // The load balancer reloads while something drains.
  void drain_is_forgotten() {
    scenario.direct = false;
    scenario.drain_ms = random.between(300, 1'000);
    add(FaultKind::lb_reload, EffectKind::drain).after = random.between(50, 600);
  }

  // It ran, it failed, and the answer is lost.
  void failed_and_not_heard_of() {
    add(FaultKind::start_limit, EffectKind::act, 30'000);
    add(FaultKind::net_lost_reply, EffectKind::act, 30'000);
  }
};

}  // namespace

void lay_trap(Random& random, Scenario& scenario) {
  if (random.percent(70)) scenario.faults.clear();
  Layer layer{random, scenario, kFirstMs + random.between(0, 6'000)};
  constexpr void (Layer::* kTraps[])() = {
      &Layer::killed_at_act,
      &Layer::reload_while_nobody_looks,
      &Layer::unseen_while_others_are_out,
      &Layer::sick_and_not_to_be_seen,
      &Layer::act_arrives_late,
      &Layer::sleeps_past_its_lease,
      &Layer::act_outlives_its_controller,
      &Layer::failed_and_not_heard_of,
      &Layer::uncounted_clients,
      &Layer::one_node_cannot_reach_it,
      &Layer::act_never_arrives,
      &Layer::left_alone,
      &Layer::journal_lags,
      &Layer::journal_full,
      &Layer::drain_is_forgotten,
      &Layer::killed_at_the_reload_back,
      &Layer::old_workers_linger,
  };
  (layer.*kTraps[random.pick(std::size(kTraps))])();
  scenario.faults_end = layer.from + kLongEnoughMs;
}

}  // namespace hitless::sim
