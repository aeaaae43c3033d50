#include "adapters/traffic/haproxy_capabilities.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

void add_remark(ports::TrafficCapabilities* out, std::string remark) {
  if (std::find(out->remarks.begin(), out->remarks.end(), remark) != out->remarks.end()) return;
  out->remarks.push_back(std::move(remark));
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : "did you mean " + escape_for_terminal(near) + "?";
}

Task<Status> no_backend(NodeLink* node, std::string backend) {
  auto known = co_await node->ask("show backend");
  co_return fail(ErrorCode::not_found, "there is no backend " + backend, node->name(),
                 known ? did_you_mean(backend, split(*known, '\n')) : "");
}

Status add_servers(const std::string& node, const HaproxyPool& pool, const NodeView& view,
                   ports::TrafficCapabilities* out) {
  std::vector<std::string> known;
  for (const auto& [name, row] : view.stat.servers) known.push_back(name);
  for (const auto& [instance, server] : pool.servers) {
    const auto row = view.stat.servers.find(server);
    const auto state = view.states.find(server);
    if (row == view.stat.servers.end() || state == view.states.end()) {
      return fail(ErrorCode::not_found, "backend " + pool.backend + " has no server " + server,
                  node, did_you_mean(server, known));
    }
    const std::string place = node + ": " + pool.backend + "/" + server;
    const bool resting = read_admin(row->second, state->second).state == core::AdminState::maint;
    if (!resting && !has_check(row->second, state->second)) {
      out->checked_rejoin = false;
      add_remark(out, place + " has no health check: it gets work at once when it is put back");
    }
    if (row->second.backup) {
      add_remark(out, place +
                          " is a backup server: it gets work only while all others are down, so "
                          "the floor does not count it");
    }
    if (row->second.has_agent)
      add_remark(out, place + " has an agent-check, which may undo a drain");
    out->counts_idle |= row->second.mode == "tcp";
  }
  if (out->counts_idle) {
    add_remark(out, pool.backend +
                        " is mode tcp: idle connections count, and are served on while drained");
  }
  return {};
}

Task<Status> check_level(NodeLink* node) {
  auto level = co_await node->ask("show cli level");
  if (!level) co_return tl::unexpected(level.error());
  if (trim(*level) == "admin") co_return Status{};
  const std::string shown = escape_for_terminal(truncate_utf8(trim(*level), 40));
  co_return fail(ErrorCode::refused, "its socket has level `" + shown + "`, which may not drain",
                 node->name(), admin_level_help);
}

Task<Status> add_stickiness(NodeLink* node, std::string backend, bool cookies,
                            ports::TrafficCapabilities* out) {
  auto reply = co_await node->ask("show table");
  if (!reply) co_return tl::unexpected(reply.error());
  const std::vector<std::string> tables = parse_table_names(*reply);
  const bool table = std::find(tables.begin(), tables.end(), backend) != tables.end();
  if (cookies) {
    add_remark(out, node->name() + ": " + backend +
                        " uses cookies: clients that have one still reach a drained server");
  }
  if (table) {
    add_remark(out, node->name() + ": " + backend +
                        " has a stick table: if `stick` rules use it, known clients still reach a "
                        "drained server");
  }
  out->sticky_leak |= cookies || table;
  co_return Status{};
}

bool uses_cookies(const StatTable& stat) {
  bool cookies = stat.backend && !stat.backend->cookie.empty();
  for (const auto& [name, row] : stat.servers) cookies |= !row.cookie.empty();
  return cookies;
}

}  // namespace

Task<Status> add_capabilities(NodeLink* node, const HaproxyPool* pool,
                              ports::TrafficCapabilities* out) {
  auto view = co_await node->look();
  if (!view) co_return tl::unexpected(view.error());
  if (view->backend_missing) co_return co_await no_backend(node, pool->backend);
  if (auto ok = add_servers(node->name(), *pool, *view, out); !ok) co_return ok;
  if (auto ok = co_await check_level(node); !ok) co_return ok;
  const bool cookies = uses_cookies(view->stat);
  if (auto ok = co_await add_stickiness(node, pool->backend, cookies, out); !ok) co_return ok;
  if (!node->has_master()) {
    add_remark(out, node->name() +
                        ": no master socket: after a reload, sessions in old workers are unknown");
  } else if (!view->old_unknown.empty()) {
    co_return fail(ErrorCode::unavailable, view->old_unknown, node->name(),
                   "check `haproxy -S` and this node's master socket in the fleet file");
  } else if (view->failed_reloads > 0) {
    add_remark(out, node->name() + ": its last reload failed; what runs is not what is on disk");
  }
  co_return Status{};
}

}  // namespace hitless::traffic
