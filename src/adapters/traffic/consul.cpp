#include "adapters/traffic/consul.hpp"

#include <algorithm>

#include "adapters/traffic/consul_reply.hpp"
#include "adapters/traffic/every_node.hpp"
#include "adapters/traffic/node_http.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr std::string_view kReason = "drained by hitless";  // begins the reason of ours
                                                            // from the agent to the servers
constexpr DurationMs kSpreadPollMs = 100;

struct Seen {
  ConsulChecks checks;
  ConsulOffer offer;
};

class Consul final : public ports::Traffic {
 public:
  explicit Consul(ConsulPool pool) : pool_(std::move(pool)), config_(check_consul(pool_)) {}

  [[nodiscard]] std::string describe() const override {
    return escape_for_terminal(pool_.service + " @ " + pool_.lb);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override { return change(std::move(target), false); }
  Task<Status> rejoin(core::InstanceId target) override { return change(std::move(target), true); }
  Task<Status> close_remaining(core::InstanceId) override {
    co_return fail(ErrorCode::refused, "Consul carries no traffic that it could cut off", pool_.lb,
                   "use on_deadline: abort or wait");
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return std::vector<ports::PoolCounters>{};
  }
  [[nodiscard]] bool has_counters() const override { return false; }

 private:
  using Member = const ConsulMember*;
  Task<Result<std::string>> call(Member member, const char* method, std::string path);
  Task<Result<Seen>> look(Member member);
  Task<core::TargetReport> read_one(Member member);
  Task<Status> change(core::InstanceId target, bool in);
  Task<Status> spread(Member member, bool in);

  ConsulPool pool_;
  Status config_;
};

Task<Result<std::string>> Consul::call(Member member, const char* method, std::string path) {
  NodeCall call;
  call.method = method;
  call.url = pool_.url + path;
  call.timeout_ms = pool_.timeout_ms;
  if (pool_.token) {
    auto token = pool_.token();
    if (!token) co_return tl::unexpected(token.error());
    call.secret_header = "X-Consul-Token: " + *token;
  }
  auto reply = co_await call_from(member->host, "Consul's agent", call);
  Error error;
  if (!reply) {
    error = reply.error();
  } else if (reply->status == 200) {
    co_return std::move(reply->body);
  } else {
    error = {reply->status == 404 ? ErrorCode::not_found : ErrorCode::failed,
             "Consul's agent answers " + std::to_string(reply->status) + ": " + shown(reply->body),
             {},
             reply->status == 403 ? "the token needs service:write and node:read" : ""};
  }
  if (error.where.empty()) error.where = member->host->name();
  co_return tl::unexpected(std::move(error));
}

Task<Result<Seen>> Consul::look(Member member) {
  if (!config_) co_return tl::unexpected(config_.error());
  Seen seen;
  auto text = co_await call(member, "GET", "/v1/agent/checks");
  if (!text) co_return tl::unexpected(text.error());
  auto checks = parse_consul_checks(*text, member->service_id);
  if (!checks) co_return tl::unexpected(checks.error());
  seen.checks = std::move(*checks);
  text = co_await call(member, "GET", "/v1/agent/self");
  if (!text) co_return tl::unexpected(text.error());
  const auto node = parse_consul_node(*text);
  if (!node) co_return tl::unexpected(node.error());
  text = co_await call(member, "GET", "/v1/health/service/" + pool_.service);
  if (!text) co_return tl::unexpected(text.error());
  const auto offer = parse_consul_health(*text, member->service_id, *node);
  if (!offer) co_return tl::unexpected(offer.error());
  seen.offer = *offer;
  co_return seen;
}

Task<core::TargetReport> Consul::read_one(Member member) {
  core::TargetReport out;
  out.instance = member->instance;
  out.lb = pool_.lb;
  out.pool = pool_.service;
  out.node = member->host->name();
  const auto seen = co_await look(member);
  if (!seen) {
    out.note = hitless::describe(seen.error());
    co_return out;
  }
  if (!seen->offer.known) {
    out.admin = AdminState::absent;
    out.note = "the catalogue has no " + member->service_id + " of " + pool_.service + " there";
    co_return out;
  }
  const auto& reason = seen->checks.maintenance;
  out.check = seen->checks.failing > 0   ? core::LbCheck::fail
              : seen->checks.others == 0 ? core::LbCheck::none
                                         : core::LbCheck::pass;
  out.epoch = "consul";
  if (!reason && !seen->checks.of_node) {
    out.admin = AdminState::ready;
  } else if (seen->offer.passing) {
    out.admin = AdminState::ready;
    out.note = "in maintenance, but the catalogue still gives it as passing";
  } else {
    const bool ours = reason && reason->starts_with(kReason) && !seen->checks.of_node;
    out.admin = ours ? AdminState::drain : AdminState::maint;
    if (!ours) out.note = "in maintenance by somebody else: " + shown(reason.value_or("its node"));
  }
  co_return out;
}

Task<std::vector<core::TargetReport>> Consul::read() {
  std::vector<Task<core::TargetReport>> reads;
  std::vector<InstanceSockets> sockets;
  for (const ConsulMember& member : pool_.members) reads.push_back(read_one(&member));
  auto all = co_await all_of(std::move(reads));
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].admin != AdminState::unknown && all[i].admin != AdminState::absent)
      sockets.push_back({all[i].instance, pool_.members[i].host, pool_.members[i].port});
  std::vector<core::TargetReport> known, rest;
  for (core::TargetReport& report : all) {
    const bool counts =
        std::ranges::find(sockets, report.instance, &InstanceSockets::instance) != sockets.end();
    (counts ? known : rest).push_back(std::move(report));
  }
  co_await count_host_sockets(std::move(sockets), &known);
  rest.insert(rest.end(), std::make_move_iterator(known.begin()),
              std::make_move_iterator(known.end()));
  co_return rest;
}

// The agent tells the servers; until the catalogue says so too, it is not done. Whether it passes
// after a rejoin is up to its checks.
Task<Status> Consul::spread(Member member, bool in) {
  const DurationMs end = steady_now_ms() + pool_.spread_ms;
  for (;;) {
    const auto seen = co_await look(member);
    if (!seen) co_return tl::unexpected(seen.error());
    const bool told = seen->checks.maintenance.has_value() != in;
    const bool done = told && (in ? seen->offer.passing || seen->checks.failing > 0
                                  : seen->offer.known && !seen->offer.passing);
    if (done) co_return Status{};
    if (steady_now_ms() >= end)
      co_return fail(ErrorCode::failed,
                     std::string("the catalogue ") + (in ? "does not give " : "still gives ") +
                         member->service_id + " as passing",
                     member->host->name(), "does that agent reach Consul's servers?");
    co_await sleep_for(kSpreadPollMs);
  }
}

Task<Status> Consul::change(core::InstanceId target, bool in) {
  if (!config_) co_return config_;
  const auto found = std::ranges::find(pool_.members, target, &ConsulMember::instance);
  if (found == pool_.members.end()) co_return not_in_pool(target, describe());
  const Member member = &*found;
  const auto seen = co_await look(member);
  if (!seen) co_return tl::unexpected(seen.error());
  if (!seen->offer.known)
    co_return fail(ErrorCode::failed, "the catalogue has no " + member->service_id,
                   member->host->name());
  const auto& reason = seen->checks.maintenance;
  if (in && (seen->checks.of_node || (reason && !reason->starts_with(kReason))))
    co_return fail(ErrorCode::refused,
                   member->service_id + " is not ours to put back: " +
                       (seen->checks.of_node ? std::string("its node is in maintenance")
                                             : "in maintenance for `" + shown(*reason) + "`"),
                   member->host->name(), "whoever took it out must put it back");
  if (in ? reason.has_value() : !reason && !seen->checks.of_node) {
    const std::string path = "/v1/agent/service/maintenance/" + member->service_id;
    auto told =
        co_await call(member, "PUT",
                      path + (in ? "?enable=false" : "?enable=true&reason=drained%20by%20hitless"));
    if (!told) co_return tl::unexpected(told.error());
  }
  if (!in && seen->checks.of_node) co_return Status{};
  co_return co_await spread(member, in);
}

Task<Result<ports::TrafficCapabilities>> Consul::capabilities() {
  ports::TrafficCapabilities can;
  can.exact_in_flight = can.counts_requests = false;
  can.counts_idle = can.survives_lb_reload = can.survives_lb_restart = true;
  can.settle_ms = pool_.settle_ms;
  for (const ConsulMember& member : pool_.members) {
    const auto seen = co_await look(&member);
    if (!seen) co_return tl::unexpected(seen.error());
    if (!seen->offer.known)
      co_return fail(ErrorCode::not_found,
                     "the catalogue has no instance " + member.service_id + " of service " +
                         pool_.service + " on that agent's node",
                     member.host->name(), "see `consul catalog services`, and `service_id:`");
    can.checked_rejoin = can.checked_rejoin && seen->checks.others > 0;
  }
  can.remarks = {
      "those who look up the service notice maintenance as late as they look (DNS caches): work "
      "may "
      "arrive for " +
          format_duration(pool_.settle_ms) + " (settle)",
      kHostSocketsRemark,
      "Consul carries no traffic: no requests and errors are counted, and no certificate is given"};
  if (!can.checked_rejoin)
    can.remarks.emplace_back("an instance has no check: it gets work at once when it is back");
  co_return can;
}

}  // namespace
}  // namespace traffic

Status check_consul(const ConsulPool& pool) {
  if (auto ok = check_identifier(pool.service); !ok) return ok;
  if (auto ok = traffic::check_node_url(pool.url); !ok) return ok;
  for (const ConsulMember& member : pool.members) {
    if (auto ok = check_identifier(member.service_id); !ok) return ok;
    if (member.host == nullptr)
      return fail(ErrorCode::internal, "no host to ask its agent from", member.instance.value);
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_consul(ConsulPool pool) {
  return std::make_unique<traffic::Consul>(std::move(pool));
}

}  // namespace hitless
