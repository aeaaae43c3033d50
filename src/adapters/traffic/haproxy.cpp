#include "adapters/traffic/haproxy.hpp"

#include <chrono>

#include "adapters/traffic/every_node.hpp"
#include "adapters/traffic/haproxy_capabilities.hpp"
#include "adapters/traffic/haproxy_node.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;
using core::LbCheck;

constexpr int max_drain_tries = 3;  // the LB may be reloaded between the command and the look
constexpr DurationMs check_poll_ms = 10;

// One server on one node, looked at.
struct Found {
  NodeView view;
  AdminReading admin;
  LbCheck check = LbCheck::unknown;
  std::string status;
};

class Haproxy final : public ports::Traffic {
 public:
  explicit Haproxy(HaproxyPool pool) : pool_(std::move(pool)), config_(check_haproxy(pool_)) {
    for (const HaproxyNode& node : pool_.nodes) {
      nodes_.push_back(std::make_unique<NodeLink>(node, pool_.backend, pool_.deadline_ms));
    }
  }

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> names;
    for (const auto& node : nodes_) names.push_back(node->name());
    return pool_at(pool_.backend, names);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override;
  Task<Status> rejoin(core::InstanceId target) override;
  Task<Status> close_remaining(core::InstanceId target) override;
  Task<std::vector<ports::PoolCounters>> counters() override;
  Task<std::vector<int>> check_ports(core::InstanceId target) override;

 private:
  [[nodiscard]] Result<std::string> server_of(const core::InstanceId& target) const;
  Task<Result<Found>> find(NodeLink* node, std::string server);
  Task<Result<std::vector<Found>>> find_everywhere(std::string server);
  Task<std::vector<core::TargetReport>> read_node(NodeLink* node);
  Task<ports::PoolCounters> count_node(NodeLink* node);
  Task<Status> drain_node(NodeLink* node, std::string server);
  Task<Status> ready_node(NodeLink* node, std::string server, bool is_ready);
  Task<Status> close_node(NodeLink* node, std::string server, std::vector<std::int64_t> old);
  Task<Result<std::vector<bool>>> wait_for_checks(std::string server);
  [[nodiscard]] Status refuse_rejoin(const NodeLink& node, const std::string& server,
                                     const Found& found) const;
  [[nodiscard]] std::string place(const std::string& server) const {
    return pool_.backend + "/" + server;
  }

  HaproxyPool pool_;
  Status config_;
  std::vector<std::unique_ptr<NodeLink>> nodes_;
};

Result<std::string> Haproxy::server_of(const core::InstanceId& target) const {
  if (!config_) return tl::unexpected(config_.error());
  for (const auto& [instance, server] : pool_.servers) {
    if (instance == target) return server;
  }
  return not_in_pool(target, describe());
}

Task<Result<Found>> Haproxy::find(NodeLink* node, std::string server) {
  auto view = co_await node->look();
  if (!view) co_return tl::unexpected(view.error());
  Found found;
  found.view = std::move(*view);
  const auto row = found.view.stat.servers.find(server);
  const auto state = found.view.states.find(server);
  if (row == found.view.stat.servers.end() || state == found.view.states.end()) {
    co_return fail(ErrorCode::not_found, "it has no server " + place(server), node->name());
  }
  found.admin = read_admin(row->second, state->second);
  found.check = read_check(row->second, state->second);
  found.status = escape_for_terminal(
      truncate_utf8(row->second.status +
                        (row->second.check_status.empty() ? "" : ", " + row->second.check_status),
                    60));
  co_return found;
}

Task<Result<std::vector<Found>>> Haproxy::find_everywhere(std::string server) {
  std::vector<Task<Result<Found>>> reads;
  for (const auto& node : nodes_) reads.push_back(find(node.get(), server));
  std::vector<Found> all;
  for (Result<Found>& found : co_await all_of(std::move(reads))) {
    if (!found) co_return tl::unexpected(found.error());
    all.push_back(std::move(*found));
  }
  co_return all;
}

// ---- read
// -----------------------------------------------------------------------------------------
Task<std::vector<core::TargetReport>> Haproxy::read_node(NodeLink* node) {
  Result<NodeView> view = fail(ErrorCode::invalid, "not asked");
  if (config_) {
    view = co_await node->look();
  } else {
    view = tl::unexpected(config_.error());
  }
  std::vector<core::TargetReport> reports;
  for (const auto& [instance, server] : pool_.servers) {
    core::TargetReport report;
    if (view) {
      report = make_report(*view, pool_.backend, server, node->doubt(server));
      if (!report.note.empty()) report.note = node->name() + ": " + report.note;
    } else {
      report.note = hitless::describe(view.error());
    }
    report.instance = instance;
    report.lb = pool_.lb;
    report.node = node->name();
    report.pool = pool_.backend;
    reports.push_back(std::move(report));
  }
  co_return reports;
}

Task<std::vector<core::TargetReport>> Haproxy::read() {
  std::vector<Task<std::vector<core::TargetReport>>> reads;
  for (const auto& node : nodes_) reads.push_back(read_node(node.get()));
  std::vector<core::TargetReport> all;
  for (auto& reports : co_await all_of(std::move(reads)))
    all.insert(all.end(), std::make_move_iterator(reports.begin()),
               std::make_move_iterator(reports.end()));
  co_return all;
}

void add_to(std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& part) {
  if (!part) {
    sum.reset();
  } else if (sum) {
    *sum += *part;
  }
}

Task<ports::PoolCounters> Haproxy::count_node(NodeLink* node) {
  ports::PoolCounters made;
  ports::PoolCounters* const out = &made;
  out->node = node->name();
  if (!config_) co_return made;
  auto view = co_await node->look();
  if (!view || !view->stat.backend || !view->old_unknown.empty()) co_return made;
  out->epoch = node->epoch_for_counters(*view);
  out->requests = out->responses_5xx = out->connect_errors = out->response_errors = 0;
  out->server_aborts = out->retries = out->redispatches = out->queued = 0;
  std::vector<const StatTable*> tables = {&view->stat};
  for (const StatTable& old : view->old) tables.push_back(&old);
  for (const StatTable* table : tables) {
    if (!table->backend) continue;  // the old configuration did not have it
    const StatRow& row = *table->backend;
    add_to(out->requests, row.requests ? row.requests : row.total);
    add_to(out->responses_5xx, row.responses_5xx);
    add_to(out->connect_errors, row.connect_errors);
    add_to(out->response_errors, row.response_errors);
    add_to(out->server_aborts, row.server_aborts);
    add_to(out->retries, row.retries);
    add_to(out->redispatches, row.redispatches);
    add_to(out->queued, row.queued);
  }
  co_return made;
}

Task<std::vector<ports::PoolCounters>> Haproxy::counters() {
  std::vector<Task<ports::PoolCounters>> reads;
  for (const auto& node : nodes_) reads.push_back(count_node(node.get()));
  co_return co_await all_of(std::move(reads));
}

Task<std::vector<int>> Haproxy::check_ports(core::InstanceId target) {
  std::vector<int> all;
  const auto server = server_of(target);
  if (!server) co_return all;
  std::vector<Task<std::vector<int>>> asked;
  for (const auto& node : nodes_) asked.push_back(node->check_ports(*server));
  for (const auto& ports : co_await all_of(std::move(asked)))
    all.insert(all.end(), ports.begin(), ports.end());
  co_return all;
}

// ---- drain
// ----------------------------------------------------------------------------------------
Task<Status> Haproxy::drain_node(NodeLink* node, std::string server) {
  for (int i = 0; i < max_drain_tries; ++i) {
    auto before = co_await find(node, server);
    if (!before) co_return tl::unexpected(before.error());
    // `state drain` would lift a maint that someone else set.
    if (before->admin.state == AdminState::maint || before->admin.by_drain_command)
      co_return Status{};
    Status told = co_await node->tell("set server " + place(server) + " state drain");
    if (!told) co_return told;
    auto after = co_await find(node, server);
    if (!after) co_return tl::unexpected(after.error());
    const bool same_worker = epoch_of(before->view.worker) == epoch_of(after->view.worker);
    if (is_out(after->admin.state) && (same_worker || after->admin.by_drain_command))
      co_return Status{};
  }
  co_return fail(ErrorCode::failed,
                 "drain of " + place(server) + " does not last: it reads back ready", node->name(),
                 "is something else (an agent-check, another tool) setting it ready?");
}

Task<Status> Haproxy::drain(core::InstanceId target) {
  auto server = server_of(target);
  if (!server) co_return tl::unexpected(server.error());
  std::vector<Task<Status>> steps;
  for (const auto& node : nodes_) steps.push_back(drain_node(node.get(), *server));
  co_return co_await all_steps(std::move(steps));
}

// ---- rejoin
// ---------------------------------------------------------------------------------------
Status Haproxy::refuse_rejoin(const NodeLink& node, const std::string& server,
                              const Found& found) const {
  const AdminReading& admin = found.admin;
  if (admin.state == AdminState::ready) return {};
  if (admin.state == AdminState::maint || admin.by_other) {
    return fail(ErrorCode::refused, place(server) + " is not ours to put back: " + admin.why,
                node.name(), "whoever took it out must put it back");
  }
  return {};
}

// HAProxy's check must have passed on every node: `ready` with a check that has failed less than
// `fall` times would send clients to it at once. Tells which nodes have it `ready` already.
Task<Result<std::vector<bool>>> Haproxy::wait_for_checks(std::string server) {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(pool_.rejoin_check_wait_ms);
  for (;;) {
    auto all = co_await find_everywhere(server);
    if (!all) co_return tl::unexpected(all.error());
    std::string failing;
    std::vector<bool> ready;
    for (std::size_t i = 0; i < all->size(); ++i) {
      const Found& found = (*all)[i];
      ready.push_back(found.admin.state == AdminState::ready);
      if (auto ok = refuse_rejoin(*nodes_[i], server, found); !ok)
        co_return tl::unexpected(ok.error());
      const bool healthy = found.check == LbCheck::pass || found.check == LbCheck::none;
      if (found.admin.state == AdminState::drain && !healthy)
        failing = nodes_[i]->name() + " says " + found.status;
    }
    if (failing.empty()) co_return ready;
    if (std::chrono::steady_clock::now() >= end) {
      co_return fail(ErrorCode::refused,
                     "the load balancer's check of " + place(server) + " does not pass: " + failing,
                     pool_.lb, "it stays drained; see why its check fails");
    }
    co_await sleep_for(check_poll_ms);
  }
}

Task<Status> Haproxy::ready_node(NodeLink* node, std::string server, bool is_ready) {
  if (is_ready) co_return Status{};
  Status told = co_await node->tell("set server " + place(server) + " state ready");
  if (!told) co_return told;
  auto after = co_await find(node, server);
  if (!after) co_return tl::unexpected(after.error());
  if (after->admin.state == AdminState::ready) co_return Status{};
  const std::string why = after->admin.why.empty() ? after->status : after->admin.why;
  co_return fail(ErrorCode::failed, place(server) + " is still out after `ready`: " + why,
                 node->name());
}

Task<Status> Haproxy::rejoin(core::InstanceId target) {
  auto server = server_of(target);
  if (!server) co_return tl::unexpected(server.error());
  const auto ready = co_await wait_for_checks(*server);
  if (!ready) co_return tl::unexpected(ready.error());
  std::vector<Task<Status>> steps;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    steps.push_back(ready_node(nodes_[i].get(), *server, (*ready)[i]));
  co_return co_await all_steps(std::move(steps));
}

// ---- close remaining
// ------------------------------------------------------------------------------
Task<Status> Haproxy::close_node(NodeLink* node, std::string server,
                                 std::vector<std::int64_t> old) {
  Status told = co_await node->tell("shutdown sessions server " + place(server));
  if (told && !old.empty()) told = co_await node->close_in_old_workers(server, std::move(old));
  co_return told;
}

Task<Status> Haproxy::close_remaining(core::InstanceId target) {
  auto server = server_of(target);
  if (!server) co_return tl::unexpected(server.error());
  auto all = co_await find_everywhere(*server);
  if (!all) co_return tl::unexpected(all.error());
  for (std::size_t i = 0; i < all->size(); ++i) {
    if (is_out((*all)[i].admin.state)) continue;
    co_return fail(ErrorCode::refused,
                   place(*server) + " is in rotation: its sessions are not closed",
                   nodes_[i]->name(), "drain it first");
  }
  std::vector<Task<Status>> steps;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    steps.push_back(close_node(nodes_[i].get(), *server, (*all)[i].view.old_pids));
  Status result = co_await all_steps(std::move(steps));
  for (std::size_t i = 0; result && i < all->size(); ++i) {
    if ((*all)[i].view.old_unknown.empty()) continue;
    result = fail(ErrorCode::unavailable,
                  "sessions in old workers were not closed: " + (*all)[i].view.old_unknown,
                  nodes_[i]->name());
  }
  co_return result;
}

// ---- capabilities
// ---------------------------------------------------------------------------------
Task<Result<ports::TrafficCapabilities>> Haproxy::capabilities() {
  if (!config_) co_return tl::unexpected(config_.error());
  ports::TrafficCapabilities out;
  for (const auto& node : nodes_) {
    if (auto ok = co_await add_capabilities(node.get(), &pool_, &out); !ok)
      co_return tl::unexpected(ok.error());
  }
  out.remarks.emplace_back(
      "a reload of HAProxy forgets drains; they are set again when one is seen");
  co_return out;
}

}  // namespace
}  // namespace traffic

Status check_haproxy(const HaproxyPool& pool) {
  if (auto ok = check_identifier(pool.backend); !ok) return ok;
  if (pool.nodes.empty()) {
    return fail(ErrorCode::invalid,
                "load balancer " + escape_for_terminal(pool.lb) + " has no nodes");
  }
  for (const HaproxyNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    auto address = traffic::parse_socket_address(node.socket);
    if (address && !node.master.empty()) address = traffic::parse_socket_address(node.master);
    if (!address) {
      Error error = address.error();
      error.where = node.name;
      return tl::unexpected(error);
    }
  }
  for (const auto& [instance, server] : pool.servers) {
    if (auto ok = check_identifier(server); !ok) return ok;
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_haproxy(HaproxyPool pool) {
  return std::make_unique<traffic::Haproxy>(std::move(pool));
}

}  // namespace hitless
