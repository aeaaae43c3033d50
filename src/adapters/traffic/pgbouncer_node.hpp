// One PgBouncer: looks at it, tells it, knows which PAUSE is ours. Nothing here decides.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "adapters/traffic/pgbouncer.hpp"
#include "adapters/traffic/pgbouncer_hold.hpp"
#include "adapters/traffic/pgbouncer_view.hpp"

namespace hitless::traffic {

class PgbouncerLink {
 public:
  PgbouncerLink(PgbouncerNode node, const PgbouncerPool& pool);

  [[nodiscard]] const std::string& name() const { return node_.name; }
  [[nodiscard]] ports::Host* host() const { return node_.host; }
  [[nodiscard]] PauseHold hold() const { return hold_; }
  // All databases, over one connection that is kept; an error means that it could not be asked.
  // Its limits are read once for each connection, or anew: somebody may have reloaded them.
  Task<Result<PgbouncerView>> look(bool limits_anew = false);
  // A paused database of this view: did we do it? Asked of the host once for each PAUSE.
  Task<Result<bool>> is_ours(bool paused);
  void forget() { ours_.reset(); }
  // A command that is over at once.
  Task<Status> tell(std::string command);
  // Says PAUSE and does not wait for the transactions that still run: PgBouncer lets go of their
  // servers as they end, whoever asked for it.
  Task<Status> pause();

 private:
  Task<Result<std::unique_ptr<PgConnection>>> connect();
  Task<Result<PgRows>> ask(std::string sql);
  Task<Result<PgbouncerView>> look_once();
  [[nodiscard]] Error at_node(Error error) const;

  PgbouncerNode node_;
  PauseHold hold_;
  std::string user_;
  std::function<Result<std::string>()> password_;
  DurationMs deadline_ms_;
  std::string forwarded_;  // the local path of a forwarded socket, once known
  std::unique_ptr<PgConnection> connection_;
  std::optional<PgbouncerLimits> limits_;  // as this connection has read them
  AsyncMutex one_at_a_time_;
  std::optional<bool> ours_;
};

}  // namespace hitless::traffic
