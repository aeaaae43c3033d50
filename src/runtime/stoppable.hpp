// A task that somebody else may stop: a client that went away or changed its mind.
#pragma once
#include <memory>

#include "runtime/task.hpp"

namespace hitless {

// Runs the task to its end; when `stop` is notified, or after the limit, or when the caller is
// cancelled, the task is cancelled and waited for. False: it was stopped or out of time. An
// exception of the task comes out, unless it only says that it was cancelled.
Task<bool> finish_unless_stopped(Task<void> task, std::shared_ptr<Signal> stop,
                                 DurationMs limit_ms);

}  // namespace hitless
