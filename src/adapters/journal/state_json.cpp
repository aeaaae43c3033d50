#include "adapters/journal/state_json.hpp"

#include "adapters/journal/json_write.hpp"

// As in describe.hpp: a field that is added to a struct and forgotten here does not compile.
#define HITLESS_STATE(T, ...)                                    \
  BOOST_DESCRIBE_STRUCT(T, (), (__VA_ARGS__))                    \
  [[maybe_unused]] inline void name_every_field_of(const T& t) { \
    [[maybe_unused]] const auto& [__VA_ARGS__] = t;              \
  }

namespace hitless::core {

// clang-format off
BOOST_DESCRIBE_STRUCT(Waiting, (), ())
HITLESS_STATE(Preflight, since, cleared)
HITLESS_STATE(Draining, since, commanded, commanded_at, closed_at, quiet_since, out_since, reasserted, samples,
              confirmed, confirmed_by)
HITLESS_STATE(Drained, since)
HITLESS_STATE(Acting, since, installed, looked_since, acted, orphaned, detail)
HITLESS_STATE(Verifying, since, orphaned, proven_since, down_since, service, passes, fails, probes,
              last_health, latencies_us, diagnosis)
HITLESS_STATE(Rejoining, since, commanded, in_since, requests_at, others_at, epoch, checked_at)
HITLESS_STATE(Soaking, since, requests_at, errors_at, others_requests_at, others_errors_at, fails, doubted, unproven,
              epoch, last_health)
HITLESS_STATE(RollingBack, since)
BOOST_DESCRIBE_STRUCT(Done, (), ())
BOOST_DESCRIBE_STRUCT(RolledBack, (), ())
HITLESS_STATE(Quarantined, reason)
HITLESS_STATE(Skipped, reason)
HITLESS_STATE(Pending, effect, since)
HITLESS_STATE(Instance, plan, phase, direction, taken_out, config_touched, config_restored, acted, reboots,
              died, failed, failure, failed_in, reading, reading_at, seen_in, report, before, pending,
              attempts, retry_at, last_error, started_at, ended_at, drain_samples, drain_ms,
              back_ms, proof, median_us, p95_us)
HITLESS_STATE(State, plan, actor, epoch, started_at, ended_at, now, taken_over_at, instances,
              next_effect, halted, roll_back_all, blocked, halt_reason, stop_asked, abort_asked,
              paused, force_drain, lowest_serving, pending, incident_attempts, incident, ended)
// clang-format on

}  // namespace hitless::core

#undef HITLESS_STATE

namespace hitless::journal {

void JsonWriter::write(const core::Phase& phase) {
  raw("{\"name\":");
  write(core::name_of(phase));
  std::visit([this](const auto& alternative) { fields(alternative, true); }, phase);
  raw("}");
}

std::string state_to_json(const core::State& state) {
  JsonWriter writer;
  writer.write(state);
  return writer.take();
}

}  // namespace hitless::journal
