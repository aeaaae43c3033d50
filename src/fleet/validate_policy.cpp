// Policies that can never work, found before anything is touched.
#include <fmt/format.h>

#include "base/time.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

class PolicyValidator {
 public:
  PolicyValidator(const LoadContext& context, const Service& service)
      : context_(context),
        service_(service),
        policy_(service.policy),
        instances_(context.instances_of(service).value_or(0)) {}

  void run() {
    if (instances_ > 0) capacity();
    if (service_.health)
      health();
    else
      no_health();
    phases();
  }

 private:
  [[nodiscard]] Span at(const LoadContext::Path& below) const {
    LoadContext::Path path{"services", service_.name, "policy"};
    path.insert(path.end(), below.begin(), below.end());
    return context_.place(path);
  }
  // Whether the file says it itself; then a default cannot be what is wrong.
  [[nodiscard]] bool written(std::initializer_list<const char*> below) const {
    const Node* node = context_.root.find("services");
    if (node != nullptr) node = node->find(service_.name);
    if (node != nullptr) node = node->find("policy");
    for (const char* key : below)
      if (node != nullptr) node = node->find(key);
    return node != nullptr;
  }

  void capacity() {
    if (policy_.floor >= instances_) {
      auto& d = context_.error("HL0301", at({"floor"}),
                               fmt::format("floor {} of {}: no instance may ever be taken out",
                                           policy_.floor, instances_),
                               "can never be kept");
      d.notes.push_back(fmt::format("`{}` has {} instance{}", service_.name, instances_,
                                    instances_ == 1 ? "" : "s"));
      d.help = instances_ > 1 ? fmt::format("floor: {} or less", instances_ - 1)
                              : "add an instance, or accept an outage with floor: 0";
      return;
    }
    const bool said = written({"floor"}) || !service_.pools.empty();
    if (policy_.floor == 0 && said && !clients_wait()) no_floor();
    if (policy_.at_once > instances_ - policy_.floor) {
      auto& d = context_.error(
          "HL0303", at({"at_once"}),
          fmt::format("at_once {} with floor {} of {}: only {} may be out at a time",
                      policy_.at_once, policy_.floor, instances_, instances_ - policy_.floor),
          fmt::format("at most {}", instances_ - policy_.floor));
      d.help = "lower at_once or the floor, or write at_once: auto";
    }
  }

  // Behind PgBouncer nobody is turned away while nothing is in rotation: clients queue, and the
  // plan says for how long at most.
  [[nodiscard]] bool clients_wait() const {
    return !service_.pools.empty() && std::ranges::all_of(service_.pools, [&](const PoolRef& pool) {
      const LoadBalancer* lb = context_.fleet.load_balancer(pool.lb);
      return lb != nullptr && lb->kind == LbKind::pgbouncer;
    });
  }

  void no_floor() {
    auto& d = context_.warning(
        "HL0302", at({"floor"}),
        instances_ == 1
            ? fmt::format("`{}` has one instance: it will be away while it restarts", service_.name)
            : "floor 0: all instances may be out at the same time",
        "no capacity is kept");
    d.notes.emplace_back("with nothing in rotation the load balancer answers 503");
  }

  void health() {
    const HealthCheck& check = *service_.health;
    const DurationMs needed = check.interval_ms * check.rise;
    if (needed > policy_.verify.deadline_ms) {
      auto& d = context_.error(
          "HL0304", at({"verify", "deadline"}),
          fmt::format("{} passes every {} take {}, but verify.deadline is {}", check.rise,
                      format_duration(check.interval_ms), format_duration(needed),
                      format_duration(policy_.verify.deadline_ms)),
          "can never be met");
      d.help = "raise policy.verify.deadline, or lower health.rise or health.interval";
    }
  }

  void no_health() {
    auto& d =
        context_.warning("HL0310", context_.place({"services", service_.name}),
                         fmt::format("`{}` has no health check", service_.name), "add health:");
    d.notes.emplace_back(service_.pools.empty()
                             ? "nothing tells whether it works after a restart"
                             : "only the load balancer's own check tells whether it works");
  }

  void phases() {
    const auto& verify = policy_.verify;
    if (verify.stability_ms >= verify.deadline_ms)
      context_.error(
          "HL0305", at({"verify", "stability"}),
          fmt::format("stability {} does not fit into verify.deadline {}",
                      format_duration(verify.stability_ms), format_duration(verify.deadline_ms)),
          "can never be met");
    if (written({"verify", "grace"}) && verify.grace_ms > verify.deadline_ms)
      context_.warning(
          "HL0308", at({"verify", "grace"}),
          fmt::format("grace {} is longer than verify.deadline {}",
                      format_duration(verify.grace_ms), format_duration(verify.deadline_ms)),
          "the deadline comes first");
    const auto& drain = policy_.drain;
    if (drain.quiet_ms + drain.settle_ms >= drain.deadline_ms &&
        drain.on_deadline != OnDeadline::wait)
      context_.error("HL0305", at({"drain", "deadline"}),
                     fmt::format("quiet {} and settle {} do not fit into drain.deadline {}",
                                 format_duration(drain.quiet_ms), format_duration(drain.settle_ms),
                                 format_duration(drain.deadline_ms)),
                     "can never be met");
  }

  const LoadContext& context_;
  const Service& service_;
  const Policy& policy_;
  std::int64_t instances_;
};

}  // namespace

void validate_policies(const LoadContext& context) {
  for (const auto& [name, service] : context.fleet.services)
    PolicyValidator(context, service).run();
}

}  // namespace hitless::fleet
