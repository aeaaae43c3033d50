// At most one rollout of a service at a time on this machine: flock on locks/<service>.lock, whose
// text names the holder. The kernel drops the lock when the holder dies; the file itself stays.
#pragma once
#include <string>

#include "base/error.hpp"
#include "runtime/child.hpp"

namespace hitless::journal {

class ServiceLock {
 public:
  // holder: what this is for, "rollout R-7f3a". Fails with refused, naming who has it.
  [[nodiscard]] static Result<ServiceLock> acquire(const std::string& dir,
                                                   const std::string& service,
                                                   const std::string& holder);
  // Does a living process hold it?
  [[nodiscard]] static bool is_held(const std::string& dir, const std::string& service);
  ServiceLock(ServiceLock&&) = default;
  ServiceLock& operator=(ServiceLock&&) = delete;
  ~ServiceLock();

 private:
  explicit ServiceLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hitless::journal
