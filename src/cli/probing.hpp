// Asking health checks side by side. Pure but for the checks themselves; nothing is kept.
#pragma once
#include "ports/health.hpp"

namespace hitless::cli {

[[nodiscard]] const char* health_word(core::HealthStatus status);
// For join_all; without a check the reading stays unknown.
Task<void> probe_into(ports::Health* health, core::HealthReading* out);

}  // namespace hitless::cli
