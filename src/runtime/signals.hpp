// SIGINT, SIGTERM and SIGHUP as calls on the current executor, so that Ctrl-C is an event like any
// other.
#pragma once
#include <functional>
#include <memory>

#include "runtime/task.hpp"

namespace hitless {

// While it lives, each of those signals calls `on_signal` instead of ending the program.
class SignalCatcher {
 public:
  static Task<std::unique_ptr<SignalCatcher>> start(std::function<void(int)> on_signal);
  ~SignalCatcher();

 private:
  SignalCatcher() = default;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hitless
