#include "adapters/traffic/elbv2.hpp"

#include "adapters/traffic/elbv2_capabilities.hpp"
#include "adapters/traffic/elbv2_counters.hpp"
#include "adapters/traffic/elbv2_group.hpp"
#include "adapters/traffic/elbv2_scaling.hpp"
#include "base/text.hpp"

namespace hitless {
namespace elbv2 {
namespace {

// After a change AWS may answer with what was before for a moment.
constexpr DurationMs kReadBackMs = 10'000, kReadBackStepMs = 500;

class Elbv2 final : public ports::Traffic {
 public:
  explicit Elbv2(Elbv2Pool pool)
      : pool_(std::move(pool)), config_(check_elbv2(pool_)), group_(&pool_) {}

  [[nodiscard]] std::string describe() const override {
    return escape_for_terminal(group_.name() + " @ " + pool_.lb);
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override;
  Task<Status> rejoin(core::InstanceId target) override;
  Task<Status> close_remaining(core::InstanceId target) override;
  Task<std::vector<ports::PoolCounters>> counters() override;
  [[nodiscard]] bool has_counters() const override { return pool_.cloudwatch; }
  [[nodiscard]] DurationMs counter_lag_ms() const override {
    return pool_.cloudwatch ? CloudWatch::lag_ms(pool_.counter_period_ms) : 0;
  }
  void expire() override { group_.expire(); }

 private:
  using Keys = std::vector<TargetKey>;
  Task<Status> wait_until(core::InstanceId target, Presence wanted);
  Task<Status> keep_from_replacing(Keys keys);
  [[nodiscard]] Error placed(Error error) const {
    if (error.where.empty()) error.where = describe();
    return error;
  }

  Elbv2Pool pool_;
  Status config_;
  Group group_;
  bool may_ask_scaling_ = true;
  AsyncMutex changing_;                     // the guard looks and tells in one go
  std::map<core::InstanceId, Keys> taken_;  // what rejoin restores, when this process took it out
  CloudWatch cloudwatch_;
};

Task<Result<ports::TrafficCapabilities>> Elbv2::capabilities() {
  if (!config_) co_return tl::unexpected(config_.error());
  auto found = co_await find_capabilities(&group_, &pool_);
  if (!found) co_return tl::unexpected(placed(found.error()));
  co_return found;
}

Task<std::vector<core::TargetReport>> Elbv2::read() {
  Result<std::vector<TargetHealth>> health = fail(ErrorCode::invalid, "not asked");
  if (config_) {
    health = co_await group_.health();
  } else {
    health = tl::unexpected(config_.error());
  }
  std::vector<core::TargetReport> all;
  if (health) {
    for (const Member& member : group_.members())
      for (core::TargetReport& report : make_reports(*health, member, group_.name()))
        all.push_back(std::move(report));
  } else {
    // What AWS does not know, or the fleet file has wrong, does not come right by asking again.
    const ErrorCode code = health.error().code;
    const bool wrong = code == ErrorCode::not_found || code == ErrorCode::invalid;
    for (const Elbv2Target& target : pool_.targets) {
      core::TargetReport& report = all.emplace_back();
      report.instance = target.instance;
      report.pool = group_.name();
      report.uncounted = true;
      if (wrong) report.admin = core::AdminState::absent;
      report.note = hitless::describe(health.error());
    }
  }
  for (core::TargetReport& report : all) report.lb = report.node = pool_.lb;
  co_return all;
}

// Every registration of the instance has that presence; `gone` will do for `leaving`.
bool all_are(const std::vector<TargetHealth>& health, const std::vector<Member>& members,
             Presence wanted) {
  for (const Member& member : members) {
    const auto entries = entries_of(health, member);
    if (entries.empty() && wanted == Presence::in) return false;
    for (const TargetHealth* each : entries) {
      const Presence is = read_standing(*each).presence;
      if (is != wanted && !(wanted == Presence::leaving && is == Presence::gone)) return false;
    }
  }
  return true;
}

Task<Status> Elbv2::wait_until(core::InstanceId target, Presence wanted) {
  const DurationMs end = steady_now_ms() + kReadBackMs;
  for (;;) {
    auto health = co_await group_.health_now();
    if (!health) co_return tl::unexpected(placed(health.error()));
    if (all_are(*health, group_.members_of(target), wanted)) co_return Status{};
    if (steady_now_ms() >= end) {
      co_return fail(ErrorCode::failed,
                     escape_for_terminal(target.value) + " does not read back as " +
                         (wanted == Presence::in ? "registered" : "deregistered"),
                     describe(), "is somebody else (an Auto Scaling group?) changing it back?");
    }
    co_await sleep_for(std::min(kReadBackStepMs, pool_.poll_ms));
  }
}

// Looked at again at each drain, as somebody may have resumed the group; what cannot be asked is in
// the plan's remarks, and is not waited for a second time.
Task<Status> Elbv2::keep_from_replacing(Keys keys) {
  if (!may_ask_scaling_) co_return Status{};
  std::vector<std::string> ids;
  for (const TargetKey& key : keys) ids.push_back(key.id);
  const Scaling scaling = co_await read_scaling(pool_.account, std::move(ids));
  may_ask_scaling_ = scaling.unknown.empty();
  if (scaling.replaces.empty()) co_return Status{};
  co_return fail(ErrorCode::refused, scaling.replaces.begin()->second, describe(), scaling_help);
}

Task<Status> Elbv2::drain(core::InstanceId target) {
  if (!config_) co_return config_;
  const AsyncMutex::Guard lock = co_await changing_.lock();
  auto health = co_await group_.health_now();
  if (!health) co_return tl::unexpected(placed(health.error()));
  if (auto known = group_.member(target); !known) co_return tl::unexpected(known.error());
  auto elb = co_await group_.link();
  if (!elb) co_return tl::unexpected(elb.error());
  Keys keys;
  for (const Member& member : group_.members_of(target)) {
    std::vector<const TargetHealth*> serving;
    for (const TargetHealth* each : entries_of(*health, member)) {
      const Standing standing = read_standing(*each);
      if (standing.presence == Presence::misconfigured || standing.presence == Presence::unknown)
        co_return fail(ErrorCode::refused, standing.note, describe());
      if (standing.presence == Presence::in) serving.push_back(each);
    }
    if (serving.empty()) continue;
    if (const std::string why = why_not_restorable(serving, member, group_.group()); !why.empty())
      co_return fail(ErrorCode::refused, why, describe());
    for (const TargetHealth* each : serving) keys.push_back(each->key);
  }
  if (keys.empty()) co_return Status{};  // it is out already
  auto attributes = co_await read_attributes(*elb, group_.group().arn);
  if (!attributes) co_return tl::unexpected(placed(attributes.error().error));
  const auto members = group_.members_of(target);
  if (const std::string why = why_fails_open(*health, members, *attributes); !why.empty())
    co_return fail(ErrorCode::refused, why, describe(), "wait until more targets are healthy");
  if (auto ok = co_await keep_from_replacing(keys); !ok) co_return ok;
  // Remembered before it is told: what comes after may be lost.
  for (const TargetKey& key : keys)
    if (std::ranges::find(taken_[target], key) == taken_[target].end())
      taken_[target].push_back(key);
  group_.expire();
  auto told = co_await deregister(*elb, group_.group().arn, keys);
  // "InvalidTarget": it is not registered any more. What counts is what is read back.
  if (!told && told.error().code != "InvalidTarget")
    co_return tl::unexpected(placed(told.error().error));
  co_return co_await wait_until(target, Presence::leaving);
}

Task<Status> Elbv2::rejoin(core::InstanceId target) {
  if (!config_) co_return config_;
  const AsyncMutex::Guard lock = co_await changing_.lock();
  auto health = co_await group_.health_now();
  if (!health) co_return tl::unexpected(placed(health.error()));
  if (auto known = group_.member(target); !known) co_return tl::unexpected(known.error());
  Keys keys;
  for (const Member& member : group_.members_of(target)) {
    bool is_in = false;
    Keys left;
    for (const TargetHealth* each : entries_of(*health, member)) {
      const Standing standing = read_standing(*each);
      if (standing.presence == Presence::misconfigured)
        co_return fail(ErrorCode::refused, standing.note, describe());
      is_in |= standing.presence == Presence::in;
      if (standing.presence == Presence::leaving) left.push_back(each->key);
    }
    if (is_in) continue;
    if (left.empty()) left.push_back(key_from_fleet_file(member, group_.group()));
    keys.insert(keys.end(), left.begin(), left.end());
  }
  if (keys.empty()) co_return Status{};  // it is in already
  if (const auto it = taken_.find(target); it != taken_.end()) keys = it->second;
  // A zone that AWS found by itself is not to be named again; only "all" was said by somebody.
  for (TargetKey& key : keys)
    if (key.zone != "all") key.zone = group_.member(target)->zone;
  auto elb = co_await group_.link();
  if (!elb) co_return tl::unexpected(elb.error());
  group_.expire();
  auto told = co_await register_again(*elb, group_.group().arn, keys);
  if (!told) co_return tl::unexpected(placed(told.error().error));
  Status back = co_await wait_until(target, Presence::in);
  if (back) taken_.erase(target);
  co_return back;
}

Task<Status> Elbv2::close_remaining(core::InstanceId target) {
  co_return fail(ErrorCode::refused,
                 "AWS cannot cut off the rest at " + escape_for_terminal(target.value) +
                     "; it does so by itself when the deregistration delay ends",
                 describe(), "use `on_deadline: abort` or `wait`, or a longer drain deadline");
}

Task<std::vector<ports::PoolCounters>> Elbv2::counters() {
  std::vector<ports::PoolCounters> all;
  if (!pool_.cloudwatch || !config_) co_return all;
  ports::PoolCounters counters;
  counters.node = pool_.lb;
  if (auto ready = co_await group_.ready(); !ready) {
    counters.problem = hitless::describe(ready.error());
  } else if (auto link = co_await pool_.account->client(aws::kCloudWatch); !link) {
    counters.problem = hitless::describe(link.error());
  } else {
    counters = co_await cloudwatch_.read(*link, group_.group(), pool_.counter_period_ms);
    counters.node = pool_.lb;
  }
  all.push_back(std::move(counters));
  co_return all;
}

}  // namespace
}  // namespace elbv2

Status check_elbv2(const Elbv2Pool& pool) {
  const auto bad = [&](const std::string& what) {
    return fail(ErrorCode::invalid, what, escape_for_terminal(pool.lb));
  };
  if (pool.account == nullptr) return bad("no AWS account");
  if (pool.group.empty() || pool.group.size() > 512) return bad("this is no target group");
  if (pool.targets.empty()) return bad("no targets");
  for (const Elbv2Target& target : pool.targets) {
    const bool tag = target.target.starts_with("tag:") && target.target.find('=') > 4 &&
                     target.target.find('=') != std::string::npos;
    if (!target.target.empty() && !tag && !elbv2::is_instance_id(target.target) &&
        !elbv2::is_ip_address(target.target))
      return bad("this is no target: " + escape_for_terminal(truncate_utf8(target.target, 80)));
  }
  return {};
}

std::unique_ptr<ports::Traffic> make_elbv2(Elbv2Pool pool) {
  return std::make_unique<elbv2::Elbv2>(std::move(pool));
}

}  // namespace hitless
