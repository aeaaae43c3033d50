#include "adapters/traffic/traefik.hpp"

#include "adapters/traffic/node_file.hpp"
#include "adapters/traffic/node_http.hpp"
#include "adapters/traffic/node_pool.hpp"
#include "adapters/traffic/traefik_file.hpp"
#include "adapters/traffic/traefik_reply.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr int kEditTries = 5;  // while others edit the same file
constexpr DurationMs kTakenPollMs = 100;
constexpr DurationMs kSettleMs = 500;  // handlers of before finish their picks

PoolShape shape_of(const TraefikPool& pool) {
  PoolShape shape{pool.lb, pool.service, {}, {}, pool.sockets, check_traefik(pool)};
  for (const TraefikNode& node : pool.nodes) shape.nodes.push_back(node.name);
  for (const TraefikMember& member : pool.members) shape.members.push_back(member.instance);
  return shape;
}

class Traefik final : public NodePool {
 public:
  explicit Traefik(TraefikPool pool) : NodePool(shape_of(pool)), pool_(std::move(pool)) {}

 protected:
  Task<Status> read_node(std::size_t node, std::vector<core::TargetReport>* reports) override;
  Task<Status> change_node(std::size_t node, std::size_t member, bool in) override;
  Task<Status> add_capabilities(std::size_t node, ports::TrafficCapabilities* can) override;

 private:
  Task<Result<TraefikService>> service(std::size_t node);
  Task<Status> taken(std::size_t node, std::string server, bool in);

  TraefikPool pool_;
};

Task<Result<TraefikService>> Traefik::service(std::size_t node) {
  NodeCall call;
  call.url = pool_.nodes[node].url + "/api/http/services/" + pool_.service + "@file";
  call.timeout_ms = pool_.timeout_ms;
  auto reply = co_await call_from(pool_.nodes[node].host, "Traefik's API", call);
  if (!reply) co_return tl::unexpected(reply.error());
  if (reply->status != 200)
    co_return fail(reply->status == 404 ? ErrorCode::not_found : ErrorCode::failed,
                   "its API answers " + std::to_string(reply->status) + " for service " +
                       pool_.service + "@file: " + shown(reply->body),
                   {}, "is `api:` on, and the service one of the file provider?");
  co_return parse_traefik_service(reply->body);
}

Task<Status> Traefik::read_node(std::size_t node, std::vector<core::TargetReport>* reports) {
  const auto live = co_await service(node);
  if (!live) co_return tl::unexpected(live.error());
  const auto file = co_await read_node_file(pool_.nodes[node].host, pool_.file);
  if (!file) co_return tl::unexpected(file.error());
  for (std::size_t i = 0; i < reports->size(); ++i) {
    core::TargetReport& out = (*reports)[i];
    const std::string& server = pool_.members[i].server;
    const auto listed = live->servers.find(server);
    const auto written = find_traefik_server(file->text, pool_.service, server);
    if (listed == live->servers.end() && !written) {
      out.note = node_name(node) + ": " + hitless::describe(written.error());
      continue;
    }
    out.check = core::LbCheck::none;
    out.epoch = "traefik";
    if (listed != live->servers.end()) {
      out.admin = AdminState::ready;
      if (live->checked && !listed->second.empty())
        out.check = listed->second == "UP" ? core::LbCheck::pass : core::LbCheck::fail;
    } else {
      out.admin = written->drained ? AdminState::drain : AdminState::maint;
    }
  }
  co_return Status{};
}

Task<Status> Traefik::taken(std::size_t node, std::string server, bool in) {
  const DurationMs end = steady_now_ms() + pool_.taken_ms;
  for (;;) {
    const auto live = co_await service(node);
    if (!live) co_return tl::unexpected(live.error());
    if (live->servers.contains(server) == in) co_return Status{};
    if (steady_now_ms() >= end)
      co_return fail(ErrorCode::failed,
                     pool_.file + " was changed, and Traefik does not show it for " + server, {},
                     "does its file provider watch that file's folder (`directory:`, `watch:`)?");
    co_await sleep_for(kTakenPollMs);
  }
}

Task<Status> Traefik::change_node(std::size_t node, std::size_t member, bool in) {
  const std::string server = pool_.members[member].server;
  ports::Host* host = pool_.nodes[node].host;
  for (int left = kEditTries; left > 0; --left) {
    const auto file = co_await read_node_file(host, pool_.file);
    if (!file) co_return tl::unexpected(file.error());
    const auto now = find_traefik_server(file->text, pool_.service, server);
    if (!now) co_return tl::unexpected(now.error());
    if (now->in == in) co_return co_await taken(node, server, in);  // as wanted already
    if (in && !now->drained)
      co_return fail(ErrorCode::refused,
                     server + " is not ours to put back: somebody else took it out", {},
                     "whoever took it out must put it back");
    auto text = in ? restore_traefik_server(file->text, pool_.service, server)
                   : drain_traefik_server(file->text, pool_.service, server);
    if (!text) co_return tl::unexpected(text.error());
    auto swapped = co_await swap_node_file(host, pool_.file, file->sha, std::move(*text));
    if (!swapped) co_return tl::unexpected(swapped.error());
    if (*swapped) co_return co_await taken(node, server, in);
  }
  co_return fail(ErrorCode::failed, pool_.file + " changes all the time", {},
                 "what else writes that file?");
}

Task<Status> Traefik::add_capabilities(std::size_t node, ports::TrafficCapabilities* can) {
  const auto live = co_await service(node);
  if (!live) co_return tl::unexpected(live.error());
  const auto file = co_await read_node_file(pool_.nodes[node].host, pool_.file);
  if (!file) co_return tl::unexpected(file.error());
  for (const TraefikMember& member : pool_.members) {
    const auto found = find_traefik_server(file->text, pool_.service, member.server);
    if (!found) co_return tl::unexpected(found.error());
    if (found->in != live->servers.contains(member.server))
      co_return fail(ErrorCode::refused,
                     "Traefik does not have " + member.server + " as " + pool_.file + " says", {},
                     "somebody's edit is pending there, or Traefik reads another file");
  }
  can->exact_in_flight = can->checked_rejoin = can->counts_requests = false;
  can->counts_idle = can->survives_lb_reload = can->survives_lb_restart = true;
  can->settle_ms = kSettleMs;
  if (node == 0)
    can->remarks = {kHostSocketsRemark,
                    "a server that comes back counts as healthy until its first check fails",
                    "Traefik tells no requests and errors of a server: no certificate is given"};
  co_return Status{};
}

}  // namespace
}  // namespace traffic

Status check_traefik(const TraefikPool& pool) {
  if (auto ok = check_identifier(pool.service); !ok) return ok;
  if (auto ok = check_absolute_path(pool.file); !ok) return ok;
  if (!pool.file.ends_with(".yml") && !pool.file.ends_with(".yaml"))
    return fail(ErrorCode::invalid, escape_for_terminal(pool.file) + " is no YAML file", pool.lb,
                "TOML is not edited: write that service's servers in YAML");
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  for (const TraefikNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    if (auto ok = traffic::check_node_url(node.url); !ok) return ok;
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_traefik(TraefikPool pool) {
  return std::make_unique<traffic::Traefik>(std::move(pool));
}

ports::PrivilegedCommands traefik_commands(const std::string& file) {
  return traffic::node_file_commands(file);
}

}  // namespace hitless
