#include "core/traffic.hpp"

#include <algorithm>

#include "core/planted.hpp"

namespace hitless::core {
namespace {

// Sums that stay unknown once one part is.
void add(std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& part) {
  if (!part) {
    sum.reset();
  } else if (sum) {
    *sum += *part;
  }
}

// fail beats unknown beats pass; "none" (no check configured) only shows when nobody checks.
LbCheck worse(LbCheck a, LbCheck b) {
  for (LbCheck c : {LbCheck::fail, LbCheck::unknown, LbCheck::pass}) {
    if (a == c || b == c) return c;
  }
  return LbCheck::none;
}

}  // namespace

TargetReading merge(std::span<const TargetReport> reports) {
  TargetReading reading;
  if (reports.empty()) {
    reading.note = "no load balancer reported on it";
    return reading;
  }
  bool any_in = false, any_out = false, any_absent = false, any_unknown = false;
  bool any_counted = false;
  reading.by_hand = true;
  reading.check = LbCheck::none;
  reading.in_flight = reading.idle = reading.requests = reading.errors = 0;
  for (const TargetReport& report : reports) {
    any_in |= report.admin == AdminState::ready;
    any_out |= report.admin == AdminState::drain || report.admin == AdminState::maint;
    reading.by_hand &= report.admin == AdminState::maint;
    any_absent |= report.admin == AdminState::absent;
    any_unknown |= report.admin == AdminState::unknown;
    reading.check = worse(reading.check, report.check);
    reading.standby |= report.standby;
    any_counted |= !report.uncounted;
    if (!report.uncounted) {
      add(reading.in_flight, report.in_flight);
      add(reading.requests, report.requests);
      add(reading.errors, report.errors);
    }
    if (reading.idle) *reading.idle += report.idle.value_or(0);
    if (!reading.epoch.empty()) reading.epoch += ' ';
    reading.epoch += report.epoch;
    if (!report.note.empty()) {
      if (!reading.note.empty()) reading.note += "; ";
      reading.note += report.note;
    }
  }
  if (!any_counted) reading.requests = reading.errors = std::nullopt;
  if (any_unknown) {
    reading.state = TargetState::unknown;
  } else if (any_absent) {
    reading.state = TargetState::absent;
  } else if (any_in && any_out) {
    reading.state = TargetState::leaving;
  } else if (any_in) {
    const bool healthy = reading.check == LbCheck::pass || reading.check == LbCheck::none;
    reading.state = healthy ? TargetState::in : TargetState::in_unhealthy;
  } else {
    reading.state = reading.in_flight == 0 ? TargetState::out : TargetState::draining;
  }
  return reading;
}

bool carries_load(const TargetReading& reading) {
  return reading.state == TargetState::in && !reading.standby;
}

std::optional<std::int64_t> in_flight(const TargetReading& reading, bool need_host_count) {
  if (HITLESS_PLANTED(missing_count_is_zero) && (!reading.in_flight || !reading.host_connections))
    return reading.in_flight.value_or(0);
  if (!reading.in_flight) return std::nullopt;
  if (!need_host_count || HITLESS_PLANTED(lb_count_only)) return reading.in_flight;
  if (!reading.host_connections) return std::nullopt;
  const std::int64_t busy = *reading.host_connections - reading.idle.value_or(0);
  return std::max(*reading.in_flight, std::max<std::int64_t>(busy, 0));
}

}  // namespace hitless::core
