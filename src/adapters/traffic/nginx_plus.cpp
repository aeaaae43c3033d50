#include "adapters/traffic/nginx_plus.hpp"

#include "adapters/traffic/nginx_plus_reply.hpp"
#include "adapters/traffic/node_http.hpp"
#include "adapters/traffic/node_pool.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

// After a reload old workers go on with requests that the new count does not know.
constexpr std::int64_t kOldWorkersS = 600;

PoolShape shape_of(const NginxPlusPool& pool) {
  PoolShape shape{pool.lb, pool.upstream, {}, {}, pool.sockets, check_nginx_plus(pool)};
  for (const NginxPlusNode& node : pool.nodes) shape.nodes.push_back(node.name);
  for (const NginxPlusMember& member : pool.members) shape.members.push_back(member.instance);
  return shape;
}

// Of each state that the API knows; nothing: a state that we do not know.
std::optional<AdminState> admin_of(const NginxPeer& peer) {
  if (peer.state == "draining") return AdminState::drain;
  if (peer.state == "down") return AdminState::maint;
  for (const char* in : {"up", "unavail", "checking", "unhealthy"})
    if (peer.state == in) return AdminState::ready;
  return std::nullopt;
}

class NginxPlus final : public NodePool {
 public:
  explicit NginxPlus(NginxPlusPool pool) : NodePool(shape_of(pool)), pool_(std::move(pool)) {}
  [[nodiscard]] bool has_counters() const override { return true; }

 protected:
  Task<Status> read_node(std::size_t node, std::vector<core::TargetReport>* reports) override;
  Task<Status> change_node(std::size_t node, std::size_t member, bool in) override;
  Task<Status> add_capabilities(std::size_t node, ports::TrafficCapabilities* can) override;
  Task<Status> count_node(std::size_t node, ports::PoolCounters* counters) override;

 private:
  Task<Result<std::string>> call(std::size_t node, std::string path, std::string patch = {});
  Task<Result<NginxPeers>> peers(std::size_t node);
  Task<Result<NginxPlusInfo>> process(std::size_t node);
  Task<Result<NginxPeer>> peer(std::size_t node, std::size_t member);
  Task<Status> tell(std::size_t node, std::int64_t id, std::string patch);

  NginxPlusPool pool_;
};

Task<Result<std::string>> NginxPlus::call(std::size_t node, std::string path, std::string patch) {
  NodeCall call;
  call.url = pool_.nodes[node].url + "/" + path;
  call.timeout_ms = pool_.timeout_ms;
  if (!patch.empty()) {
    call.method = "PATCH";
    call.headers = {"Content-Type: application/json"};
    call.body = std::move(patch);
  }
  if (!pool_.user.empty()) {
    auto password = pool_.password ? pool_.password() : Result<std::string>(std::string());
    if (!password) co_return tl::unexpected(password.error());
    call.secret_header = "Authorization: Basic " + base64(pool_.user + ":" + *password);
  }
  auto reply = co_await call_from(pool_.nodes[node].host, "the API of NGINX Plus", call);
  if (!reply) co_return tl::unexpected(reply.error());
  if (reply->status == 200) co_return std::move(reply->body);
  const bool missing = reply->status == 404;
  const bool read_only = reply->status == 405 || reply->status == 403;
  co_return fail(missing ? ErrorCode::not_found : ErrorCode::failed,
                 "its API answers " + std::to_string(reply->status) + " to " + path + ": " +
                     nginx_error(reply->body),
                 {},
                 read_only ? "the API's location needs `api write=on;`"
                           : "the upstream needs a `zone`, and `url` the API's version");
}

Task<Result<NginxPeers>> NginxPlus::peers(std::size_t node) {
  auto text = co_await call(node, "http/upstreams/" + pool_.upstream);
  if (!text) co_return tl::unexpected(text.error());
  co_return parse_nginx_peers(*text);
}

Task<Result<NginxPlusInfo>> NginxPlus::process(std::size_t node) {
  auto text = co_await call(node, "nginx");
  if (!text) co_return tl::unexpected(text.error());
  co_return parse_nginx_info(*text);
}

Task<Result<NginxPeer>> NginxPlus::peer(std::size_t node, std::size_t member) {
  auto all = co_await peers(node);
  if (!all) co_return tl::unexpected(all.error());
  const std::string& server = pool_.members[member].server;
  const auto found = all->find(server);
  if (found != all->end()) co_return found->second;
  std::vector<std::string> known;
  for (const auto& [name, each] : *all) known.push_back(name);
  const std::string near = nearest(server, known);
  co_return fail(ErrorCode::not_found, "upstream " + pool_.upstream + " has no server " + server,
                 {}, near.empty() ? "" : "did you mean " + escape_for_terminal(near) + "?");
}

Task<Status> NginxPlus::read_node(std::size_t node, std::vector<core::TargetReport>* reports) {
  const auto nginx = co_await process(node);
  if (!nginx) co_return tl::unexpected(nginx.error());
  const auto all = co_await peers(node);
  if (!all) co_return tl::unexpected(all.error());
  for (std::size_t i = 0; i < reports->size(); ++i) {
    core::TargetReport& out = (*reports)[i];
    const auto found = all->find(pool_.members[i].server);
    if (found == all->end()) {
      out.admin = AdminState::absent;
      out.note = node_name(node) + ": no server " + pool_.members[i].server;
      continue;
    }
    const NginxPeer& peer = found->second;
    const auto admin = admin_of(peer);
    if (!admin) {
      out.note = node_name(node) + ": its state is `" + shown(peer.state) + "`";
      continue;
    }
    out.admin = *admin;
    const bool sick =
        peer.state == "unavail" || peer.state == "checking" || peer.state == "unhealthy";
    out.check = sick           ? core::LbCheck::fail
                : peer.checked ? core::LbCheck::pass
                               : core::LbCheck::none;
    const bool old_workers = nginx->generation > 1 && nginx->since_load_s < kOldWorkersS;
    if (!old_workers) out.in_flight = peer.active;
    out.requests = peer.requests;
    if (peer.responses_5xx && peer.fails) out.errors = *peer.responses_5xx + *peer.fails;
    out.epoch = std::to_string(nginx->master) + ":" + std::to_string(nginx->generation);
  }
  co_return Status{};
}

Task<Status> NginxPlus::tell(std::size_t node, std::int64_t id, std::string patch) {
  auto done =
      co_await call(node, "http/upstreams/" + pool_.upstream + "/servers/" + std::to_string(id),
                    std::move(patch));
  if (!done) co_return tl::unexpected(done.error());
  co_return Status{};
}

Task<Status> NginxPlus::change_node(std::size_t node, std::size_t member, bool in) {
  // The second is for versions that keep a server draining when it is said to be not down.
  const std::vector<std::string> words =
      in ? std::vector<std::string>{R"({"down":false})", R"({"drain":false})"}
         : std::vector<std::string>{R"({"drain":true})"};
  auto now = co_await peer(node, member);
  if (!now) co_return tl::unexpected(now.error());
  for (std::size_t tried = 0;; ++tried) {
    const auto admin = admin_of(*now);
    if (!admin)
      co_return fail(ErrorCode::failed,
                     pool_.members[member].server + " is in state `" + shown(now->state) + "`");
    if (in && *admin == AdminState::maint)
      co_return fail(ErrorCode::refused,
                     pool_.members[member].server + " is not ours to put back: it is `down`", {},
                     "whoever took it out must put it back");
    // A failed check may hide that it drains: only `up` says that nothing needs to be told.
    const bool sure = !in || tried > 0 || now->state == "up";
    if (sure && in == (*admin == AdminState::ready)) co_return Status{};
    if (tried == words.size())
      co_return fail(ErrorCode::failed,
                     pool_.members[member].server + " is `" + shown(now->state) +
                         "` after it was " + (in ? "put back" : "drained"),
                     {}, "is something else changing that upstream?");
    if (auto ok = co_await tell(node, now->id, words[tried]); !ok) co_return ok;
    now = co_await peer(node, member);
    if (!now) co_return tl::unexpected(now.error());
  }
}

Task<Status> NginxPlus::add_capabilities(std::size_t node, ports::TrafficCapabilities* can) {
  for (std::size_t i = 0; i < pool_.members.size(); ++i) {
    const auto found = co_await peer(node, i);
    if (!found) co_return tl::unexpected(found.error());
    can->checked_rejoin = can->checked_rejoin && found->checked;
  }
  if (auto nginx = co_await process(node); !nginx) co_return tl::unexpected(nginx.error());
  if (node + 1 < pool_.nodes.size()) co_return Status{};
  if (!can->checked_rejoin)
    can->remarks.emplace_back("a server has no health_check: it gets work at once");
  can->remarks.emplace_back(
      "clients bound by `sticky` still reach a server that drains, so a drain may not end");
  can->remarks.emplace_back(
      "a server that is `draining` by somebody else looks like one that hitless drained, and is "
      "put "
      "back: only `down` is left alone");
  can->remarks.emplace_back(
      "a reload of nginx forgets a drain, unless the upstream has a `state` file; it is set again "
      "when that is seen, and for 10 minutes the sockets on the instance's port are counted; after "
      "10 minutes what older workers still carry is not counted (worker_shutdown_timeout ends "
      "them)");
  co_return Status{};
}

Task<Status> NginxPlus::count_node(std::size_t node, ports::PoolCounters* counters) {
  const auto nginx = co_await process(node);
  if (!nginx) co_return tl::unexpected(nginx.error());
  const auto all = co_await peers(node);
  if (!all) co_return tl::unexpected(all.error());
  std::int64_t requests = 0, errors = 0, fails = 0;
  for (const auto& [server, peer] : *all) {
    if (!peer.requests || !peer.responses_5xx || !peer.fails)
      co_return fail(ErrorCode::failed,
                     "its API counts nothing for " + escape_for_terminal(server));
    requests += *peer.requests;
    errors += *peer.responses_5xx;
    fails += *peer.fails;
  }
  counters->epoch = std::to_string(nginx->master) + ":" + std::to_string(nginx->generation);
  counters->requests = requests;
  counters->responses_5xx = errors;
  counters->response_errors = fails;
  co_return Status{};
}

}  // namespace
}  // namespace traffic

Status check_nginx_plus(const NginxPlusPool& pool) {
  if (auto ok = check_identifier(pool.upstream); !ok) return ok;
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  for (const NginxPlusNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    if (auto ok = traffic::check_node_url(node.url, true); !ok) return ok;
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_nginx_plus(NginxPlusPool pool) {
  return std::make_unique<traffic::NginxPlus>(std::move(pool));
}

}  // namespace hitless
