#include "core/census.hpp"

#include <algorithm>

#include "core/capacity.hpp"

namespace hitless::core {
namespace {

bool check_blocks(const Check& check) {
  return check.status == CheckStatus::fail || check.status == CheckStatus::unknown;
}

bool blocks(const Instance& instance) {
  return instance.report && instance.report->skip_reason.empty() &&
         std::any_of(instance.report->checks.begin(), instance.report->checks.end(), check_blocks);
}

}  // namespace

// The fewest that served are counted only while every instance is seen well: what the load balancer
// does not know, as its checks just after a reload, blocks us like a failure, but it is no
// measurement.
bool badly_seen(const Instance& instance) {
  if (!instance.reading || instance.reading->state == TargetState::unknown) return true;
  return instance.reading->state == TargetState::in_unhealthy &&
         instance.reading->check == LbCheck::unknown;
}

Census::Each Census::look_at(const Instance& i) {
  Each each;
  const auto set = [&](Trait trait, bool value) { each.is[index(trait)] = value; };
  const PhaseName phase = name_of(i.phase);
  const bool preflight = phase == PhaseName::preflight;
  const bool idle = !i.pending.has_value();
  const bool worked_on = phase >= PhaseName::draining && phase <= PhaseName::soaking;
  set(Trait::waiting, phase == PhaseName::waiting);
  set(Trait::unasked, preflight && !i.report && idle);
  set(Trait::lined_up, preflight && idle);
  set(Trait::busy, worked_on || phase == PhaseName::rolling_back);
  set(Trait::back_soon, phase == PhaseName::rejoining || phase == PhaseName::soaking);
  set(Trait::failed, i.failed);
  set(Trait::done_changed,
      phase == PhaseName::done && i.direction == Direction::forward && i.config_touched);
  set(Trait::in_work, in_work(i));
  set(Trait::asked, preflight && !i.report && !idle);
  set(Trait::unchecked, !i.report && i.plan.skip_reason.empty());
  set(Trait::blocked, blocks(i));
  set(Trait::to_skip, preflight && i.report && !i.report->skip_reason.empty());
  set(Trait::touched, i.taken_out || i.acted || i.config_touched);
  set(Trait::pending, !idle);
  set(Trait::unseen, !i.reading);
  set(Trait::badly_seen, badly_seen(i));
  set(Trait::over, is_terminal(i));
  set(Trait::not_begun, preflight || phase == PhaseName::waiting);
  set(Trait::quarantined, phase == PhaseName::quarantined);
  set(Trait::open_canary, i.plan.canary && !is_terminal(i));
  set(Trait::lined_canary, i.plan.canary && preflight && idle);
  each.serves = core::serves(i);
  if (i.reading) {
    each.requests = i.reading->requests.value_or(0);
    each.errors = i.reading->errors.value_or(0);
  }
  if (each.is[index(Trait::in_work)]) each.zone = i.plan.zone;
  if (i.pending) each.effect = i.pending->effect.id;
  return each;
}

void Census::add(const Each& each, std::size_t place, std::int64_t sign) {
  for (std::size_t trait = 0; trait < kTraits; ++trait) {
    if (each.is[trait]) counts_[trait] += sign;
  }
  if (each.serves) {
    serving_ += sign;
    for (const std::size_t floor : each.floors) floors_[floor] += sign;
  }
  requests_ += sign * each.requests;
  errors_ += sign * each.errors;
  if (!each.zone.empty()) {
    zoned_ += sign;
    if ((zones_[each.zone] += sign) == 0) zones_.erase(each.zone);
  }
  if (each.effect.empty()) return;
  if (sign > 0) {
    holders_[each.effect] = place;
  } else {
    holders_.erase(each.effect);
  }
}

Census::Census(const State& state) {
  floors_.resize(state.plan.floors.size());
  each_.resize(state.instances.size());
  for (std::size_t place = 0; place < each_.size(); ++place)
    places_.emplace(state.instances[place].plan.id.value, place);  // of two the first counts
  for (std::size_t floor = 0; floor < floors_.size(); ++floor) {
    for (const InstanceId& member : state.plan.floors[floor].members) {
      const auto place = place_of(member);
      if (place && !std::count(each_[*place].floors.begin(), each_[*place].floors.end(), floor))
        each_[*place].floors.push_back(floor);
    }
  }
  for (std::size_t place = 0; place < each_.size(); ++place) update(state, place);
}

void Census::update(const State& state, std::size_t place) {
  const Instance& instance = state.instances[place];
  Each& old = each_[place];
  Each now = look_at(instance);
  now.floors = std::move(old.floors);
  old.floors = now.floors;
  add(old, place, -1);
  add(now, place, 1);
  for (std::size_t trait = 0; trait < kListed; ++trait) {
    if (now.is[trait] == old.is[trait]) continue;
    if (now.is[trait]) {
      members_[trait].insert(place);
    } else {
      members_[trait].erase(place);
    }
  }
  last_end_ = std::max(last_end_, instance.ended_at);
  old = std::move(now);
}

std::optional<std::size_t> Census::place_of(const InstanceId& id) const {
  const auto found = places_.find(id.value);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::size_t> Census::holder_of(const std::string& effect) const {
  const auto found = holders_.find(effect);
  if (found == holders_.end()) return std::nullopt;
  return found->second;
}

std::int64_t Census::others_requests(const Instance& self) const {
  return requests_ - (self.reading ? self.reading->requests.value_or(0) : 0);
}

std::int64_t Census::others_errors(const Instance& self) const {
  return errors_ - (self.reading ? self.reading->errors.value_or(0) : 0);
}

State fold(const std::vector<Entry>& entries) {
  State state;
  Census census;
  for (const Entry& entry : entries) apply_to(state, census, entry.event, entry.at);
  return state;
}

bool Census::works_in_another_zone(const std::string& zone) const {
  const auto same = zones_.find(zone);
  return zoned_ > (same == zones_.end() ? 0 : same->second);
}

}  // namespace hitless::core
