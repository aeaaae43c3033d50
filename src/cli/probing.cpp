#include "cli/probing.hpp"

namespace hitless::cli {

const char* health_word(core::HealthStatus status) {
  switch (status) {
    case core::HealthStatus::pass:
      return "pass";
    case core::HealthStatus::fail:
      return "fail";
    case core::HealthStatus::unknown:
      break;
  }
  return "unknown";
}

Task<void> probe_into(ports::Health* health, core::HealthReading* out) {
  if (health != nullptr) *out = co_await health->probe();
}

}  // namespace hitless::cli
