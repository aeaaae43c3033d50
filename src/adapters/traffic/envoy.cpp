#include "adapters/traffic/envoy.hpp"

#include <algorithm>
#include <cstdlib>

#include "adapters/traffic/envoy_reply.hpp"
#include "adapters/traffic/node_file.hpp"
#include "adapters/traffic/node_http.hpp"
#include "adapters/traffic/node_pool.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr int kEditTries = 5;  // while others edit the same file
constexpr DurationMs kTakenPollMs = 50;
constexpr DurationMs kPendingMs = 200;
constexpr DurationMs kSettleMs = 500;  // every worker thread has the update
constexpr std::int64_t kStartJitterS = 3;

PoolShape shape_of(const EnvoyPool& pool) {
  PoolShape shape{pool.lb, pool.cluster, {}, {}, pool.sockets, check_envoy(pool)};
  for (const EnvoyNode& node : pool.nodes) shape.nodes.push_back(node.name);
  for (const EnvoyMember& member : pool.members) shape.members.push_back(member.instance);
  return shape;
}

class Envoy final : public NodePool {
 public:
  explicit Envoy(EnvoyPool pool)
      : NodePool(shape_of(pool)), pool_(std::move(pool)), kept_(pool_.nodes.size()) {}
  [[nodiscard]] bool has_counters() const override { return true; }

 protected:
  Task<Status> read_node(std::size_t node, std::vector<core::TargetReport>* reports) override;
  Task<Status> change_node(std::size_t node, std::size_t member, bool in) override;
  Task<Status> add_capabilities(std::size_t node, ports::TrafficCapabilities* can) override;
  Task<Status> count_node(std::size_t node, ports::PoolCounters* counters) override;

 private:
  struct Kept {
    std::int64_t started_s = 0;
    std::optional<bool> has_checks;
  };
  Task<Result<std::string>> get(std::size_t node, std::string path);
  Task<Result<EnvoyCluster>> cluster(std::size_t node);
  Task<Result<EnvoyServer>> server(std::size_t node);
  Task<Result<std::map<std::string, std::int64_t>>> stats(std::size_t node);
  Task<Result<bool>> has_checks(std::size_t node);
  [[nodiscard]] std::string stat_prefix() const {  // colons are not for names of statistics
    std::string name = pool_.cluster;
    std::ranges::replace(name, ':', '_');
    return "cluster." + name + ".";
  }
  [[nodiscard]] std::string epoch_of(std::size_t node, const EnvoyServer& server);
  void report(const EnvoyCluster& cluster, const std::string& file, std::size_t member,
              core::TargetReport* out) const;
  Task<Status> taken(std::size_t node, std::string endpoint, bool in);

  EnvoyPool pool_;
  std::vector<Kept> kept_;
};

Task<Result<std::string>> Envoy::get(std::size_t node, std::string path) {
  NodeCall call;
  call.url = pool_.nodes[node].url + path;
  call.timeout_ms = pool_.timeout_ms;
  auto reply = co_await call_from(pool_.nodes[node].host, "Envoy's admin interface", call);
  if (!reply) co_return tl::unexpected(reply.error());
  if (reply->status != 200)
    co_return fail(ErrorCode::failed, "its admin interface answers " +
                                          std::to_string(reply->status) + " to " + path + ": " +
                                          shown(reply->body));
  co_return std::move(reply->body);
}

Task<Result<EnvoyCluster>> Envoy::cluster(std::size_t node) {
  auto text = co_await get(node, "/clusters?format=json");
  if (!text) co_return tl::unexpected(text.error());
  co_return parse_envoy_clusters(*text, pool_.cluster);
}

Task<Result<EnvoyServer>> Envoy::server(std::size_t node) {
  auto text = co_await get(node, "/server_info");
  if (!text) co_return tl::unexpected(text.error());
  co_return parse_envoy_server(*text);
}

Task<Result<std::map<std::string, std::int64_t>>> Envoy::stats(std::size_t node) {
  // check_identifier lets nothing into the name that a URL or a pattern would read but the dot.
  auto text = co_await get(node, "/stats?format=json&filter=%5E" + stat_prefix());
  if (!text) co_return tl::unexpected(text.error());
  co_return parse_envoy_stats(*text);
}

Task<Result<bool>> Envoy::has_checks(std::size_t node) {
  if (!kept_[node].has_checks) {
    auto all = co_await stats(node);
    if (!all) co_return tl::unexpected(all.error());
    kept_[node].has_checks = all->contains(stat_prefix() + "health_check.attempt");
  }
  co_return *kept_[node].has_checks;
}

// Envoy tells how long it has run, in whole seconds: its start is kept while it differs no more.
std::string Envoy::epoch_of(std::size_t node, const EnvoyServer& server) {
  const std::int64_t started = wall_now_ms() / 1'000 - server.uptime_s;
  std::int64_t& kept = kept_[node].started_s;
  if (std::llabs(started - kept) > kStartJitterS) kept = started;
  return std::to_string(server.restart_epoch) + ":" + std::to_string(kept);
}

// ---- read ---------------------------------------------------------------------------------------
void Envoy::report(const EnvoyCluster& cluster, const std::string& file, std::size_t member,
                   core::TargetReport* out) const {
  const std::string& endpoint = pool_.members[member].endpoint;
  const auto found = cluster.hosts.find(endpoint);
  const auto meant = find_endpoint(file, pool_.cluster, endpoint);
  if (found == cluster.hosts.end()) {
    out->admin = AdminState::absent;
    out->note = "cluster " + pool_.cluster + " has no endpoint " + endpoint;
    return;
  }
  const EnvoyHost& host = found->second;
  if (host.eds == "DRAINING" || host.eds == "UNHEALTHY" || host.eds == "TIMEOUT") {
    if (!meant) {
      out->note = hitless::describe(meant.error());
      return;
    }
    if (cluster.panics(endpoint, pool_.panic_percent, false)) {
      out->note = "too few endpoints are healthy: Envoy panics and sends to drained ones as well";
      return;
    }
    out->admin = meant->ours ? AdminState::drain : AdminState::maint;
  } else if (host.told_in()) {
    out->admin = AdminState::ready;
  } else {
    out->note = "Envoy says `" + shown(host.eds) + "` of " + endpoint;
    return;
  }
  out->in_flight = host.stat("rq_active");
  if (const auto open = host.stat("cx_active"); open && out->in_flight)
    out->idle = std::max<std::int64_t>(0, *open - *out->in_flight);
  out->requests = host.stat("rq_total");
  const auto bad = host.stat("rq_error"), refused = host.stat("cx_connect_fail"),
             late = host.stat("rq_timeout");
  if (bad && refused && late) out->errors = *bad + *refused + *late;
}

Task<Status> Envoy::read_node(std::size_t node, std::vector<core::TargetReport>* reports) {
  const auto seen = co_await cluster(node);
  if (!seen) co_return tl::unexpected(seen.error());
  const auto process = co_await server(node);
  if (!process) co_return tl::unexpected(process.error());
  const auto checks = co_await has_checks(node);
  if (!checks) co_return tl::unexpected(checks.error());
  const auto file = co_await read_node_file(pool_.nodes[node].host, pool_.file);
  if (!file) co_return tl::unexpected(file.error());
  for (std::size_t i = 0; i < reports->size(); ++i) {
    core::TargetReport& out = (*reports)[i];
    report(*seen, file->text, i, &out);
    if (!out.note.empty()) out.note = node_name(node) + ": " + out.note;
    if (out.admin == AdminState::unknown || out.admin == AdminState::absent) continue;
    const bool failing = seen->hosts.at(pool_.members[i].endpoint).failing;
    out.check = failing ? core::LbCheck::fail : *checks ? core::LbCheck::pass : core::LbCheck::none;
    out.epoch = epoch_of(node, *process);
    if (process->parent_may_live()) out.in_flight.reset();  // then the sockets are counted
  }
  co_return Status{};
}

// ---- change -------------------------------------------------------------------------------------
Task<Status> Envoy::taken(std::size_t node, std::string endpoint, bool in) {
  const DurationMs end = steady_now_ms() + pool_.taken_ms;
  for (;;) {
    const auto seen = co_await cluster(node);
    if (!seen) co_return tl::unexpected(seen.error());
    const auto host = seen->hosts.find(endpoint);
    const bool listed = host != seen->hosts.end();
    if (listed && (in ? host->second.told_in() : host->second.eds == "DRAINING"))
      co_return Status{};
    if (steady_now_ms() >= end)
      co_return fail(ErrorCode::failed,
                     pool_.file + " was changed, and Envoy does not show it for " + endpoint +
                         (listed ? ": it says `" + shown(host->second.eds) + "`" : ""),
                     {}, "does the cluster's eds_config name that file (path_config_source)?");
    co_await sleep_for(kTakenPollMs);
  }
}

Task<Status> Envoy::change_node(std::size_t node, std::size_t member, bool in) {
  const std::string endpoint = pool_.members[member].endpoint;
  ports::Host* host = pool_.nodes[node].host;
  for (int left = kEditTries; left > 0; --left) {
    const auto seen = co_await cluster(node);
    if (!seen) co_return tl::unexpected(seen.error());
    const auto file = co_await read_node_file(host, pool_.file);
    if (!file) co_return tl::unexpected(file.error());
    const auto now = find_endpoint(file->text, pool_.cluster, endpoint);
    if (!now) co_return tl::unexpected(now.error());
    const auto live = seen->hosts.find(endpoint);
    // By somebody else. What its checks say is nobody's hand.
    const bool off =
        live != seen->hosts.end() && !live->second.told_in() && live->second.eds != "DRAINING";
    if (in && (off || (now->draining && !now->ours)))
      co_return fail(ErrorCode::refused,
                     endpoint +
                         " is not ours to put back: somebody else took "
                         "it out",
                     {}, "whoever took it out must put it back");
    if (now->draining != in) co_return co_await taken(node, endpoint, in);  // as wanted already
    if (!in && off) co_return Status{};
    if (!in && seen->panics(endpoint, pool_.panic_percent, true))
      co_return fail(ErrorCode::refused,
                     "fewer than " + std::to_string(pool_.panic_percent) +
                         "% of the endpoints would be healthy: Envoy would panic and send to all",
                     {}, "see healthy_panic_threshold, and panic_threshold in the fleet file");
    const auto pending = pending_endpoint(file->text, pool_.cluster, *seen);
    if (!pending) co_return tl::unexpected(pending.error());
    if (!pending->empty() && left > 1) {  // somebody's change may be on its way
      co_await sleep_for(kPendingMs);
      continue;
    }
    if (!pending->empty())
      co_return fail(ErrorCode::refused,
                     pool_.file + " holds an edit that Envoy has not read (" + *pending +
                         "): a drain would bring it in too",
                     {}, "move that file into place there, or undo that edit");
    auto edited = edit_endpoint(file->text, pool_.cluster, endpoint, in);
    if (!edited) co_return tl::unexpected(edited.error());
    auto swapped = co_await swap_node_file(host, pool_.file, file->sha, std::move(*edited));
    if (!swapped) co_return tl::unexpected(swapped.error());
    if (*swapped) co_return co_await taken(node, endpoint, in);
  }
  co_return fail(ErrorCode::failed, pool_.file + " changes all the time", {},
                 "what else writes that file?");
}

// ---- capabilities and counters ------------------------------------------------------------------
Task<Status> Envoy::add_capabilities(std::size_t node, ports::TrafficCapabilities* can) {
  const auto seen = co_await cluster(node);
  if (!seen) co_return tl::unexpected(seen.error());
  const auto file = co_await read_node_file(pool_.nodes[node].host, pool_.file);
  if (!file) co_return tl::unexpected(file.error());
  for (const EnvoyMember& member : pool_.members) {
    if (const auto found = find_endpoint(file->text, pool_.cluster, member.endpoint); !found)
      co_return tl::unexpected(found.error());
    if (!seen->hosts.contains(member.endpoint))
      co_return fail(ErrorCode::not_found,
                     "Envoy's cluster " + pool_.cluster + " has no " + member.endpoint, {},
                     "does its eds_config name " + pool_.file + "?");
  }
  const auto checks = co_await has_checks(node);
  if (!checks) co_return tl::unexpected(checks.error());
  can->survives_lb_reload = can->survives_lb_restart = true;
  can->settle_ms = kSettleMs;
  can->checked_rejoin = can->checked_rejoin && *checks;
  if (node > 0) co_return Status{};
  if (!*checks) can->remarks.emplace_back("the cluster has no health checks: it gets work at once");
  can->remarks.push_back("with less than " + std::to_string(pool_.panic_percent) +
                         "% healthy endpoints Envoy sends to drained ones as well: a drain that "
                         "would get there is refused (panic_threshold)");
  can->remarks.emplace_back(
      "after a hot restart the sockets on the instance's port are counted until the process of "
      "before has ended; long connections over HTTP/2 or TCP keep a drained endpoint in use");
  co_return Status{};
}

Task<Status> Envoy::count_node(std::size_t node, ports::PoolCounters* counters) {
  const auto process = co_await server(node);
  if (!process) co_return tl::unexpected(process.error());
  const auto all = co_await stats(node);
  if (!all) co_return tl::unexpected(all.error());
  const auto stat = [&](const char* name) -> std::optional<std::int64_t> {
    const auto found = all->find(stat_prefix() + name);
    return found == all->end() ? std::nullopt : std::optional(found->second);
  };
  counters->epoch = epoch_of(node, *process);
  counters->requests = stat("upstream_rq_total");
  counters->responses_5xx = stat("upstream_rq_5xx");
  counters->connect_errors = stat("upstream_cx_connect_fail");
  counters->server_aborts = stat("upstream_cx_destroy_remote_with_active_rq");
  counters->response_errors = stat("upstream_rq_timeout");
  counters->retries = stat("upstream_rq_retry");
  counters->queued = stat("upstream_rq_pending_active");
  // One that never had such a response does not have the counter yet.
  if (counters->requests && !counters->responses_5xx) counters->responses_5xx = 0;
  co_return Status{};
}

}  // namespace
}  // namespace traffic

Status check_envoy(const EnvoyPool& pool) {
  if (auto ok = check_identifier(pool.cluster); !ok) return ok;
  if (auto ok = check_absolute_path(pool.file); !ok) return ok;
  if (!pool.file.ends_with(".json"))
    return fail(ErrorCode::invalid, escape_for_terminal(pool.file) + " is no .json file", pool.lb,
                "Envoy reads endpoints from JSON too: give it, and hitless, such a file");
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  for (const EnvoyNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    if (auto ok = traffic::check_node_url(node.url); !ok) return ok;
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_envoy(EnvoyPool pool) {
  return std::make_unique<traffic::Envoy>(std::move(pool));
}

ports::PrivilegedCommands envoy_commands(const std::string& file) {
  return traffic::node_file_commands(file);
}

}  // namespace hitless
