// The one mutation of this layer: a reload or restart, run on the host as one operation that first
// looks whether who runs is still who was seen, and does nothing when it is not.
//
// A connection lost in the middle is not a lost outcome (the host adapter asks again by the same
// id); what stays unknown is said to be unknown, and verify() observes.
#pragma once
#include <string>
#include <vector>

#include "core/event.hpp"
#include "ports/service.hpp"

namespace hitless::service {

// systemctl --job-mode=fail restart|reload, only while the unit's InvocationID is the expected one.
Task<core::Outcome> act_on_unit(ports::Host* host, std::string unit, ports::ActOrder order);

// nginx's upgrade in place: a new master by USR2, old workers away by WINCH, the old master by
// QUIT. When the new master does not come up or does not stay, the old one serves on, and it
// failed.
Task<core::Outcome> upgrade_nginx(ports::Host* host, std::string unit, std::string pid_file,
                                  ports::ActOrder order);

// argv, only while the pid file names the expected process (or still none).
Task<core::Outcome> act_by_command(ports::Host* host, std::string pid_file,
                                   std::vector<std::string> argv, ports::ActOrder order);

// What became of one that an earlier controller may have started; not_found: no trace of it.
Task<Result<core::Outcome>> await_unit_act(ports::Host* host, std::string operation_id,
                                           DurationMs deadline_ms);
Task<Result<core::Outcome>> await_command_act(ports::Host* host, std::string operation_id,
                                              DurationMs deadline_ms);

}  // namespace hitless::service
