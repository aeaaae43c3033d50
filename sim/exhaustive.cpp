// Every order of up to N faults over the real reducers: three hosts, two controllers, fixed delays.
// At each message, look and turn of the run each fault may strike; a situation that was met before
// with as many faults left has no new future and is left out.
#include <fmt/format.h>

#include <unordered_set>

#include "sim/modes.hpp"

namespace hitless::sim {
namespace {

constexpr double kMaxSeconds = 570;
constexpr std::size_t kMaxStates = 20'000'000;
constexpr std::uint64_t kShown = 3;  // violations with their transcripts

struct Search {
  std::unordered_set<std::uint64_t> met;
  std::uint64_t states = 0, runs = 0, violations = 0;
  double end = 0;
  bool cut_short = false;
  bool coarse =
      false;  // three faults: only before an effect leaves or a journal is read, fewer kinds
  std::vector<Fault> choices;
  core::Intent intent = core::Intent::restart;
};

std::vector<Fault> choices(bool coarse) {
  std::vector<Fault> all;
  const auto add = [&](FaultKind kind, DurationMs lasts, int host) {
    Fault fault;
    fault.kind = kind;
    fault.lasts = lasts;
    fault.host = host;
    all.push_back(fault);
  };
  add(FaultKind::kill, 0, 0);
  add(FaultKind::pause, 60'000, 0);
  add(FaultKind::lb_reload, 0, 0);
  add(FaultKind::store_unknown_result, 0, 0);
  if (coarse) {
    add(FaultKind::host_reboot, 0, 0);
    return all;
  }
  for (int host = 0; host < 3; ++host) {
    add(FaultKind::host_reboot, 0, host);
    add(FaultKind::ssh_refused, 12'000, host);
  }
  return all;
}

bool may_strike_at(const Item& item, bool coarse) {
  switch (item.what) {
    case Happens::send:
    case Happens::load_journal:
      return true;
    case Happens::turn:
    case Happens::lb_lands:
    case Happens::host_lands:
    case Happens::look_lands:
    case Happens::reply:
      return !coarse;
    default:
      return false;
  }
}

// A fault, and after how many steps of the run it struck: enough to run it again.
struct Strike {
  std::uint64_t step = 0;
  Fault fault;
};

Scenario small_scenario(core::Intent intent);

void print_again(core::Intent intent, const std::vector<Strike>& strikes) {
  World world(small_scenario(intent));
  world.fixed_delays = true;
  std::vector<std::string> lines;
  world.transcript = &lines;
  std::size_t next = 0;
  for (std::uint64_t step = 0;; ++step) {
    for (; next < strikes.size() && strikes[next].step == step; ++next)
      world.strike(strikes[next].fault);
    if (!world.step()) break;
  }
  world.settle();
  for (const std::string& line : lines) fmt::print("{}\n", line);
}

void explore(Search& search, World world, std::uint64_t faults, std::vector<Strike> strikes,
             std::uint64_t step) {
  while (const Item* next = world.upcoming()) {
    if (may_strike_at(*next, search.coarse)) {
      if (!search.met.insert(mix(world.digest() ^ faults << 60U)).second) return;
      search.cut_short |= seconds_now() > search.end || search.met.size() >= kMaxStates;
      for (const Fault& fault : search.choices) {
        if (faults == 0 || search.cut_short) break;
        World other = world;
        other.strike(fault);
        std::vector<Strike> more = strikes;
        more.push_back({step, fault});
        explore(search, std::move(other), faults - 1, std::move(more), step);
      }
    }
    ++step;
    if (!world.step()) break;
  }
  world.settle();
  ++search.runs;
  const Ending ending = world.ending();
  if (!ending.broken) return;
  if (++search.violations > kShown) return;
  print_again(search.intent, strikes);
  fmt::print("broken: {}: {}\n", ending.broken->rule, ending.broken->what);
}

Scenario small_scenario(core::Intent intent) {
  Scenario scenario;
  scenario.hosts = 3;
  scenario.nodes = 1;
  scenario.homes = 2;
  scenario.plan = plan_of(3, intent);
  if (intent != core::Intent::restart) by_reload(scenario.plan);
  scenario.plan.policy.verify.compare_latency = false;
  scenario.faults_end = 100'000;
  return scenario;
}

}  // namespace

int run_exhaustive(std::uint64_t faults) {
  Search search;
  const double start = seconds_now();
  search.end = start + kMaxSeconds;
  search.coarse = faults > 2;
  search.choices = choices(search.coarse);
  for (const core::Intent intent : {core::Intent::restart, core::Intent::apply}) {
    search.intent = intent;
    search.states += search.met.size();
    search.met.clear();
    World world(small_scenario(intent));
    world.fixed_delays = true;
    explore(search, world, faults, {}, 0);
  }
  search.states += search.met.size();
  fmt::print("a restart and an apply by reload: {} runs to their end, {:.1f}s{}\n", search.runs,
             seconds_now() - start, search.cut_short ? ", CUT SHORT by its limits" : "");
  fmt::print(
      "exhaustive: 3 hosts, 2 controllers, up to {} faults: {} states visited, {} violations\n",
      faults, search.states, search.violations);
  return search.violations == 0 && !search.cut_short ? 0 : 1;
}

}  // namespace hitless::sim
