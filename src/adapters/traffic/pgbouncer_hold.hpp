// The end of a PAUSE that needs none of us: a process on PgBouncer's host that says RESUME when its
// time is over, unless it is let go before. It is started before PAUSE is said. While its file lies
// there, the PAUSE is ours; the file goes when the database was resumed.
//
// It talks to the console with psql, as a user that needs no password of ours. After a reboot of
// the host both it and PgBouncer's PAUSE are gone.
#pragma once
#include <string>

#include "adapters/traffic/haproxy_socket.hpp"
#include "base/error.hpp"
#include "ports/host.hpp"

namespace hitless::traffic {

struct PauseHold {
  SocketAddress address;  // of PgBouncer, as its host sees it
  std::string user, os_user;
  std::string database;
};

// Whether it could do its work: psql is there and the console lets it in.
Task<Status> can_hold(ports::Host* host, PauseHold hold);
Task<Status> start_hold(ports::Host* host, PauseHold hold, DurationMs after_ms);
Task<Result<bool>> is_held(ports::Host* host, PauseHold hold);
Task<Status> let_go(ports::Host* host, PauseHold hold);

[[nodiscard]] const std::string& hold_script();

}  // namespace hitless::traffic
