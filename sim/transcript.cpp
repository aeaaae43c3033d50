// A run as text for people, as a hash for I11, and a state as a number for comparing.
#include <fmt/format.h>

#include "core/names.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

std::uint64_t text_of(std::string_view text) {
  std::uint64_t h = text.size();
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

struct Hasher {
  std::uint64_t value = 0;
  void add(std::uint64_t x) { value = mix(value ^ x); }
  void add_time(TimeMs at, TimeMs base) {
    add(at == 0 ? 0 : static_cast<std::uint64_t>(at - base));
  }
  void add_time(const std::optional<TimeMs>& at, TimeMs base) {
    add(at ? static_cast<std::uint64_t>(*at - base) : 0x5eed);
  }
  void add(const std::optional<std::int64_t>& x) {
    add(x ? static_cast<std::uint64_t>(*x) : 0x5eed);
  }
};

struct EventHash {
  std::uint64_t operator()(const core::RolloutStarted& e) const {
    return static_cast<std::uint64_t>(e.epoch);
  }
  std::uint64_t operator()(const core::EffectIntended& e) const {
    return text_of(e.effect.id) ^ static_cast<std::uint64_t>(e.effect.kind) << 32U ^
           static_cast<std::uint64_t>(index_of(e.effect.instance)) << 40U;
  }
  std::uint64_t operator()(const core::EffectFinished& e) const {
    return text_of(e.effect_id) ^ static_cast<std::uint64_t>(e.outcome.status) << 32U;
  }
  std::uint64_t operator()(const core::TrafficSeen& e) const {
    Hasher h;
    for (const auto& [id, reading] : e.readings) {
      h.add(static_cast<std::uint64_t>(index_of(id)) << 8U |
            static_cast<std::uint64_t>(reading.state));
      h.add(reading.in_flight);
      h.add(reading.requests);
    }
    return h.value;
  }
  std::uint64_t operator()(const core::ServiceSeen& e) const {
    return static_cast<std::uint64_t>(index_of(e.instance)) << 8U |
           static_cast<std::uint64_t>(e.reading.verdict);
  }
  std::uint64_t operator()(const core::HealthSeen& e) const {
    return static_cast<std::uint64_t>(index_of(e.instance)) << 8U |
           static_cast<std::uint64_t>(e.reading.status);
  }
  std::uint64_t operator()(const core::Advanced& e) const {
    return static_cast<std::uint64_t>(index_of(e.instance)) << 16U |
           static_cast<std::uint64_t>(e.from) << 8U | static_cast<std::uint64_t>(e.to);
  }
  std::uint64_t operator()(const core::Halted& e) const { return text_of(e.reason); }
  std::uint64_t operator()(const core::OperatorAsked& e) const {
    return static_cast<std::uint64_t>(e.wish);
  }
  std::uint64_t operator()(const core::ControllerTookOver& e) const {
    return static_cast<std::uint64_t>(e.epoch);
  }
  std::uint64_t operator()(const core::Noted& e) const { return text_of(e.text); }
};

struct EventText {
  std::string operator()(const core::RolloutStarted& e) const {
    return fmt::format("rollout of {} instances, floor {}, {} at once, {}", e.plan.instances.size(),
                       e.plan.policy.capacity.floor, e.plan.policy.capacity.at_once,
                       core::to_string(e.plan.intent));
  }
  std::string operator()(const core::EffectIntended& e) const {
    return fmt::format("{} {}{} [{}]", e.effect.instance.value, core::to_string(e.effect.kind),
                       e.effect.direction == core::Direction::backward ? " back" : "", e.effect.id);
  }
  std::string operator()(const core::EffectFinished& e) const {
    return fmt::format("[{}] {} {}", e.effect_id, core::to_string(e.outcome.status),
                       e.outcome.detail);
  }
  std::string operator()(const core::TrafficSeen& e) const {
    std::string text = "sees";
    for (const auto& [id, reading] : e.readings) {
      text += fmt::format(" {}={}", id.value, core::to_string(reading.state));
      if (reading.in_flight && *reading.in_flight > 0)
        text += fmt::format("({})", *reading.in_flight);
      if (reading.host_connections) text += fmt::format("/{}", *reading.host_connections);
    }
    return text;
  }
  std::string operator()(const core::ServiceSeen& e) const {
    return fmt::format("sees {} {}", e.instance.value, core::to_string(e.reading.verdict));
  }
  std::string operator()(const core::HealthSeen& e) const {
    const char* words[] = {"healthy", "unhealthy", "health unknown"};
    return fmt::format("sees {} {}", e.instance.value, words[static_cast<int>(e.reading.status)]);
  }
  std::string operator()(const core::Advanced& e) const {
    return fmt::format("{} {} -> {}  ({})", e.instance.value, core::to_string(e.from),
                       core::to_string(e.to), e.reason);
  }
  std::string operator()(const core::Halted& e) const {
    return fmt::format("HALTED{}: {}", e.roll_back ? ", all roll back" : "", e.reason);
  }
  std::string operator()(const core::OperatorAsked& e) const {
    return fmt::format("operator asks {}", static_cast<int>(e.wish));
  }
  std::string operator()(const core::ControllerTookOver& e) const {
    return fmt::format("{} takes over, epoch {}", e.actor, e.epoch);
  }
  std::string operator()(const core::Noted& e) const { return e.text; }
};

// What a phase knows, as far as it decides what comes next.
struct PhaseHash {
  Hasher& h;
  TimeMs base;
  void operator()(const core::Waiting&) const {}
  void operator()(const core::Preflight& p) const { h.add(p.cleared); }
  void operator()(const core::Draining& p) const {
    h.add_time(p.since, base);
    h.add(static_cast<std::uint64_t>(p.commanded) | static_cast<std::uint64_t>(p.confirmed) << 1U);
    if (p.commanded) h.add_time(p.commanded_at, base);
    h.add_time(p.closed_at, base);
    h.add_time(p.quiet_since, base);
    h.add(static_cast<std::uint64_t>(p.reasserted));
  }
  void operator()(const core::Drained&) const {}
  void operator()(const core::Acting& p) const {
    h.add(static_cast<std::uint64_t>(p.installed) |
          static_cast<std::uint64_t>(p.looked_since) << 1U |
          static_cast<std::uint64_t>(p.orphaned) << 2U);
    h.add(p.acted ? static_cast<std::uint64_t>(*p.acted) : 9U);
  }
  void operator()(const core::Verifying& p) const {
    h.add_time(p.since, base);
    h.add_time(p.proven_since, base);
    h.add_time(p.down_since, base);
    h.add(p.service ? static_cast<std::uint64_t>(p.service->verdict) : 9U);
    h.add(static_cast<std::uint64_t>(p.passes << 16 | p.fails) |
          static_cast<std::uint64_t>(p.orphaned) << 40U);
    h.add(p.latencies_us.size());
    h.add(p.diagnosis.has_value());
  }
  void operator()(const core::Rejoining& p) const {
    h.add_time(p.since, base);
    h.add(p.commanded);
    h.add_time(p.in_since, base);
  }
  void operator()(const core::Soaking& p) const {
    h.add_time(p.since, base);
    h.add(static_cast<std::uint64_t>(p.fails));
  }
  void operator()(const core::RollingBack& p) const { h.add_time(p.since, base); }
  void operator()(const core::Done&) const {}
  void operator()(const core::RolledBack&) const {}
  void operator()(const core::Quarantined&) const {}
  void operator()(const core::Skipped&) const {}
};

void add_instance(Hasher& h, const core::Instance& instance, TimeMs base) {
  h.add(instance.phase.index());
  std::visit(PhaseHash{h, base}, instance.phase);
  const bool bits[] = {instance.taken_out,
                       instance.config_touched,
                       instance.config_restored,
                       instance.acted,
                       instance.died,
                       instance.failed,
                       instance.report.has_value(),
                       instance.direction == core::Direction::backward};
  std::uint64_t packed = 0;
  for (const bool bit : bits) packed = packed << 1U | static_cast<std::uint64_t>(bit);
  h.add(packed << 8U | static_cast<std::uint64_t>(instance.failed_in));
  if (instance.reading) {
    h.add(static_cast<std::uint64_t>(instance.reading->state) << 4U |
          static_cast<std::uint64_t>(instance.reading->check));
    h.add(instance.reading->in_flight);
    h.add(instance.reading->host_connections);
  }
  h.add(instance.pending ? static_cast<std::uint64_t>(instance.pending->effect.kind) + 1 : 0);
  h.add(static_cast<std::uint64_t>(instance.attempts));
  h.add_time(instance.retry_at, base);
}

}  // namespace

// Times count relative to `relative_to`, so that the same situation at another time is the same.
std::uint64_t digest_of(const core::State& state, TimeMs relative_to) {
  Hasher h;
  for (const core::Instance& instance : state.instances) add_instance(h, instance, relative_to);
  const bool bits[] = {state.halted,
                       state.roll_back_all,
                       state.blocked,
                       state.paused,
                       state.stop_asked,
                       state.abort_asked,
                       state.pending.has_value(),
                       state.ended.has_value()};
  std::uint64_t packed = 0;
  for (const bool bit : bits) packed = packed << 1U | static_cast<std::uint64_t>(bit);
  h.add(packed);
  h.add(static_cast<std::uint64_t>(state.incident_attempts) << 1U |
        static_cast<std::uint64_t>(!state.incident.empty()));
  h.add(state.ended ? static_cast<std::uint64_t>(*state.ended) : 9U);
  return h.value;
}

// Everything that decides what can still happen, relative to now. Chance is left out: in the
// exhaustive search delays are fixed.
std::uint64_t World::digest() const {
  Hasher h;
  for (const Process& process : homes_) {
    h.add(static_cast<std::uint64_t>(process.stage) << 1U |
          static_cast<std::uint64_t>(process.alive));
    h.add(static_cast<std::uint64_t>(process.epoch));
    h.add(process.inbox.size());
    if (process.alive) h.add(digest_of(process.controller.state(), process.clock.at(now_)));
    if (process.asleep_until > now_) h.add_time(process.asleep_until, now_);
  }
  for (int i = 0; i < scenario_.hosts; ++i) {
    const Host& host = hosts_[i];
    h.add(static_cast<std::uint64_t>(host.up) | static_cast<std::uint64_t>(host.running) << 1U |
          static_cast<std::uint64_t>(host.healthy) << 2U |
          static_cast<std::uint64_t>(host.new_config) << 3U |
          static_cast<std::uint64_t>(host.runs_new) << 4U |
          static_cast<std::uint64_t>(host.workers) << 40U |
          static_cast<std::uint64_t>(host.generation) << 8U |
          static_cast<std::uint64_t>(host.acts) << 24U);
    h.add(static_cast<std::uint64_t>(host.claim.epoch));
    for (int n = 0; n < scenario_.nodes; ++n) {
      const Server& server = nodes_[n].servers[i];
      h.add(static_cast<std::uint64_t>(server.admin) |
            static_cast<std::uint64_t>(server.passes) << 4U |
            static_cast<std::uint64_t>(server.in_flight) << 8U |
            static_cast<std::uint64_t>(server.watchdog_at != 0) << 32U);
    }
  }
  std::uint64_t waiting = 0;  // in no order: equal sets are equal
  queue_.each([&](const Item& item) {
    if (item.what == Happens::heal) return;
    waiting +=
        mix(static_cast<std::uint64_t>(item.at - now_) << 16U ^
            static_cast<std::uint64_t>(item.what) << 8U ^ static_cast<std::uint64_t>(item.b));
  });
  h.add(waiting);
  h.add(static_cast<std::uint64_t>(store_.ended));
  return h.value;
}

void World::strike(const Fault& fault) {
  begin(fault);
  scenario_.faults.push_back(fault);
  if (fault.lasts == 0) return;
  begun_ |= 1U << (scenario_.faults.size() - 1);
  at(fault.lasts, Happens::heal, static_cast<int>(scenario_.faults.size()) - 1);
}

void World::hash_event(const core::Event& event) {
  hash_ = mix(hash_ ^ std::visit(EventHash{}, event) ^ event.index() << 56U ^
              static_cast<std::uint64_t>(now_) << 20U);
}

void World::note(const char* who, const std::string& what) {
  transcript->push_back(
      fmt::format("{:>9.3f}s  {:<8}  {}", static_cast<double>(now_) / 1000.0, who, what));
}

void World::note_event(int home, const core::Event& event) {
  const std::string who = "ctl" + std::to_string(home + 1);
  note(who.c_str(), std::visit(EventText{}, event));
}

}  // namespace hitless::sim
