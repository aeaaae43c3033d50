#include "adapters/traffic/haproxy_node.hpp"

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless::traffic {
namespace {

constexpr int max_looks = 3;  // a reload in the middle of a look makes it worth another one
constexpr DurationMs look_again_ms = 30;
constexpr std::size_t sessions_per_line = 100;  // of commands; a line may have 16 KB
constexpr DurationMs master_share = 2;
constexpr std::size_t max_old_workers = 16;
constexpr std::int64_t max_connections_to_list = 2'000;

TimeMs steady_now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string first_line(std::string_view reply) {
  const std::string_view text = trim(reply);
  return escape_for_terminal(truncate_utf8(redact(text.substr(0, text.find('\n'))), 160));
}

Error refusal(std::string_view reply, const std::string& command) {
  if (says_permission_denied(reply)) {
    return {ErrorCode::refused, "permission denied for `" + command + "`", {}, admin_level_help};
  }
  const ErrorCode code = says_not_found(reply) ? ErrorCode::not_found : ErrorCode::failed;
  return {code, "`" + command + "` was answered with `" + first_line(reply) + "`", {}, {}};
}

// Each process has its own servers, drains and counts, and this socket is one of them.
Status check_processes(const WorkerInfo& info) {
  if (info.processes <= 1) return {};
  return fail(ErrorCode::refused,
              "it runs as " + std::to_string(info.processes) +
                  " processes (nbproc), of which one socket shows and drains one only",
              {}, "replace `nbproc` by `nbthread` in haproxy.cfg");
}

}  // namespace

void EpochMemory::saw(const std::string& epoch, const std::set<std::string>& quiet, TimeMs now_ms,
                      std::optional<DurationMs> hard_stop_after_ms) {
  if (changed_ && hard_stop_after_ms && now_ms - changed_at_ms_ > *hard_stop_after_ms) {
    changed_ = false;
  }
  if (!epoch_.empty() && epoch != epoch_) {
    if (!changed_) {
      known_quiet_ = quiet_;
    } else {
      std::erase_if(known_quiet_, [&](const std::string& s) { return !quiet_.contains(s); });
    }
    changed_ = true;
    changed_at_ms_ = now_ms;
  }
  epoch_ = epoch;
  quiet_ = quiet;
}

bool EpochMemory::doubts(const std::string& server) const {
  return changed_ && !known_quiet_.contains(server);
}

std::string CounterEpoch::saw(const WorkerInfo& current, const std::vector<std::int64_t>& old) {
  std::set<std::int64_t> alive(old.begin(), old.end());
  alive.insert(current.pid);
  for (const std::int64_t pid : counted_) {
    if (alive.contains(pid)) continue;
    name_.clear();  // its part of the sum is lost
    break;
  }
  counted_ = alive;
  if (name_.empty()) {
    name_ = epoch_of(current);
    for (const std::int64_t pid : std::set<std::int64_t>(old.begin(), old.end())) {
      name_ += "+" + std::to_string(pid);
    }
  }
  return name_;
}

NodeLink::NodeLink(HaproxyNode node, std::string backend, DurationMs deadline_ms)
    : node_(std::move(node)), backend_(std::move(backend)), deadline_ms_(deadline_ms) {
  // check_haproxy has seen both; an address that did not parse is never used.
  if (auto address = parse_socket_address(node_.socket)) main_.configured = *address;
  if (auto address = parse_socket_address(node_.master)) master_.configured = *address;
}

Error NodeLink::at_node(Error error) const {
  error.where = error.where.empty() ? node_.name : node_.name + " " + error.where;
  return error;
}

Task<Result<std::string>> NodeLink::send(Address* to, std::vector<std::string> commands) {
  SocketAddress address = to->configured;
  if (address.is_unix && node_.forward) {
    if (to->forwarded.empty()) {
      auto local = co_await with_timeout(node_.forward(address.path), deadline_ms_, "the forward");
      if (!local) co_return tl::unexpected(local.error());
      to->forwarded = *local;
    }
    address.path = to->forwarded;
  }
  // A look asks the master up to three times; that it hangs must not make the whole look late.
  ExchangeLimits limits;
  limits.deadline_ms = to == &master_ ? deadline_ms_ / master_share : deadline_ms_;
  auto reply = co_await exchange(address, std::move(commands), limits);
  if (!reply && reply.error().code == ErrorCode::unavailable) to->forwarded.clear();
  co_return reply;
}

// A frontend of the same name hides the backend from `show stat NAME`; `show servers state` knows
// the backend's number, and `show stat` takes that too.
Task<Result<NodeView>> NodeLink::look_at_worker(Address* to, std::string prefix) {
  NodeView view;
  std::string backend = backend_;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::vector<std::string> commands = {prefix + "show info",
                                         prefix + "show stat " + backend + " 6 -1",
                                         prefix + "show servers state " + backend_};
    auto reply = co_await send(to, std::move(commands));
    if (!reply) co_return tl::unexpected(reply.error());
    auto parts = split_reply(*reply, 3);
    if (!parts) co_return tl::unexpected(parts.error());
    auto info = parse_info((*parts)[0]);
    if (!info) co_return tl::unexpected(info.error());
    if (auto ok = check_processes(*info); !ok) co_return tl::unexpected(ok.error());
    view.worker = *info;
    view.backend_missing = says_not_found((*parts)[2]);
    if (view.backend_missing) co_return view;
    auto states = parse_servers_state((*parts)[2], backend_);
    if (!states) co_return tl::unexpected(states.error());
    view.states = std::move(*states);
    auto stat = parse_stat((*parts)[1], backend_);
    if (!stat) co_return tl::unexpected(stat.error());
    view.stat = std::move(*stat);
    if (view.stat.backend || view.states.empty()) break;
    backend = std::to_string(view.states.begin()->second.backend_id);
  }
  co_return view;
}

Task<Result<ProcessList>> NodeLink::processes() {
  auto reply = co_await send(&master_, {std::string("show proc")});
  if (!reply) co_return tl::unexpected(reply.error());
  auto parts = split_reply(*reply, 1);
  if (!parts) co_return tl::unexpected(parts.error());
  co_return parse_proc(parts->front());
}

Task<void> NodeLink::look_into(std::optional<Result<NodeView>>* out, Address* to,
                               std::string prefix) {
  out->emplace(co_await look_at_worker(to, std::move(prefix)));
}

Task<void> NodeLink::list_into(std::optional<Result<ProcessList>>* out) {
  out->emplace(co_await processes());
}

Task<void> NodeLink::add_old_workers(NodeView* view, std::vector<std::int64_t> pids) {
  view->old_pids = pids;
  if (pids.size() > max_old_workers) {
    view->old_unknown = std::to_string(pids.size()) + " old workers live: more than can be asked";
    co_return;
  }
  std::vector<std::optional<Result<NodeView>>> looks(pids.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    tasks.push_back(look_into(&looks[i], &master_, "@!" + std::to_string(pids[i]) + " "));
  }
  co_await join_all(std::move(tasks));

  std::optional<Result<ProcessList>> now;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    if (*looks[i]) {
      view->old.push_back(std::move((*looks[i])->stat));
      continue;
    }
    // It may have ended between the list and the question; only the list can say that.
    if (!now) now = co_await processes();
    const bool listed = !*now || std::find((*now)->old_workers.begin(), (*now)->old_workers.end(),
                                           pids[i]) != (*now)->old_workers.end();
    if (listed) {
      view->old_unknown = "sessions unknown: old worker " + std::to_string(pids[i]) +
                          " does not answer (" + describe(looks[i]->error()) + ")";
    } else {
      std::erase(view->old_pids, pids[i]);
    }
  }
}

Task<Result<NodeView>> NodeLink::look_once(bool* worth_again) {
  *worth_again = false;
  std::optional<Result<NodeView>> seen;
  std::optional<Result<ProcessList>> list;
  std::vector<Task<void>> tasks;
  tasks.push_back(look_into(&seen, &main_, ""));
  if (has_master()) tasks.push_back(list_into(&list));
  co_await join_all(std::move(tasks));

  if (!*seen) co_return tl::unexpected(seen->error());
  NodeView view = std::move(**seen);
  if (view.worker.stopping) {
    *worth_again = true;
    co_return fail(ErrorCode::failed, "a worker that is being replaced answered");
  }
  if (!list) co_return view;
  if (!*list) {
    view.old_unknown =
        "sessions unknown: no answer at the master socket (" + describe(list->error()) + ")";
    co_return view;
  }
  const ProcessList& all = **list;
  view.failed_reloads = all.failed_reloads;
  if (std::find(all.workers.begin(), all.workers.end(), view.worker.pid) == all.workers.end()) {
    *worth_again = true;
    view.old_unknown = "sessions unknown: the master socket does not know worker " +
                       std::to_string(view.worker.pid) + " (is it another HAProxy's?)";
    co_return view;
  }
  if (!all.old_workers.empty()) co_await add_old_workers(&view, all.old_workers);
  co_return view;
}

Task<Result<NodeView>> NodeLink::look_until_steady() {
  for (int i = 1;; ++i) {
    bool worth_again = false;
    auto view = co_await look_once(&worth_again);
    if (!worth_again || i == max_looks) co_return view;
    co_await sleep_for(look_again_ms);
  }
}

Task<Result<NodeView>> NodeLink::look() {
  auto view = co_await with_timeout(look_until_steady(), deadline_ms_, "the look at HAProxy");
  if (!view) co_return tl::unexpected(at_node(view.error()));
  remember(*view);
  co_return view;
}

void NodeLink::remember(const NodeView& view) {
  if (has_master()) return;
  // With cookies a drained server still gets work, so that "quiet" holds for that moment only.
  const bool sticky = view.stat.backend && !view.stat.backend->cookie.empty();
  std::set<std::string> quiet;
  for (const auto& [server, row] : view.stat.servers) {
    const auto state = view.states.find(server);
    if (sticky || state == view.states.end() || memory_.doubts(server)) continue;
    const bool out = is_out(read_admin(row, state->second).state);
    if (out && in_flight_of(view, server) == 0) quiet.insert(server);
  }
  memory_.saw(epoch_of(view.worker), quiet, steady_now_ms(), node_.hard_stop_after_ms);
}

std::string NodeLink::doubt(const std::string& server) const {
  if (has_master() || !memory_.doubts(server)) return {};
  return "sessions unknown: it was reloaded, an old worker may still have some, and no master "
         "socket is "
         "configured to ask";
}

Task<Status> NodeLink::tell(std::string command) {
  auto reply = co_await send(&main_, {command});
  if (!reply) co_return tl::unexpected(at_node(reply.error()));
  auto parts = split_reply(*reply, 1);
  if (parts && trim(parts->front()).empty()) co_return Status{};
  if (trim(*reply).empty()) {
    // Not even the empty line of a success: whether it was carried out must be looked up.
    co_return fail(ErrorCode::transport_lost, "no answer to `" + command + "`", node_.name);
  }
  co_return tl::unexpected(at_node(refusal(*reply, command)));
}

Task<Status> NodeLink::close_in_old_workers(std::string server, std::vector<std::int64_t> pids) {
  for (const std::int64_t pid : pids) {
    const std::string command = "@!" + std::to_string(pid) + " show sess";
    auto reply = co_await send(&master_, {command});
    if (!reply) co_return tl::unexpected(at_node(reply.error()));
    if (says_no_such_worker(*reply)) continue;
    if (says_permission_denied(*reply)) {
      co_return tl::unexpected(at_node(refusal(*reply, command)));
    }
    auto sessions = parse_sessions(*reply, backend_, server);
    if (auto ok = co_await close_sessions(pid, std::move(sessions)); !ok) co_return ok;
  }
  co_return Status{};
}

Task<Status> NodeLink::close_sessions(std::int64_t pid, std::vector<std::string> sessions) {
  const std::string prefix = "@!" + std::to_string(pid) + " shutdown session ";
  for (std::size_t begin = 0; begin < sessions.size(); begin += sessions_per_line) {
    std::vector<std::string> commands;
    const std::size_t end = std::min(begin + sessions_per_line, sessions.size());
    for (std::size_t i = begin; i < end; ++i) commands.push_back(prefix + sessions[i]);
    auto reply = co_await send(&master_, std::move(commands));
    if (!reply) co_return tl::unexpected(at_node(reply.error()));
    if (says_no_such_worker(*reply)) break;
    for (const std::string& line : split(*reply, '\n')) {
      // One that has ended by itself is as good as closed.
      if (trim(line).empty() || says_not_found(line)) continue;
      co_return tl::unexpected(at_node(refusal(line, prefix)));
    }
  }
  co_return Status{};
}

Task<Result<std::string>> NodeLink::ask(std::string command) {
  auto reply = co_await send(&main_, {std::move(command)});
  if (!reply) co_return tl::unexpected(at_node(reply.error()));
  auto parts = split_reply(*reply, 1);
  if (!parts) co_return tl::unexpected(at_node(parts.error()));
  co_return std::move(parts->front());
}

namespace {

// No session: what is open then is a check. Not in mode http, where a client may have a connection
// for itself that no count shows while it is idle.
bool at_rest(const Result<NodeView>& view, const std::string& server) {
  if (!view) return false;
  const auto row = view->stat.servers.find(server);
  return row != view->stat.servers.end() && row->second.mode == "tcp" &&
         row->second.sessions == 0 && row->second.queued == 0 && row->second.idle == 0;
}

}  // namespace

// `show fd` stops all threads for each line, and lists everything: not where much is open. Of this
// worker only: old ones check nothing, and what comes from them is work.
Task<std::vector<int>> NodeLink::check_ports(std::string server) {
  std::vector<int> none;
  const auto before = co_await look_at_worker(&main_, "");
  if (!before || !before->worker.connections ||
      *before->worker.connections > max_connections_to_list)
    co_return none;
  const auto open = co_await ask("show fd");
  if (!open) co_return none;
  const auto after = co_await look_at_worker(&main_, "");
  const bool same = after && epoch_of(after->worker) == epoch_of(before->worker);
  const bool rests = same && at_rest(before, server) && at_rest(after, server);
  co_return parse_check_ports(*open, backend_, server, rests);
}

std::string NodeLink::epoch_for_counters(const NodeView& view) {
  return counter_epoch_.saw(view.worker, view.old_pids);
}

}  // namespace hitless::traffic
