// Traffic driver for PgBouncer: one entry of its [databases], on one or several PgBouncers.
//
// - Out of rotation is PAUSE: clients stay connected and their queries wait; server connections are
//   closed as their transactions end. So a single PostgreSQL can be restarted with a floor of 0 and
//   no client sees an error, as long as no client waits too long.
// - A PAUSE is never without an end. Before it is said, a small process on PgBouncer's host is
//   started that says RESUME after max_pause_ms, whatever becomes of us. The end comes sooner where
//   query_wait_timeout would drop the clients before.
// - In flight is what uses a server connection: a transaction in transaction pooling, a query in
//   statement pooling. In session pooling PAUSE would wait until clients disconnect: the count is
//   unknown there and a drain is refused.
// - A PAUSE that we did not make (no such process on the host) and DISABLE are somebody else's:
// they
//   read as `maint` and are not taken back.
// - A server connection that PgBouncer was just opening at the PAUSE, or opens for a user it has
// not
//   served yet, is dropped, and none is opened again for server_login_retry (15 s), also after
//   RESUME: clients wait that much longer. The remarks say so, and the bound leaves room for it.
// - PgBouncer does not check its servers: there is no health check that would gate a rejoin.
// - It counts no errors by server. requests is its query_count.
// - PAUSE outlives a RELOAD, not a restart of PgBouncer; then the entry reads `ready` again.
//
// After a crash it knows nothing; all of it is in PgBouncer and on its host.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct PgbouncerNode {
  std::string name;
  std::string socket;  // "unix:/run/postgresql/.s.PGSQL.6432" or "tcp:HOST:PORT"
  // As for HAProxy: maps a UNIX path on the node to one here that leads to it. Empty: as it is.
  std::function<Task<Result<std::string>>(std::string)> forward;
  ports::Host* host = nullptr;  // where the process that ends a PAUSE runs; needed
};

struct PgbouncerPool {
  std::string lb;
  std::vector<PgbouncerNode> nodes;
  std::string database;  // the entry in [databases]
  core::InstanceId instance;
  std::string user = "pgbouncer";                 // of the console; one of admin_users
  std::function<Result<std::string>()> password;  // asked for at each log-in; empty: none
  // Who ends a PAUSE on the host, without a password of ours: a user of the console, and when we
  // are root there the user of the system that runs psql. PgBouncer lets its own user in over its
  // UNIX socket as `pgbouncer`.
  std::string resume_user = "pgbouncer", os_user = "postgres";
  DurationMs max_pause_ms = 30'000;
  DurationMs deadline_ms = 2000;  // for one look at, or one command to, a node
};

// What is wrong with the names and addresses, before anything is asked.
[[nodiscard]] Status check_pgbouncer(const PgbouncerPool& pool);
// A pool that check_pgbouncer refuses makes a driver that reports unknown and refuses every
// command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_pgbouncer(PgbouncerPool pool);
// What it runs as root on the nodes' hosts; the same for every pool.
[[nodiscard]] ports::PrivilegedCommands pgbouncer_privileged_commands();

}  // namespace hitless
