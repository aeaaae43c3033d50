// The one mutation of this layer: a reload or restart, run on the host as one operation that first
// looks whether who runs is still who was seen, and does nothing when it is not.
//
// A connection lost in the middle is not a lost outcome (the host adapter asks again by the same
// id); what stays unknown is said to be unknown, and verify() observes.
#pragma once
#include <string>
#include <vector>

#include "core/event.hpp"
#include "ports/host.hpp"

namespace hitless::service {

// systemctl --job-mode=fail restart|reload, only while the unit's InvocationID is the expected one.
Task<core::Outcome> act_on_unit(ports::Host* host, std::string unit, core::Action action,
                                std::string operation_id, core::ServiceIdentity expected,
                                DurationMs deadline_ms);

// argv, only while the pid file names the expected process (or still none).
Task<core::Outcome> act_by_command(ports::Host* host, std::string pid_file, core::Action action,
                                   std::vector<std::string> argv, std::string operation_id,
                                   core::ServiceIdentity expected, DurationMs deadline_ms);

}  // namespace hitless::service
