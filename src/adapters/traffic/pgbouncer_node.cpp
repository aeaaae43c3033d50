#include "adapters/traffic/pgbouncer_node.hpp"

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

// PAUSE answers when the last transaction has ended; an error, or an idle pool, is quicker.
constexpr DurationMs pause_answer_ms = 200;

SocketAddress address_of(const PgbouncerNode& node) {
  return parse_socket_address(node.socket).value_or(SocketAddress{});
}

}  // namespace

PgbouncerLink::PgbouncerLink(PgbouncerNode node, const PgbouncerPool& pool)
    : node_(std::move(node)),
      hold_{address_of(node_), pool.resume_user, pool.os_user, pool.database},
      user_(pool.user),
      password_(pool.password),
      deadline_ms_(pool.deadline_ms) {}

Error PgbouncerLink::at_node(Error error) const {
  error.where = error.where.empty() ? node_.name : node_.name + " " + error.where;
  return error;
}

Task<Result<std::unique_ptr<PgConnection>>> PgbouncerLink::connect() {
  PgLogin login{hold_.address, user_, "pgbouncer", {}};
  if (password_) {
    auto password = password_();
    if (!password) co_return tl::unexpected(at_node(password.error()));
    login.password = std::move(*password);
  }
  if (login.address.is_unix && node_.forward) {
    if (forwarded_.empty()) {
      auto path = co_await node_.forward(login.address.path);
      if (!path) co_return tl::unexpected(at_node(path.error()));
      forwarded_ = std::move(*path);
    }
    login.address.path = forwarded_;
  }
  auto opened = co_await PgConnection::open(std::move(login), deadline_ms_);
  if (!opened) {
    forwarded_.clear();  // the forward may be gone; a new one is made at the next try
    co_return tl::unexpected(at_node(opened.error()));
  }
  co_return std::move(*opened);
}

Task<Result<PgRows>> PgbouncerLink::ask(std::string sql) {
  auto rows = co_await connection_->query(std::move(sql), deadline_ms_);
  if (!rows) co_return tl::unexpected(at_node(rows.error()));
  co_return rows;
}

Task<Result<PgbouncerView>> PgbouncerLink::look_once() {
  if (!connection_ || !connection_->usable()) {
    limits_.reset();
    auto opened = co_await connect();
    if (!opened) co_return tl::unexpected(opened.error());
    connection_ = std::move(*opened);
  }
  if (!limits_) {
    auto config = co_await ask("SHOW CONFIG");
    if (!config) co_return tl::unexpected(config.error());
    auto limits = read_limits(*config);
    if (!limits) co_return tl::unexpected(at_node(limits.error()));
    limits_ = *limits;
  }
  auto databases = co_await ask("SHOW DATABASES");
  if (!databases) co_return tl::unexpected(databases.error());
  auto pools = co_await ask("SHOW POOLS");
  if (!pools) co_return tl::unexpected(pools.error());
  auto totals = co_await ask("SHOW STATS_TOTALS");
  if (!totals) co_return tl::unexpected(totals.error());
  auto view = read_view(*limits_, *databases, *pools, *totals);
  if (!view) co_return tl::unexpected(at_node(view.error()));
  view->epoch = connection_->id();
  co_return view;
}

// A kept connection may have died since: then PgBouncer was restarted, and a new one tells.
Task<Result<PgbouncerView>> PgbouncerLink::look(bool limits_anew) {
  const AsyncMutex::Guard lock = co_await one_at_a_time_.lock();
  if (limits_anew) limits_.reset();
  const bool kept = connection_ && connection_->usable();
  auto view = co_await look_once();
  if (!view && kept && !connection_->usable()) view = co_await look_once();
  co_return view;
}

Task<Result<bool>> PgbouncerLink::is_ours(bool paused) {
  if (!paused) {
    ours_.reset();
    co_return false;
  }
  if (!ours_) {
    auto held = co_await is_held(node_.host, hold_);
    if (!held) co_return tl::unexpected(held.error());
    ours_ = *held;
  }
  co_return *ours_;
}

Task<Status> PgbouncerLink::tell(std::string command) {
  const AsyncMutex::Guard lock = co_await one_at_a_time_.lock();
  if (!connection_ || !connection_->usable()) {
    co_return fail(ErrorCode::unavailable, "the console's connection is gone", node_.name);
  }
  auto done = co_await ask(std::move(command));
  if (!done) co_return tl::unexpected(done.error());
  co_return Status{};
}

Task<Status> PgbouncerLink::pause() {
  auto own = co_await connect();
  if (!own) co_return tl::unexpected(own.error());
  auto done = co_await (*own)->query("PAUSE " + console_name(hold_.database), pause_answer_ms);
  if (!done && done.error().code != ErrorCode::timed_out)
    co_return tl::unexpected(at_node(done.error()));
  co_return Status{};
}

}  // namespace hitless::traffic
