// What the engine's watchers do: look when asked to, hand on what changed, and hold a reading from
// before an effect's end for void. A look that could not show anything new is left out, as its
// reading would be dropped anyway.
#include <utility>

#include "core/recovery.hpp"
#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

constexpr DurationMs kCounterIntervalMs = 100;
constexpr int kOldAnswerPercent = 70;  // while workers of before a reload accept too

bool same_but_counters(const core::TargetReading& a, const core::TargetReading& b) {
  const bool serving = a.state == core::TargetState::in && b.state == core::TargetState::in;
  return a.state == b.state && a.check == b.check && (serving || a.in_flight == b.in_flight) &&
         a.host_connections == b.host_connections && a.epoch == b.epoch && a.note == b.note;
}

}  // namespace

void World::arrive(int home, core::Event event) {
  homes_[home].inbox.push_back(std::move(event));
  wake_at(home, now_);
}

void World::keep(int home, const std::vector<core::Watch>& watches) {
  Process& process = homes_[home];
  unsigned service = 0, health = 0;
  for (const core::Watch& watch : watches) {
    const int i = index_of(watch.instance);
    if (watch.kind == core::WatchKind::traffic) {
      unsigned counts = 0;
      for (const core::InstanceId& id : watch.host_counts) counts |= 1U << index_of(id);
      for (int j = 0; j < scenario_.hosts; ++j) {
        if (((counts & ~process.host_counts) >> j & 1U) != 0) process.shown_version[j] = 0;
      }
      const bool more = counts != process.host_counts || (watch.counters && !process.counters) ||
                        watch.interval_ms < process.traffic.interval || !process.traffic.on;
      process.host_counts = counts;
      process.counters = watch.counters;
      process.traffic.on = true;
      process.traffic.interval = watch.interval_ms;
      if (more) poll_soon(home);
    } else if (watch.kind == core::WatchKind::service) {
      service |= 1U << i;
      process.verify_against[i] = static_cast<int>(watch.before.main_pid);
      process.verify_workers[i] = workers_of(watch.before);
      process.verify_reload[i] = watch.action == core::Action::reload;
      WatchState& state = process.service[i];
      if (state.on) continue;
      state = WatchState{true, false, watch.interval_ms, 0, now_};
      at(0, Happens::poll_service, home, i, process.life);
    } else {
      health |= 1U << i;
      WatchState& state = process.health[i];
      const bool sooner = watch.interval_ms < state.interval;
      state.interval = watch.interval_ms;
      if (state.on && !sooner) continue;
      const DurationMs in = state.on ? watch.interval_ms : 0;
      state.on = true;
      state.poll_at = now_ + in;
      at(in, Happens::poll_health, home, i, process.life);
    }
  }
  for (int i = 0; i < scenario_.hosts; ++i) {
    if ((service >> i & 1U) == 0) process.service[i].on = false;
    if ((health >> i & 1U) == 0) process.health[i].on = false;
  }
}

void World::poll_soon(int home) {
  Process& process = homes_[home];
  WatchState& watch = process.traffic;
  if (!watch.on || process.polling) return;
  const TimeMs due = std::max(now_, watch.polled_at + watch.interval);
  if (watch.poll_at != 0 && watch.poll_at <= due) return;
  watch.poll_at = due;
  at(due - now_, Happens::poll_traffic, home, 0, process.life);
}

void World::forget(int home, int i) {
  Process& process = homes_[home];
  ++process.forgets[i];
  process.shown_valid[i] = false;
  process.service[i].shown = false;
  process.shown_version[i] = 0;
  poll_soon(home);
}

// What was looked at before a long sleep is void, also what is still on its way.
void World::wake_up(int home) {
  Process& process = homes_[home];
  if (process.stage == Stage::running) {
    process.inbox = core::after_sleep(process.controller.state(), std::exchange(process.inbox, {}));
    wake_at(home, now_);
  }
  for (int i = 0; i < scenario_.hosts; ++i) forget(home, i);
}

void World::poll_traffic(int home) {
  Process& process = homes_[home];
  WatchState& watch = process.traffic;
  if (!watch.on || process.stage != Stage::running || watch.poll_at == 0 || now_ < watch.poll_at)
    return;
  watch.poll_at = 0;
  watch.polled_at = now_;
  const Link& link = links_[home];
  unsigned lost = 0;
  TimeMs fresh = now_;
  for (int n = 0; n < scenario_.nodes; ++n) {
    if ((link.lost_requests || link.lost_replies) && random_.percent(30)) lost |= 1U << n;
    if (nodes_[n].stale) fresh = std::min(fresh, nodes_[n].stale_since);
  }
  TrafficSample& sample = fresh_sample_;
  sample.readings.clear();
  sample.readings.reserve(kHosts);
  sample.home = home;
  sample.at = now_;
  sample.forgets = process.forgets;
  sample.version = version_;
  sample.counters = process.counters;
  sample.host_counts = process.host_counts;
  for (int i = 0; i < scenario_.hosts; ++i) {
    const bool nothing_new = process.shown_valid[i] && process.shown_version[i] == version_[i] &&
                             !process.counters && lost == 0;
    sample.seen[i] = fresh;
    if (nothing_new) {
      if (process.shown[i].state == core::TargetState::unknown) sample.seen[i] = 0;
      continue;
    }
    const bool count_on_host = (process.host_counts >> i & 1U) != 0;
    sample.readings.emplace_back(i, read_target(process, i, count_on_host, lost));
    const core::TargetReading& reading = sample.readings.back().second;
    if (reading.state == core::TargetState::unknown) sample.seen[i] = 0;
    const bool count_lost = count_on_host && !reading.host_connections && reaches_host(home, i);
    if (count_lost) sample.version[i] = 0;
  }
  if (lost != 0) sample.version.fill(0);  // look once more, whatever changes
  if (!link.slow) {
    take_sample(sample);
  } else {
    process.polling = true;
    samples_.push_back(sample);
    at(delay(home), Happens::deliver, home, static_cast<int>(samples_.size()) - 1, process.life);
  }
}

void World::deliver(int home, int index) {
  homes_[home].polling = false;
  const TrafficSample sample = std::exchange(samples_[static_cast<std::size_t>(index)], {});
  take_sample(sample);
  poll_soon(home);
}

void World::take_sample(const TrafficSample& sample) {
  Process& process = homes_[sample.home];
  core::TrafficSeen seen;
  seen.readings.reserve(sample.readings.size());
  bool again = process.counters;
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (process.forgets[i] == sample.forgets[i])
      process.seen_at[i] = std::max(process.seen_at[i], sample.seen[i]);
  }
  for (const auto& [i, reading] : sample.readings) {
    // It was read while an effect on this instance was under way: of before or of after?
    if (process.forgets[i] != sample.forgets[i]) {
      again = true;
      if (!planted(ShellBug::late_readings)) continue;
      if (hosts_[i].landed_at >= sample.at)
        violate("I6", "a reading from before an effect was taken in after its end");
    }
    // Its host's sockets are wanted since it was asked for: look once more.
    const bool uncounted = ((process.host_counts & ~sample.host_counts) >> i & 1U) != 0;
    process.shown_version[i] = uncounted ? 0 : sample.version[i];
    again |= uncounted || sample.version[i] != version_[i];
    const bool repeats =
        process.shown_valid[i] && (sample.counters ? process.shown[i] == reading
                                                   : same_but_counters(process.shown[i], reading));
    if (repeats) continue;
    process.shown_valid[i] = true;
    process.shown[i] = reading;
    seen.readings.emplace_back(scenario_.plan.instances[static_cast<std::size_t>(i)].id, reading);
  }
  if (!seen.readings.empty()) arrive(sample.home, std::move(seen));
  if (!again) return;
  const DurationMs pause = process.counters ? kCounterIntervalMs : process.traffic.interval;
  const TimeMs due = now_ + pause;
  if (process.traffic.poll_at != 0 && process.traffic.poll_at <= due) return;
  process.traffic.poll_at = due;
  at(pause, Happens::poll_traffic, sample.home, 0, process.life);
}

// What a driver makes of what runs. Of a reload that does not show it can only say that it does
// not; of a restart that did not happen, that the same process runs.
core::ServiceVerdict World::service_verdict(const Process& process, int i, bool operating) const {
  using core::ServiceVerdict;
  const Host& host = hosts_[i];
  if (!host.running) return operating ? ServiceVerdict::indeterminate : ServiceVerdict::down;
  const bool same_process = host.generation == process.verify_against[i];
  if (!process.verify_reload[i]) {
    if (same_process) return ServiceVerdict::not_applied;
  } else if (!same_process || host.workers == process.verify_workers[i] || now_ < host.old_until) {
    return ServiceVerdict::indeterminate;
  }
  return host.flapping ? ServiceVerdict::flapping : ServiceVerdict::proven;
}

void World::poll_service(int home, int i) {
  Process& process = homes_[home];
  WatchState& watch = process.service[i];
  if (!watch.on || process.stage != Stage::running || now_ < watch.poll_at) return;
  watch.poll_at = 0;
  watch.polled_at = now_;
  const Host& host = hosts_[i];
  core::ServiceReading reading;
  bool operating = false;
  for (const Operation& operation : host.operations) operating |= operation.running;
  const bool lost = links_[home].lost_probes && random_.percent(50);
  if (host.up && reaches_host(home, i) && !lost) {
    reading.now.active = host.running;
    reading.now.main_pid = host.running ? host.generation : 0;
    reading.verdict = service_verdict(process, i, operating);
  }
  if (lost || operating) {
    watch.poll_at = now_ + watch.interval;
    at(watch.interval, Happens::poll_service, home, i, process.life);
  }
  const bool repeats = watch.shown && process.shown_verdict[i] == reading.verdict &&
                       process.shown_generation[i] == host.generation &&
                       process.shown_workers[i] == host.workers;
  if (repeats) return;
  watch.shown = true;
  process.shown_verdict[i] = reading.verdict;
  process.shown_generation[i] = host.generation;
  process.shown_workers[i] = host.workers;
  arrive(home, core::ServiceSeen{scenario_.plan.instances[static_cast<std::size_t>(i)].id,
                                 std::move(reading)});
}

void World::poll_health(int home, int i) {
  Process& process = homes_[home];
  WatchState& watch = process.health[i];
  if (!watch.on || process.stage != Stage::running || now_ < watch.poll_at) return;
  const Host& host = hosts_[i];
  core::HealthReading reading;
  const bool lost = links_[home].lost_probes && random_.percent(60);
  if (!lost && (links_[home].no_hosts >> i & 1U) == 0) {
    const bool by_old = now_ < host.old_until && random_.percent(kOldAnswerPercent);
    const bool well = host.up && host.running && (by_old ? host.old_healthy : host.healthy);
    reading.status = well ? core::HealthStatus::pass : core::HealthStatus::fail;
    reading.latency_us = 4'000;
  }
  watch.poll_at = now_ + watch.interval;
  at(watch.interval, Happens::poll_health, home, i, process.life);
  arrive(home, core::HealthSeen{scenario_.plan.instances[static_cast<std::size_t>(i)].id,
                                std::move(reading)});
}

}  // namespace hitless::sim
