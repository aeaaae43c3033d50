// The latency of an instance by its own health check: what it was before a restart is compared with
// what it is after.
#pragma once
#include "ports/health.hpp"

namespace hitless {

// Probes one after another, at most `samples` times, and starts none after budget_ms. Only passes
// count; baseline.samples says how many that were, and whether they are enough is for the caller to
// judge. `health` must outlive the task. p95 is the nearest rank, never an interpolated value.
Task<core::LatencyBaseline> measure_latency(ports::Health& health, int samples,
                                            DurationMs budget_ms);

}  // namespace hitless
