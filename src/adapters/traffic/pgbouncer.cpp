#include "adapters/traffic/pgbouncer.hpp"

#include <algorithm>

#include "adapters/traffic/every_node.hpp"
#include "adapters/traffic/pgbouncer_node.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr DurationMs read_back_ms = 2'000;  // how long PAUSE may take to show
constexpr DurationMs read_back_poll_ms = 20;
constexpr DurationMs wait_margin_ms =
    3'000;  // a client is served this long before it would be dropped
constexpr DurationMs least_pause_ms = 2'000;

// The database on one node, looked at.
struct Seen {
  PgbouncerDatabase database;
  PgbouncerLimits limits;
  AdminState admin = AdminState::unknown;
  std::string epoch;
};

class Pgbouncer final : public ports::Traffic {
 public:
  explicit Pgbouncer(PgbouncerPool pool) : pool_(std::move(pool)), config_(check_pgbouncer(pool_)) {
    for (const PgbouncerNode& node : pool_.nodes)
      nodes_.push_back(std::make_unique<PgbouncerLink>(node, pool_));
  }

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> names;
    for (const auto& node : nodes_) names.push_back(node->name());
    return pool_at(pool_.database, names);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override;
  Task<Status> rejoin(core::InstanceId target) override;
  Task<Status> close_remaining(core::InstanceId target) override;
  Task<std::vector<ports::PoolCounters>> counters() override;

 private:
  [[nodiscard]] Status check_target(const core::InstanceId& target) const;
  Task<Result<Seen>> see(PgbouncerLink* node, bool limits_anew = false);
  Task<Status> drain_node(PgbouncerLink* node);
  Task<Status> pause_for(PgbouncerLink* node, DurationMs longest_wait_ms, PgbouncerLimits limits);
  Task<Status> rejoin_node(PgbouncerLink* node);
  Task<Status> on_every_node(std::function<Task<Status>(PgbouncerLink*)> step);
  Task<core::TargetReport> read_node(PgbouncerLink* node);
  Task<ports::PoolCounters> count_node(PgbouncerLink* node);
  Task<Status> add_capabilities(PgbouncerLink* node, ports::TrafficCapabilities* out);
  [[nodiscard]] tl::unexpected<Error> no_database(const std::string& node,
                                                  const PgbouncerView& view) const;

  PgbouncerPool pool_;
  Status config_;
  std::vector<std::unique_ptr<PgbouncerLink>> nodes_;
};

// So that no client is dropped: neither while it is paused, nor when PgBouncer then waits for
// server_login_retry before it opens a connection.
DurationMs pause_bound(DurationMs wanted_ms, DurationMs longest_wait_ms,
                       const PgbouncerLimits& limits) {
  if (limits.query_wait_timeout_ms == 0) return wanted_ms;
  return std::min(wanted_ms, limits.query_wait_timeout_ms - longest_wait_ms -
                                 limits.login_retry_ms - wait_margin_ms);
}

const char* session_pooling() {
  return "session pooling: PAUSE would wait until every client disconnects";
}

Status Pgbouncer::check_target(const core::InstanceId& target) const {
  if (!config_) return config_;
  if (target == pool_.instance) return {};
  return fail(ErrorCode::not_found,
              escape_for_terminal(target.value) + " is not behind " + describe());
}

tl::unexpected<Error> Pgbouncer::no_database(const std::string& node,
                                             const PgbouncerView& view) const {
  std::vector<std::string> known;
  for (const auto& [name, database] : view.databases) known.push_back(name);
  const std::string near = nearest(pool_.database, known);
  return fail(ErrorCode::not_found, "its [databases] have no " + pool_.database, node,
              near.empty() ? "" : "did you mean " + escape_for_terminal(near) + "?");
}

Task<Result<Seen>> Pgbouncer::see(PgbouncerLink* node, bool limits_anew) {
  auto view = co_await node->look(limits_anew);
  if (!view) co_return tl::unexpected(view.error());
  const auto found = view->databases.find(pool_.database);
  if (found == view->databases.end()) co_return no_database(node->name(), *view);
  Seen seen{found->second, view->limits, AdminState::ready, view->epoch};
  auto ours = co_await node->is_ours(seen.database.paused);
  if (!ours) co_return tl::unexpected(ours.error());
  if (seen.database.paused) seen.admin = *ours ? AdminState::drain : AdminState::maint;
  if (seen.database.disabled) seen.admin = AdminState::maint;
  co_return seen;
}

// ---- read
// -----------------------------------------------------------------------------------------
Task<core::TargetReport> Pgbouncer::read_node(PgbouncerLink* node) {
  core::TargetReport made;
  core::TargetReport* const out = &made;
  Result<Seen> seen = fail(ErrorCode::invalid, "not asked");
  if (config_) {
    seen = co_await see(node);
  } else {
    seen = tl::unexpected(config_.error());
  }
  out->instance = pool_.instance;
  out->lb = pool_.lb;
  out->node = node->name();
  out->pool = pool_.database;
  if (!seen) {
    if (seen.error().code == ErrorCode::not_found) out->admin = AdminState::absent;
    out->note = hitless::describe(seen.error());
    co_return made;
  }
  out->admin = seen->admin;
  out->check = core::LbCheck::none;
  out->in_flight = seen->database.active;
  out->idle = seen->database.idle;
  out->requests = seen->database.queries;
  out->epoch = seen->epoch;
  if (seen->database.session && seen->admin == AdminState::ready) {
    out->in_flight.reset();
    out->note = node->name() + ": " + pool_.database + " uses " + session_pooling();
  }
  co_return made;
}

Task<std::vector<core::TargetReport>> Pgbouncer::read() {
  std::vector<Task<core::TargetReport>> reads;
  for (const auto& node : nodes_) reads.push_back(read_node(node.get()));
  co_return co_await all_of(std::move(reads));
}

Task<ports::PoolCounters> Pgbouncer::count_node(PgbouncerLink* node) {
  ports::PoolCounters made;
  made.node = node->name();
  Result<PgbouncerView> view = fail(ErrorCode::invalid, "not asked");
  if (config_) view = co_await node->look();
  if (!view) {
    made.problem = hitless::describe(config_ ? view.error() : config_.error());
    co_return made;
  }
  const auto found = view->databases.find(pool_.database);
  if (found == view->databases.end()) {
    made.problem = "its [databases] have no " + pool_.database;
    co_return made;
  }
  made.epoch = view->epoch;
  made.requests = found->second.queries;
  made.queued = found->second.waiting;
  co_return made;
}

Task<std::vector<ports::PoolCounters>> Pgbouncer::counters() {
  std::vector<Task<ports::PoolCounters>> reads;
  for (const auto& node : nodes_) reads.push_back(count_node(node.get()));
  co_return co_await all_of(std::move(reads));
}

// ---- drain
// ----------------------------------------------------------------------------------------
// The bound first, then the PAUSE: at no moment is there one without the other.
Task<Status> Pgbouncer::pause_for(PgbouncerLink* node, DurationMs longest_wait_ms,
                                  PgbouncerLimits limits) {
  const DurationMs bound = pause_bound(pool_.max_pause_ms, longest_wait_ms, limits);
  if (bound < least_pause_ms) {
    co_return fail(ErrorCode::refused,
                   "a client of " + pool_.database + " has waited " +
                       format_duration(longest_wait_ms) +
                       " already, and query_wait_timeout drops it after " +
                       format_duration(limits.query_wait_timeout_ms),
                   node->name(), "wait until the queue is short, or raise query_wait_timeout");
  }
  if (Status ok = co_await start_hold(node->host(), node->hold(), bound); !ok) co_return ok;
  if (Status ok = co_await node->pause(); !ok) {
    (void)co_await let_go(node->host(), node->hold());
    co_return ok;
  }
  node->forget();
  const DurationMs end = steady_now_ms() + read_back_ms;
  for (;;) {
    auto seen = co_await see(node);
    if (!seen) co_return tl::unexpected(seen.error());
    if (seen->admin == AdminState::drain) co_return Status{};
    if (steady_now_ms() >= end) {
      co_return fail(ErrorCode::failed, pool_.database + " does not stay paused", node->name(),
                     "is something else saying RESUME?");
    }
    co_await sleep_for(read_back_poll_ms);
  }
}

Task<Status> Pgbouncer::drain_node(PgbouncerLink* node) {
  auto seen = co_await see(node, true);
  if (!seen) co_return tl::unexpected(seen.error());
  if (seen->admin != AdminState::ready) co_return Status{};
  if (seen->database.session) {
    co_return fail(ErrorCode::refused, pool_.database + " uses " + std::string(session_pooling()),
                   node->name(), "set pool_mode = transaction where its clients can live with it");
  }
  if (!seen->database.max_wait_ms) {
    co_return fail(ErrorCode::failed, "it does not say how long its clients wait", node->name());
  }
  co_return co_await pause_for(node, *seen->database.max_wait_ms, seen->limits);
}

Task<Status> Pgbouncer::on_every_node(std::function<Task<Status>(PgbouncerLink*)> step) {
  std::vector<Task<Status>> steps;
  for (const auto& node : nodes_) steps.push_back(step(node.get()));
  co_return co_await all_steps(std::move(steps));
}

Task<Status> Pgbouncer::drain(core::InstanceId target) {
  if (Status ok = check_target(target); !ok) co_return ok;
  co_return co_await on_every_node([this](PgbouncerLink* node) { return drain_node(node); });
}

// ---- rejoin
// ---------------------------------------------------------------------------------------
Task<Status> Pgbouncer::rejoin_node(PgbouncerLink* node) {
  node->forget();
  auto seen = co_await see(node);
  if (!seen) co_return tl::unexpected(seen.error());
  if (seen->admin == AdminState::maint) {
    const std::string what = seen->database.disabled ? "was disabled" : "was paused";
    co_return fail(ErrorCode::refused,
                   pool_.database + " " + what + " by someone else, or before a restart of us",
                   node->name(), "whoever took it out must put it back: RESUME or ENABLE");
  }
  if (seen->admin == AdminState::drain) {
    Status told = co_await node->tell("RESUME " + console_name(pool_.database));
    auto after = co_await see(node);
    if (!after) co_return tl::unexpected(after.error());
    if (after->database.paused) {
      if (!told) co_return told;
      co_return fail(ErrorCode::failed, pool_.database + " is still paused after RESUME",
                     node->name());
    }
  }
  co_return co_await let_go(node->host(), node->hold());
}

Task<Status> Pgbouncer::rejoin(core::InstanceId target) {
  if (Status ok = check_target(target); !ok) co_return ok;
  co_return co_await on_every_node([this](PgbouncerLink* node) { return rejoin_node(node); });
}

Task<Status> Pgbouncer::close_remaining(core::InstanceId target) {
  if (Status ok = check_target(target); !ok) co_return ok;
  co_return fail(ErrorCode::refused,
                 "PgBouncer can only drop all clients of a database at once (KILL), those that "
                 "merely wait too: hitless does not",
                 describe(), "end the transaction in PostgreSQL: pg_terminate_backend");
}

// ---- capabilities
// ---------------------------------------------------------------------------------
Task<Status> Pgbouncer::add_capabilities(PgbouncerLink* node, ports::TrafficCapabilities* out) {
  auto seen = co_await see(node, true);
  if (!seen) co_return tl::unexpected(seen.error());
  if (seen->database.session) {
    co_return fail(ErrorCode::refused, pool_.database + " uses " + std::string(session_pooling()),
                   node->name(), "set pool_mode = transaction where its clients can live with it");
  }
  // To enable what is enabled changes nothing, and only admin_users may.
  if (!seen->database.disabled) {
    if (Status ok = co_await node->tell("ENABLE " + console_name(pool_.database)); !ok) {
      ok.error().help = "put the user `" + pool_.user + "` into admin_users of pgbouncer.ini";
      co_return ok;
    }
  }
  if (Status ok = co_await can_hold(node->host(), node->hold()); !ok) co_return ok;
  const DurationMs drop = seen->limits.query_wait_timeout_ms;
  const DurationMs bound = pause_bound(pool_.max_pause_ms, 0, seen->limits);
  if (bound < least_pause_ms) {
    co_return fail(ErrorCode::refused,
                   "query_wait_timeout drops waiting clients after " + format_duration(drop) +
                       ": too soon for a PAUSE",
                   node->name(), "raise query_wait_timeout");
  }
  out->remarks.push_back(node->name() + ": clients of " + pool_.database + " wait at most " +
                         format_duration(bound) + " in PgBouncer's queue while it is paused (" +
                         (drop > 0 ? "it drops them after " + format_duration(drop)
                                   : std::string("it never drops them")) +
                         "); a process on " + node->host()->name() +
                         " says RESUME by then, also when hitless is gone");
  out->remarks.push_back(node->name() + ": up to " + format_duration(seen->limits.login_retry_ms) +
                         " more (server_login_retry) where it was just opening a connection, or "
                         "had none for their user");
  co_return Status{};
}

Task<Result<ports::TrafficCapabilities>> Pgbouncer::capabilities() {
  if (!config_) co_return tl::unexpected(config_.error());
  ports::TrafficCapabilities out;
  out.survives_lb_reload = true;
  out.checked_rejoin = false;
  out.counts_requests = false;  // requests, but no errors
  for (const auto& node : nodes_) {
    if (Status ok = co_await add_capabilities(node.get(), &out); !ok)
      co_return tl::unexpected(ok.error());
  }
  out.remarks.emplace_back("sessions that do not go through PgBouncer are cut by a restart");
  co_return out;
}

}  // namespace
}  // namespace traffic

Status check_pgbouncer(const PgbouncerPool& pool) {
  if (auto ok = check_identifier(pool.database); !ok) return ok;
  if (pool.database == "pgbouncer") {
    return fail(ErrorCode::invalid, "`pgbouncer` is PgBouncer's console, not a database");
  }
  if (pool.nodes.empty()) {
    return fail(ErrorCode::invalid,
                "load balancer " + escape_for_terminal(pool.lb) + " has no nodes");
  }
  for (const std::string* user : {&pool.user, &pool.resume_user, &pool.os_user}) {
    if (user == &pool.os_user && user->empty()) continue;
    if (auto ok = check_user_name(*user); !ok) return ok;
  }
  for (const PgbouncerNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    auto address = traffic::parse_socket_address(node.socket);
    const bool named =
        address && (!address->is_unix || address->path.find("/.s.PGSQL.") != std::string::npos);
    if (!named) {
      return fail(ErrorCode::invalid,
                  "`" + escape_for_terminal(node.socket) + "` is not a socket of PgBouncer",
                  node.name, "write unix:/run/postgresql/.s.PGSQL.6432 or tcp:HOST:PORT");
    }
    if (node.host == nullptr)
      return fail(ErrorCode::internal, "no host to end a PAUSE from", node.name);
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_pgbouncer(PgbouncerPool pool) {
  return std::make_unique<traffic::Pgbouncer>(std::move(pool));
}

ports::PrivilegedCommands pgbouncer_privileged_commands() {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  all.commands.push_back({{"sh"},
                          {"-c"},
                          {traffic::hold_script()},
                          {"sh"},
                          CommandWord::pattern("(probe|start|held|let-go)"),
                          CommandWord::pattern("[0-9a-f]{20}"),
                          CommandWord::pattern("[A-Za-z0-9/._@+:-]+"),
                          CommandWord::pattern("[0-9]+"),
                          CommandWord::pattern("[a-z_][a-z0-9_-]*"),
                          CommandWord::pattern("[a-z_-][a-z0-9_-]*"),
                          CommandWord::pattern("\"?[A-Za-z0-9_.:-]+\"?"),
                          CommandWord::pattern("[0-9]+"),
                          CommandWord::pattern("[0-9a-f]{12}")});
  return all;
}

}  // namespace hitless
