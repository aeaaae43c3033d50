// Events in order, and the faults.
#include "sim/world.hpp"

#include <utility>

#include "core/names.hpp"

namespace hitless::sim {
namespace {

constexpr DurationMs kSleptMs = 5'000;       // as the run loop has it
constexpr DurationMs kLivenessMs = 900'000;  // from the end of all faults to the rollout's end
constexpr std::int64_t kMaxSteps = 300'000;
constexpr TimeMs kStartMs = 1'000;
constexpr int kCease = -1, kMustBeOver = -2;

}  // namespace

int index_of(const core::InstanceId& id) {
  return id.value.empty() ? -1 : id.value.back() - '1';
}

World::World(Scenario scenario) : scenario_(std::move(scenario)), random_(scenario_.seed ^ 0x51e) {
  now_ = kStartMs;
  for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
    const Fault& fault = scenario_.faults[i];
    if (fault.aimed) continue;
    queue_.put({fault.at, 0, Happens::fault, 0, 0, static_cast<int>(i), 0});
    if (fault.lasts > 0)
      queue_.put({fault.at + fault.lasts, 0, Happens::heal, 0, 0, static_cast<int>(i), 0});
  }
  const TimeMs over = std::max(now_, scenario_.faults_end);
  queue_.put({over, 0, Happens::heal, 0, 0, kCease, 0});
  queue_.put({over + kLivenessMs, 0, Happens::heal, 0, 0, kMustBeOver, 0});
  if (scenario_.direct) {
    for (Host& host : hosts_) host.direct = 1;
  }
  for (LbNode& node : nodes_) {
    for (Server& server : node.servers) server.counted_at = now_;
  }
  version_.fill(1);  // nobody has seen anything yet
  for (int home = 0; home < scenario_.homes; ++home)
    at(home == 0 ? 0 : 2'000 + 1'500 * home, Happens::start_process, home);
}

void World::at(DurationMs in, Happens what, int a, int b, std::uint32_t life, int c) {
  queue_.put(
      {now_ + in, 0, what, static_cast<std::uint8_t>(c), static_cast<std::int16_t>(b), a, life});
}

Ending World::run() {
  while (step()) {
  }
  if (!broken_) rule_settled();
  return ending();
}

Ending World::ending() const {
  Ending ending;
  ending.broken = broken_;
  ending.hash = mix(hash_ ^ static_cast<std::uint64_t>(store_.entries.size()));
  ending.took = now_ - kStartMs;
  ending.entries = static_cast<std::int64_t>(store_.entries.size());
  ending.takeovers = takeovers_;
  ending.result = !store_.started ? "not started" : "still running";
  if (result_) ending.result = core::to_string(*result_);
  return ending;
}

// Whom an event is for, when it is for a controller and not for the world.
bool World::for_process(const Item& item, int* home) const {
  switch (item.what) {
    case Happens::acquire:
    case Happens::load_journal:
    case Happens::zombies:
    case Happens::turn:
    case Happens::poll_traffic:
    case Happens::deliver:
    case Happens::poll_service:
    case Happens::poll_health:
    case Happens::heartbeat:
      *home = item.a;
      return true;
    case Happens::send:
    case Happens::reply:
    case Happens::flight_over:
      *home = flights_[static_cast<std::size_t>(item.a)].home;
      return true;
    default:
      return false;
  }
}

bool World::step() {
  if (broken_ || queue_.empty()) return false;
  Item item = queue_.take();
  now_ = item.at;
  if (++steps_ > kMaxSteps) {
    violate("I5", "it goes on and on");
    return false;
  }
  int home = 0;
  if (for_process(item, &home)) {
    Process& process = homes_[home];
    if (!process.alive || process.life != item.life) return true;
    if (now_ < process.asleep_until) {
      item.at = process.asleep_until;
      queue_.put(item);
      return true;
    }
    if (std::exchange(process.asleep_until, 0) - process.asleep_since >= kSleptMs) wake_up(home);
    if (process.starved && random_.percent(50)) {
      item.at += random_.between(10, 400);
      queue_.put(item);
      return true;
    }
  }
  happen(item);
  return !broken_;
}

void World::happen(const Item& item) {
  switch (item.what) {
    case Happens::fault:
      if (faults_over_) return;
      begun_ |= 1U << item.a;
      return begin(scenario_.faults[static_cast<std::size_t>(item.a)]);
    case Happens::heal:
      if (item.a == kCease) return cease_faults();
      if (item.a == kMustBeOver) {
        if (scenario_.somebody_resumes && store_.started && !store_.ended)
          violate("I5", "the faults have ceased and the rollout does not end");
        return;
      }
      if (faults_over_) return;
      begun_ &= ~(1U << item.a);
      return end(scenario_.faults[static_cast<std::size_t>(item.a)]);
    case Happens::start_process:
      return start_process(item.a);
    case Happens::acquire:
      return acquire(item.a);
    case Happens::load_journal:
      return load_journal(item.a);
    case Happens::zombies:
      return await_zombies(item.a);
    case Happens::turn:
      return turn(item.a);
    case Happens::poll_traffic:
      return poll_traffic(item.a);
    case Happens::deliver:
      return deliver(item.a, item.b);
    case Happens::poll_service:
      return poll_service(item.a, item.b);
    case Happens::poll_health:
      return poll_health(item.a, item.b);
    case Happens::heartbeat:
      return heartbeat(item.a);
    case Happens::send:
      return send(item.a);
    case Happens::lb_lands:
      return land_on_lb(item.a, item.b, item.c != 0);
    case Happens::host_lands:
      return land_on_host(item.a);
    case Happens::look_lands:
      return look(item.a);
    case Happens::reply:
      return reply(item.a, static_cast<core::OutcomeStatus>(item.b));
    case Happens::flight_over:
      return flight_over(item.a);
    case Happens::process_stops:
      return process_stops(item.a, item.b);
    case Happens::process_up:
      return process_up(item.a, item.b);
    case Happens::workers_up:
      return workers_up(item.a, item.b);
    case Happens::workers_gone:
      return changed(item.a, false);
    case Happens::operation_over:
      return operation_over(item.a);
    case Happens::check_notices:
      return check_notices(item.a);
    case Happens::request_ends:
      return request_ends(item.a);
    case Happens::boot:
      hosts_[item.a].up = true;
      tell("host", [&] { return "web0" + std::to_string(item.a + 1) + " is up again"; });
      return process_up(item.a, hosts_[item.a].generation + 1);
    case Happens::watchdog_fires:
      return watchdog_fires(item.a, item.b);
  }
}

// ---- faults -------------------------------------------------------------------------------------
void World::begin(const Fault& fault) {
  tell("FAULT", [&] {
    return std::string(to_string(fault.kind)) + " (controller " + std::to_string(fault.home + 1) +
           ", web0" + std::to_string(fault.host + 1) + ", lb-" + std::to_string(fault.node + 1) +
           ", for " + std::to_string(fault.lasts) + "ms)";
  });
  begin_process(fault);
  begin_store(fault, true);
  begin_network(fault, true);
  begin_host(fault, true);
  begin_lb(fault, true);
}

void World::end(const Fault& fault) {
  tell("heal", [&] { return std::string(to_string(fault.kind)); });
  if (fault.kind == FaultKind::starve) homes_[fault.home].starved = false;
  begin_store(fault, false);
  begin_network(fault, false);
  begin_host(fault, false);
  begin_lb(fault, false);
}

// The faults that wait for just this effect.
void World::strike_aimed(const core::Effect& effect) {
  if (faults_over_) return;
  const int host = index_of(effect.instance);
  for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
    Fault& fault = scenario_.faults[i];
    const unsigned bit = 1U << i;
    const bool waits = fault.aimed && fault.aim == effect.kind &&
                       (fault.host == host || fault.host < 0) && (struck_ & bit) == 0 &&
                       now_ >= fault.at;
    if (!waits || (fault.backward && effect.direction == core::Direction::forward)) continue;
    struck_ |= bit;
    if (fault.host == kWhereAimed) fault.host = host;
    if (fault.host == kElsewhere)
      fault.host = (host + 1 + static_cast<int>(fault.n)) % scenario_.hosts;
    at(fault.after, Happens::fault, static_cast<int>(i));
    if (fault.lasts > 0) at(fault.after + fault.lasts, Happens::heal, static_cast<int>(i));
  }
}

void World::begin_process(const Fault& fault) {
  Process& process = homes_[fault.home];
  switch (fault.kind) {
    case FaultKind::kill:
      kill(fault.home, "kill -9");
      break;
    case FaultKind::pause:
      if (process.asleep_until <= now_) process.asleep_since = now_;
      process.asleep_until = std::max(process.asleep_until, now_ + fault.lasts);
      break;
    case FaultKind::starve:
      process.starved = true;
      break;
    case FaultKind::clock_jump:
      links_[fault.home].wall_offset += (fault.n % 2 == 0 ? 1 : -1) * fault.n * 60'000;
      break;
    case FaultKind::crash_point:
      process.crash_in = fault.n;
      break;
    default:
      break;
  }
}

void World::begin_store(const Fault& fault, bool on) {
  switch (fault.kind) {
    case FaultKind::store_down:
      store_.down = on;
      break;
    case FaultKind::store_full:
      store_.full = on;
      break;
    case FaultKind::store_unknown_result:
      store_.unknown_result = on;
      break;
    case FaultKind::store_torn_write:
      store_.tear_next = on;
      break;
    case FaultKind::store_lag:
      store_.lags = on;
      break;
    case FaultKind::store_compaction:
      store_.compacted = on;
      break;
    case FaultKind::lease_lost:
      for (Host& host : hosts_) host.claim = Claim{};
      break;
    default:
      break;
  }
}

void World::begin_network(const Fault& fault, bool on) {
  Link& link = links_[fault.home];
  switch (fault.kind) {
    case FaultKind::net_lost_request:
      link.lost_requests = on;
      break;
    case FaultKind::net_lost_reply:
      link.lost_replies = on;
      break;
    case FaultKind::net_delay:
      link.slow = on;
      break;
    case FaultKind::net_duplicate:
      link.doubled = on;
      break;
    case FaultKind::net_stuck:
      link.stuck = on;
      break;
    case FaultKind::probes_lost:
      link.lost_probes = on;
      break;
    case FaultKind::partition_host:
      link.no_hosts = on ? link.no_hosts | 1U << fault.host : link.no_hosts & ~(1U << fault.host);
      changed(fault.host, false);
      break;
    case FaultKind::partition_lb:
      link.no_nodes = on ? link.no_nodes | 1U << fault.node : link.no_nodes & ~(1U << fault.node);
      for (int i = 0; i < scenario_.hosts; ++i) changed(i, false);
      break;
    default:
      break;
  }
}

void World::cease_faults() {
  if (faults_over_) return;
  tell("heal", [] { return std::string("all faults cease"); });
  faults_over_ = true;
  for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
    if ((begun_ >> i & 1U) != 0) end(scenario_.faults[i]);
  }
  store_.unknown_result = store_.tear_next = store_.compacted = false;
  for (int home = 0; home < scenario_.homes; ++home) {
    Process& process = homes_[home];
    process.starved = false;
    process.crash_in = 0;  // one that sleeps wakes up when its time has come
  }
  takeovers_after_faults_ = 0;
}

}  // namespace hitless::sim
