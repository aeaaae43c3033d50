#include "adapters/traffic/caddy.hpp"

#include <algorithm>

#include "adapters/traffic/caddy_reply.hpp"
#include "adapters/traffic/every_node.hpp"
#include "adapters/traffic/node_http.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;
using core::InstanceId;

constexpr int kEditTries = 5;  // while others edit the same list
constexpr int kHttpPreconditionFailed = 412;
constexpr DurationMs kSettleMs = 300;  // the old configuration's handlers finish their picks

struct Listed {
  CaddyUpstreams upstreams;
  std::string etag;
};

class Caddy final : public ports::Traffic {
 public:
  explicit Caddy(CaddyPool pool) : pool_(std::move(pool)), config_(check_caddy(pool_)) {}

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> names;
    for (const CaddyNode& node : pool_.nodes) names.push_back(node.name);
    return pool_at(pool_.id, names);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(InstanceId target) override { co_return co_await change(target, false); }
  Task<Status> rejoin(InstanceId target) override { co_return co_await change(target, true); }
  Task<Status> close_remaining(InstanceId) override {
    co_return fail(ErrorCode::refused, "Caddy cannot close one upstream's connections", pool_.lb,
                   "use on_deadline: abort or wait");
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    std::vector<ports::PoolCounters> none(pool_.nodes.size());
    for (std::size_t i = 0; i < none.size(); ++i) none[i].node = pool_.nodes[i].name;
    co_return none;
  }
  [[nodiscard]] bool has_counters() const override { return false; }

 private:
  using Node = const CaddyNode*;
  Task<Result<NodeReply>> call(Node node, std::vector<std::string> headers, std::string patch);
  Task<Result<Listed>> list(Node node);
  Task<void> read_node(Node node, std::vector<core::TargetReport>* out);
  Task<Status> change_node(Node node, std::string dial, bool in);
  Task<Status> change(InstanceId target, bool in);

  CaddyPool pool_;
  Status config_;
};

Task<Result<NodeReply>> Caddy::call(Node node, std::vector<std::string> headers,
                                    std::string patch) {
  if (!config_) co_return tl::unexpected(config_.error());
  NodeCall call;
  call.url = node->url + "/id/" + pool_.id + "/upstreams";
  call.headers = std::move(headers);
  call.timeout_ms = pool_.timeout_ms;
  if (!patch.empty()) call.method = "PATCH";
  call.body = std::move(patch);
  auto reply = co_await call_from(node->host, "Caddy's admin API", std::move(call));
  if (!reply && reply.error().where.empty()) reply.error().where = node->name;
  co_return reply;
}

Task<Result<Listed>> Caddy::list(Node node) {
  auto reply = co_await call(node, {}, {});
  if (!reply) co_return tl::unexpected(reply.error());
  if (reply->status != 200)
    co_return fail(
        ErrorCode::failed,
        fmt::format("its admin API answers {} for the handler `{}`: {}", reply->status, pool_.id,
                    escape_for_terminal(truncate_utf8(trim(reply->body), 120))),
        node->name, "give the reverse_proxy handler that \"@id\"");
  auto upstreams = parse_caddy_upstreams(reply->body);
  if (!upstreams) {
    upstreams.error().where = node->name;
    co_return tl::unexpected(upstreams.error());
  }
  co_return Listed{std::move(*upstreams), reply->etag};
}

Task<void> Caddy::read_node(Node node, std::vector<core::TargetReport>* out) {
  auto listed = co_await list(node);
  for (const CaddyMember& member : pool_.members) {
    core::TargetReport report;
    report.instance = member.instance;
    report.lb = pool_.lb;
    report.node = node->name;
    report.pool = pool_.id;
    if (listed) {
      const auto& dials = listed->upstreams.dials;
      const bool in = std::ranges::find(dials, member.dial) != dials.end();
      report.admin = in ? AdminState::ready : AdminState::drain;
      report.check = core::LbCheck::none;  // its health checks are not told over the API
      report.epoch = "caddy";
    } else {
      report.note = hitless::describe(listed.error());
    }
    out->push_back(std::move(report));
  }
}

Task<std::vector<core::TargetReport>> Caddy::read() {
  std::vector<std::vector<core::TargetReport>> by_node(pool_.nodes.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < by_node.size(); ++i)
    tasks.push_back(read_node(&pool_.nodes[i], &by_node[i]));
  co_await join_all(std::move(tasks));
  std::vector<core::TargetReport> known, all;
  for (auto& reports : by_node)
    for (core::TargetReport& report : reports)
      (report.admin == AdminState::unknown ? all : known).push_back(std::move(report));
  co_await count_host_sockets(pool_.sockets, &known);
  all.insert(all.end(), std::make_move_iterator(known.begin()),
             std::make_move_iterator(known.end()));
  co_return all;
}

Task<Status> Caddy::change_node(Node node, std::string dial, bool in) {
  for (int left = kEditTries;; --left) {
    auto listed = co_await list(node);
    if (!listed) co_return tl::unexpected(listed.error());
    const CaddyUpstreams& now = listed->upstreams;
    const auto count = std::ranges::count(now.dials, dial);
    if (in ? count > 0 : count == 0) co_return Status{};
    if (!in && std::ranges::find(now.with_settings, dial) != now.with_settings.end())
      co_return fail(ErrorCode::refused,
                     escape_for_terminal(dial) + " has settings of its own, which would be lost",
                     node->name, "move them to the handler");
    if (!in && static_cast<std::size_t>(count) == now.dials.size())
      co_return fail(ErrorCode::refused,
                     "handler " + pool_.id +
                         " would have no upstream left: every request would "
                         "get 503",
                     node->name);
    if (listed->etag.empty())
      co_return fail(ErrorCode::refused, "its admin API gives no ETag, so an edit is not safe",
                     node->name, "Caddy 2.5.2 or later is needed");
    std::vector<std::string> headers = {"Content-Type: application/json",
                                        "If-Match: " + listed->etag};
    std::string body = in ? with_dial(now, dial) : without_dial(now, dial);
    auto reply = co_await call(node, std::move(headers), std::move(body));
    if (!reply) co_return tl::unexpected(reply.error());
    if (reply->status != 200 && (reply->status != kHttpPreconditionFailed || left <= 1))
      co_return fail(ErrorCode::failed,
                     fmt::format("its admin API answers {}: {}", reply->status,
                                 escape_for_terminal(truncate_utf8(trim(reply->body), 160))),
                     node->name);
    if (left <= 1)
      co_return fail(ErrorCode::failed, "the change of its upstreams does not last", node->name,
                     "does something else write Caddy's configuration?");
  }
}

Task<Status> Caddy::change(InstanceId target, bool in) {
  if (!config_) co_return config_;
  const auto member = std::ranges::find(pool_.members, target, &CaddyMember::instance);
  if (member == pool_.members.end()) co_return not_in_pool(target, describe());
  for (const CaddyNode& node : pool_.nodes)
    if (auto ok = co_await change_node(&node, member->dial, in); !ok) co_return ok;
  co_return Status{};
}

Task<Result<ports::TrafficCapabilities>> Caddy::capabilities() {
  if (!config_) co_return tl::unexpected(config_.error());
  ports::TrafficCapabilities can;
  can.exact_in_flight = can.checked_rejoin = can.counts_requests = can.tells_foreign = false;
  can.counts_idle = true;
  can.settle_ms = kSettleMs;
  for (const CaddyNode& node : pool_.nodes) {
    auto listed = co_await list(&node);
    if (!listed) co_return tl::unexpected(listed.error());
    const auto& dials = listed->upstreams.dials;
    const bool any = std::ranges::any_of(pool_.members, [&](const CaddyMember& member) {
      return std::ranges::find(dials, member.dial) != dials.end();
    });
    if (!any)
      co_return fail(ErrorCode::not_found,
                     "none of the instances is an upstream of `" + pool_.id + "`; it has " +
                         escape_for_terminal(join(dials, ", ")),
                     node.name, "write `dial:` as it stands there");
  }
  can.remarks = {
      kHostSocketsRemark,
      "each drain and each rejoin loads Caddy's configuration anew: WebSockets to any upstream are "
      "closed then, unless stream_close_delay is set",
      "Caddy does not tell whose hand took an upstream out, nor requests and errors of one: live "
      "traffic after the rejoin is not seen, and no certificate is given",
      "a drain is gone after `caddy reload` from a file or a restart without --resume; it is set "
      "again when that is seen"};
  co_return can;
}

}  // namespace
}  // namespace traffic

Status check_caddy(const CaddyPool& pool) {
  if (auto ok = check_identifier(pool.id); !ok) return ok;
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  for (const CaddyNode& node : pool.nodes) {
    if (auto ok = check_identifier(node.name); !ok) return ok;
    if (auto ok = traffic::check_node_url(node.url); !ok) {
      ok.error().where = node.name;
      return ok;
    }
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_caddy(CaddyPool pool) {
  return std::make_unique<traffic::Caddy>(std::move(pool));
}

}  // namespace hitless
