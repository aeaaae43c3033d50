#include "adapters/traffic/nginx_lb.hpp"

#include <algorithm>
#include <map>

#include "adapters/traffic/every_node.hpp"
#include "adapters/traffic/nginx_lb_node.hpp"
#include "adapters/traffic/nginx_upstream.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;
using core::InstanceId;

bool is_out(AdminState state) {
  return state == AdminState::drain || state == AdminState::maint;
}

class NginxLb final : public ports::Traffic {
 public:
  explicit NginxLb(NginxLbPool pool) : pool_(std::move(pool)), config_(check_nginx_lb(pool_)) {
    for (const NginxLbNode& node : pool_.nodes)
      nodes_.push_back(std::make_unique<NginxLbLink>(node, &pool_));
  }

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> names;
    for (const auto& node : nodes_) names.push_back(node->name());
    return pool_at(pool_.upstream, names);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(InstanceId target) override { co_return co_await want(target, true); }
  Task<Status> rejoin(InstanceId target) override { co_return co_await want(target, false); }
  Task<Status> close_remaining(InstanceId) override {
    co_return fail(ErrorCode::refused, "nginx cannot close one peer's connections", pool_.lb,
                   "use on_deadline: abort or wait, or worker_shutdown_timeout in nginx");
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    std::vector<ports::PoolCounters> none(nodes_.size());  // nginx counts nothing per upstream
    for (std::size_t i = 0; i < none.size(); ++i) none[i].node = nodes_[i]->name();
    co_return none;
  }
  [[nodiscard]] bool has_counters() const override { return false; }

 private:
  Task<void> read_node(NginxLbLink* node, std::vector<core::TargetReport>* out);
  void report(const NginxLbView& view, std::size_t member, core::TargetReport* out) const;
  Task<void> change_node(NginxLbLink* node, std::map<std::string, bool> wishes, Status* out);
  Task<Status> want(InstanceId target, bool out);
  Task<Status> carry_out();

  NginxLbPool pool_;
  Status config_;
  std::vector<std::unique_ptr<NginxLbLink>> nodes_;
  AsyncMutex edits_;
  std::map<std::string, bool> wishes_;  // server → out; those that wait for the next edit
  std::map<std::string, Status> done_;  // and what became of the last
};

// ---- read ---------------------------------------------------------------------------------------
void NginxLb::report(const NginxLbView& view, std::size_t member, core::TargetReport* out) const {
  const std::string& server = pool_.members[member].server;
  auto found = find_server(view.text, pool_.upstream, server);
  if (!found) {
    const bool absent = found.error().code == ErrorCode::not_found;
    out->admin = absent ? AdminState::absent : AdminState::unknown;
    out->note = hitless::describe(found.error());
    return;
  }
  if (loaded_since(view, view.mtime) == Loaded::no) {
    out->note = "nginx has not read its upstream file since it was changed";
    return;
  }
  out->admin = found->admin;
  out->check = core::LbCheck::none;
  out->epoch = std::to_string(view.master) + ":" + std::to_string(view.master_start);
  const bool old_workers =
      std::ranges::any_of(view.workers, [](const NginxWorker& worker) { return worker.old; });
  if (is_out(found->admin) && !old_workers) {
    out->in_flight = 0;  // no worker that ever knew it as up
    return;
  }
  if (view.sockets[member] >= 0) out->in_flight = view.sockets[member];
  if (!is_out(found->admin) || pool_.sockets_suffice || !old_workers) return;
  if (out->in_flight == 0) out->in_flight = 1;
  out->note = "workers of before the reload are still shutting down";
}

Task<void> NginxLb::read_node(NginxLbLink* node, std::vector<core::TargetReport>* out) {
  Result<NginxLbView> view = tl::unexpected(Error{});
  if (config_) {
    view = co_await node->look();
  } else {
    view = tl::unexpected(config_.error());
  }
  for (std::size_t i = 0; i < pool_.members.size(); ++i) {
    core::TargetReport made;
    made.instance = pool_.members[i].instance;
    made.lb = pool_.lb;
    made.node = node->name();
    made.pool = pool_.upstream;
    if (view) {
      report(*view, i, &made);
      if (!made.note.empty()) made.note = node->name() + ": " + made.note;
    } else {
      made.note = hitless::describe(view.error());
    }
    out->push_back(std::move(made));
  }
}

Task<std::vector<core::TargetReport>> NginxLb::read() {
  std::vector<std::vector<core::TargetReport>> by_node(nodes_.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    tasks.push_back(read_node(nodes_[i].get(), &by_node[i]));
  co_await join_all(std::move(tasks));
  std::vector<core::TargetReport> counted, all;
  for (auto& reports : by_node)
    for (core::TargetReport& each : reports) {
      const bool to_count =
          !each.in_flight && each.admin != AdminState::unknown && each.admin != AdminState::absent;
      (to_count ? counted : all).push_back(std::move(each));
    }
  co_await count_host_sockets(pool_.sockets, &counted);
  all.insert(all.end(), std::make_move_iterator(counted.begin()),
             std::make_move_iterator(counted.end()));
  co_return all;
}

// ---- change -------------------------------------------------------------------------------------
Task<void> NginxLb::change_node(NginxLbLink* node, std::map<std::string, bool> wishes,
                                Status* out) {
  *out = co_await node->change([&](std::string_view text) -> Result<std::string> {
    Result<std::string> now = std::string(text);
    for (const auto& [server, away] : wishes) {
      now = away ? take_down(*now, pool_.upstream, server) : put_up(*now, pool_.upstream, server);
      if (!now) return now;
    }
    auto up = servers_up(*now, pool_.upstream);
    if (up && *up == 0 && *now != text)
      return fail(ErrorCode::refused, "upstream " + pool_.upstream +
                                          " would have no server left: every request would "
                                          "get 502");
    return now;
  });
}

Task<Status> NginxLb::carry_out() {
  const std::map<std::string, bool> wishes = std::exchange(wishes_, {});
  std::vector<Status> outcomes(nodes_.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    tasks.push_back(change_node(nodes_[i].get(), wishes, &outcomes[i]));
  co_await join_all(std::move(tasks));
  Status all;
  for (const Status& outcome : outcomes) {
    if (outcome) continue;
    if (all)
      all = outcome;
    else
      all.error().what += "; " + hitless::describe(outcome.error());
  }
  for (const auto& [server, away] : wishes) done_[server] = all;
  co_return all;
}

// Whoever gets the lock carries out the wishes of all who wait, in one edit and one reload. Where
// that fails, each tries its own alone, so that one refusal is not everybody's.
Task<Status> NginxLb::want(InstanceId target, bool out) {
  if (!config_) co_return config_;
  const auto member = std::ranges::find(pool_.members, target, &NginxLbMember::instance);
  if (member == pool_.members.end()) co_return not_in_pool(target, describe());
  const std::string server = member->server;
  wishes_[server] = out;
  done_.erase(server);
  const AsyncMutex::Guard lock = co_await edits_.lock();
  if (const auto done = done_.find(server); done != done_.end() && done->second) co_return Status{};
  const bool alone = wishes_.size() <= 1;
  if (wishes_.contains(server)) {
    Status all = co_await carry_out();
    if (all || alone) co_return all;
  }
  const std::map<std::string, bool> others = std::exchange(wishes_, {{server, out}});
  Status mine = co_await carry_out();
  for (const auto& [other, away] : others)
    if (other != server) wishes_.try_emplace(other, away);
  co_return mine;
}

Task<Result<ports::TrafficCapabilities>> NginxLb::capabilities() {
  if (!config_) co_return tl::unexpected(config_.error());
  ports::TrafficCapabilities can;
  can.exact_in_flight = can.checked_rejoin = can.counts_requests = false;
  can.survives_lb_reload = can.survives_lb_restart = can.counts_idle = true;
  for (const auto& node : nodes_) {
    auto view = co_await node->look();
    if (!view) co_return tl::unexpected(view.error());
    for (const NginxLbMember& member : pool_.members)
      if (auto found = find_server(view->text, pool_.upstream, member.server); !found) {
        found.error().where = node->name() + ":" + pool_.files.upstreams;
        co_return tl::unexpected(found.error());
      }
    auto others = co_await node->pending();
    if (!others) co_return tl::unexpected(others.error());
    if (loaded_since(*view, view->mtime) == Loaded::no) *others = pool_.files.upstreams;
    if (!others->empty())
      co_return fail(ErrorCode::refused,
                     "nginx has not read " + *others +
                         " since it was changed, so a drain would "
                         "bring that in too",
                     node->name(), "reload nginx there, or undo that edit");
  }
  can.remarks = {
      "each drain and each rejoin reloads nginx: idle client connections are closed, and a request "
      "that comes at that moment on one of them may be lost",
      "nginx has no health check that gates a rejoin: it gets work at once",
      "nginx counts no requests of a server: live traffic after the rejoin is not seen, and no "
      "certificate is given"};
  can.remarks.emplace_back(pool_.sockets_suffice
                               ? "old workers are not waited for: one may still pick a drained "
                                 "server for a request that "
                                 "it is reading (drained_when: no_sockets)"
                               : "a drain lasts until all workers of before the reload are gone: "
                                 "WebSockets to any server "
                                 "hold them, unless worker_shutdown_timeout is set");
  for (const auto& node : nodes_) {
    if (node->shutdown_timeout().empty()) continue;
    can.remarks.push_back(node->name() + ": worker_shutdown_timeout " + node->shutdown_timeout() +
                          ": each reload cuts what its old workers still have by then");
  }
  co_return can;
}

}  // namespace
}  // namespace traffic

Status check_nginx_lb(const NginxLbPool& pool) {
  if (auto ok = check_identifier(pool.upstream); !ok) return ok;
  const NginxLbFiles& files = pool.files;
  for (const std::string* path :
       {&files.upstreams, &files.binary, &files.main_config, &files.error_log, &files.pid_file})
    if (auto ok = check_absolute_path(*path); !ok) return ok;
  for (const NginxLbNode& node : pool.nodes)
    if (auto ok = check_identifier(node.name); !ok) return ok;
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  return {};
}

std::unique_ptr<ports::Traffic> make_nginx_lb(NginxLbPool pool) {
  return std::make_unique<traffic::NginxLb>(std::move(pool));
}

ports::PrivilegedCommands nginx_lb_commands(const NginxLbFiles& files) {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  const ports::CommandWords start = {{"sh"}, {"-c"}, {traffic::nginx_lb_script()}, {"sh"}};
  const CommandWord sha = CommandWord::pattern("[0-9a-f]{64}");
  const auto add = [&](ports::CommandWords words) {
    words.insert(words.begin(), start.begin(), start.end());
    all.commands.push_back(std::move(words));
  };
  add({{"look"},
       {files.upstreams},
       {files.pid_file},
       {files.error_log},
       CommandWord::pattern("[0-9A-F:| -]*")});
  add({{"pending"}, {files.binary}, {files.main_config}, {files.pid_file}});
  add({{"apply"},
       {files.upstreams},
       sha,
       {files.binary},
       {files.main_config},
       {files.pid_file},
       sha});
  add({{"undo"}, {files.upstreams}, sha, CommandWord::pattern("[0-9.]+"), sha});
  add({{"tail"}, {files.error_log}, CommandWord::pattern("[0-9]+")});
  return all;
}

}  // namespace hitless
