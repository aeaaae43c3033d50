// Health port: is this instance, asked directly, fit to serve? unknown is neither pass nor fail.
#pragma once
#include <string>

#include "core/types.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

class Health {
 public:
  virtual ~Health() = default;
  [[nodiscard]] virtual std::string describe() const = 0;  // "GET http://10.0.0.11/healthz"
  virtual Task<core::HealthReading> probe() = 0;
};

}  // namespace hitless::ports
