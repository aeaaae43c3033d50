// A traffic port's PoolCounters as a sample. A template, because witness does not see ports.
#pragma once
#include <optional>
#include <utility>

#include "witness/counters.hpp"

namespace hitless::witness {

template <class PoolCounters>
[[nodiscard]] CounterSample sample_of(const PoolCounters& counters, TimeMs asked_ms,
                                      TimeMs done_ms) {
  CounterSample sample;
  // Counters that lag say nothing about the time after.
  sample.at_ms = counters.as_of.value_or(asked_ms);
  sample.done_ms = counters.as_of.value_or(done_ms);
  sample.epoch = counters.epoch;
  const std::pair<const char*, std::optional<std::int64_t>> all[] = {
      {"requests", counters.requests},
      {"responses_5xx", counters.responses_5xx},
      {"connect_errors", counters.connect_errors},
      {"response_errors", counters.response_errors},
      {"server_aborts", counters.server_aborts},
      {"retries", counters.retries},
      {"redispatches", counters.redispatches}};
  for (const auto& [name, value] : all)
    if (value) sample.values[name] = *value;
  sample.problem = counters.problem;
  if (sample.values.empty() && sample.problem.empty())
    sample.problem = "the load balancer could not be read";
  if (!sample.problem.empty()) sample.values.clear();
  return sample;
}

}  // namespace hitless::witness
