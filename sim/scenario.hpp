// What a seed stands for: the fleet, the plan and the faults, drawn once at the start.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.hpp"
#include "sim/random.hpp"

namespace hitless::sim {

using core::DurationMs;
using core::TimeMs;

constexpr int kHosts = 6;
constexpr int kNodes = 3;  // of the load balancer, at most
constexpr int kHomes = 3;  // machines that controllers run on, at most

// An array that is indexed with int, checked.
template <class T, int N>
struct Table {
  std::array<T, static_cast<std::size_t>(N)> values{};
  T& operator[](int i) { return values[static_cast<std::size_t>(i)]; }
  const T& operator[](int i) const { return values[static_cast<std::size_t>(i)]; }
  void fill(const T& value) { values.fill(value); }
  auto begin() { return values.begin(); }
  auto end() { return values.end(); }
  auto begin() const { return values.begin(); }
  auto end() const { return values.end(); }
  T* data() { return values.data(); }
  const T* data() const { return values.data(); }
};

enum class FaultKind {
  kill,
  pause,
  starve,
  clock_jump,
  crash_point,
  store_down,
  store_full,
  store_unknown_result,
  store_torn_write,
  store_lag,
  store_compaction,
  lease_lost,
  net_lost_request,
  net_lost_reply,
  net_delay,
  net_duplicate,
  partition_host,
  partition_lb,
  host_reboot,
  restart_hangs,
  restart_sick,
  new_config_sick,
  flaps,
  ssh_refused,
  slow_start,
  start_limit,
  disk_full,
  lb_reload,
  lb_stale,
  lb_refuses,
  lb_human,
  lb_node_disagrees,
  lb_fails_open,
  peer_dies,
  direct_clients,
  probes_lost,
  net_stuck,  // only in traps
};
constexpr int kFaultKinds = static_cast<int>(FaultKind::net_stuck) + 1;
constexpr int kDrawnKinds = kFaultKinds - 1;
[[nodiscard]] std::string_view to_string(FaultKind kind);

// Where an aimed fault strikes: at the instance of the effect, or at the n-th after it.
constexpr int kWhereAimed = -1, kElsewhere = -2;

struct Fault {
  TimeMs at = 0;
  DurationMs lasts = 0;
  FaultKind kind = FaultKind::kill;
  int home = 0, host = 0, node = 0;  // where, as far as the kind needs it
  bool aimed = false;    // strikes when an effect of this kind is dispatched for the host
  DurationMs after = 0;  // so long after that
  core::EffectKind aim = core::EffectKind::act;
  bool backward = false;  // aimed at effects of a rollback only
  std::int64_t n = 0;     // which crash point, how far the clock jumps, who is toggled
};

struct Scenario {
  std::uint64_t seed = 0;
  int hosts = kHosts, nodes = 2, homes = 1;
  bool direct = false;           // clients that reach instances past the load balancer
  bool lb_checks = true;         // the load balancer has a health check of its own
  bool somebody_resumes = true;  // a killed controller is started again sooner or later
  core::Plan plan;
  std::vector<Fault> faults;
  TimeMs faults_end = 0;
  DurationMs drain_ms = 300;  // until the last request of a drained instance is over
};

[[nodiscard]] Scenario draw(std::uint64_t seed);
void lay_trap(Random& random, Scenario& scenario);
[[nodiscard]] core::Plan plan_of(int hosts, core::Intent intent);
void by_reload(core::Plan& plan);  // it reloads and does not restart

// Faults that a rollout must get through without failing: nothing that they do is a reason to.
[[nodiscard]] bool harmless(const Scenario& scenario);
// And those whose only reason to fail is a bad new configuration: the way back must succeed.
[[nodiscard]] bool only_bad_config(const Scenario& scenario);

}  // namespace hitless::sim
