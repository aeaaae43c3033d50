#include "adapters/traffic/elbv2_group.hpp"

#include <boost/asio/ip/address.hpp>

#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

// A reading must come within the engine's three seconds.
constexpr aws::CallLimits kReadLimits{2'500, 2'500, 1};
constexpr aws::CallLimits kChangeLimits{12'000, 4'000, 3};
constexpr int kPollsToStand = 3;  // an answer stands so many polls without another
constexpr DurationMs kLongestBackOffMs = 60'000;
constexpr DurationMs kLeastGapMs = 100;

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 120));
}

}  // namespace

bool is_instance_id(const std::string& text) {
  return text.starts_with("i-") && text.size() >= 10 && text.size() <= 19 &&
         text.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
}

bool is_ip_address(const std::string& text) {
  boost::system::error_code error;
  (void)boost::asio::ip::make_address(text, error);
  return !error;
}

std::string Group::name() const {
  if (!is_arn(pool_->group)) return pool_->group;
  const std::size_t from = pool_->group.find("targetgroup/");
  if (from == std::string::npos) return pool_->group;
  const std::string rest = pool_->group.substr(from + 12);
  return rest.substr(0, rest.find('/'));
}

Task<Result<Link>> Group::link() {
  co_return co_await pool_->account->client(aws::kElbv2);
}

Task<Status> Group::prepare(aws::CallLimits limits) {
  if (group_ && resolved_) co_return Status{};
  if (!group_) {
    auto elb = co_await link();
    if (!elb) co_return tl::unexpected(elb.error());
    auto found = co_await find_group(*elb, pool_->group, limits);
    if (!found) {
      Error error = found.error().error;
      if (found.error().code == "TargetGroupNotFound")
        error.help =
            "compare `target_group:`, region and account with `aws elbv2 "
            "describe-target-groups`";
      co_return tl::unexpected(std::move(error));
    }
    if (found->type != "instance" && found->type != "ip")
      co_return fail(ErrorCode::invalid, "target group " + name() + " is of type " +
                                             shown(found->type) + "; instance or ip is needed");
    if (found->protocol == "GENEVE")
      co_return fail(ErrorCode::invalid,
                     "target group " + name() + " is of a gateway load balancer");
    group_ = std::move(*found);
  }
  co_return co_await resolve();
}

Task<Status> Group::resolve() {
  members_.clear();
  std::vector<std::size_t> by_address, by_name;
  std::map<std::string, std::vector<std::size_t>> by_tag;
  const bool wants_ip = group_->type == "ip";
  for (const Elbv2Target& target : pool_->targets) {
    Member member{target.instance, target.target, target.port.value_or(0), target.zone};
    const std::size_t index = members_.size();
    if (target.target.starts_with("tag:")) {
      by_tag[target.target.substr(4, target.target.find('=') - 4)].push_back(index);
    } else if (target.target.empty() && wants_ip && is_ip_address(target.address)) {
      member.id = target.address;
    } else if (target.target.empty() && is_ip_address(target.address)) {
      by_address.push_back(index);
    } else if (target.target.empty()) {
      by_name.push_back(index);
    } else if (is_ip_address(target.target) != wants_ip) {
      co_return fail(ErrorCode::invalid, "target group " + name() + " is of type " + group_->type +
                                             ", but " + target.instance.value + " is given as " +
                                             shown(target.target));
    }
    members_.push_back(std::move(member));
  }
  if (!by_address.empty()) {
    auto ok = co_await resolve_by("network-interface.addresses.private-ip-address", by_address);
    if (!ok) co_return ok;
  }
  if (!by_name.empty()) {
    if (auto ok = co_await resolve_by("tag:Name", by_name); !ok) co_return ok;
  }
  for (const auto& [key, which] : by_tag)
    if (auto ok = co_await resolve_by("tag:" + key, which); !ok) co_return ok;
  resolved_ = true;
  co_return Status{};
}

Task<Status> Group::resolve_by(std::string filter, std::vector<std::size_t> which) {
  auto ec2 = co_await pool_->account->client(aws::kEc2);
  if (!ec2) co_return tl::unexpected(ec2.error());
  const bool tagged = filter.starts_with("tag:");
  std::vector<std::string> values;
  for (const std::size_t index : which) {
    const Elbv2Target& target = pool_->targets[index];
    if (!tagged) {
      values.push_back(target.address);
    } else {
      values.push_back(target.target.empty() ? target.host
                                             : target.target.substr(target.target.find('=') + 1));
    }
  }
  auto all = co_await find_instances(*ec2, filter, values);
  if (!all) co_return tl::unexpected(all.error().error);
  for (std::size_t i = 0; i < which.size(); ++i) {
    std::vector<const FoundInstance*> found;
    for (const FoundInstance& each : *all) {
      const auto tag = tagged ? each.tags.find(filter.substr(4)) : each.tags.end();
      const bool fits = tagged
                            ? tag != each.tags.end() && tag->second == values[i]
                            : std::ranges::find(each.addresses, values[i]) != each.addresses.end();
      if (fits) found.push_back(&each);
    }
    if (auto ok = take(which[i], filter + " = " + values[i], found); !ok) co_return ok;
  }
  co_return Status{};
}

Status Group::take(std::size_t index, const std::string& what,
                   const std::vector<const FoundInstance*>& found) {
  Member& member = members_[index];
  if (found.size() != 1) {
    std::string ids;
    for (const FoundInstance* each : found) ids += (ids.empty() ? ": " : ", ") + shown(each->id);
    return fail(ErrorCode::not_found,
                fmt::format("{} EC2 instances have {}{}", found.size(), shown(what), ids),
                member.instance.value, "say which it is: `target: i-…` in the pool");
  }
  if (group_->type == "instance") {
    member.id = found.front()->id;
  } else {
    member.id = found.front()->addresses.front();  // the primary one
  }
  if (member.id.empty())
    return fail(ErrorCode::not_found, "its EC2 instance has no private address",
                member.instance.value);
  return {};
}

Result<Member> Group::member(const core::InstanceId& instance) const {
  for (const Member& each : members_)
    if (each.instance == instance) return each;
  return fail(ErrorCode::not_found, escape_for_terminal(instance.value) + " is not in " + name());
}

std::vector<Member> Group::members_of(const core::InstanceId& instance) const {
  std::vector<Member> mine;
  for (const Member& each : members_)
    if (each.instance == instance) mine.push_back(each);
  return mine;
}

// What was asked earlier must not replace what was asked later, though it came in after it.
void Group::keep(std::vector<TargetHealth> health, TimeMs asked_at) {
  if (kept_ && asked_at < kept_asked_at_) return;
  kept_ = std::move(health);
  kept_asked_at_ = asked_at;
  kept_at_ = steady_now_ms();
  fresh_until_ = kept_at_ + pool_->poll_ms;
  not_before_ = 0;
  failures_ = 0;
  last_error_.reset();
}

void Group::back_off(bool throttled) {
  failures_ = std::min(failures_ + 1, 6);
  const DurationMs pause =
      throttled ? pool_->poll_ms * (DurationMs{1} << failures_) : pool_->poll_ms;
  not_before_ = steady_now_ms() + std::clamp(pause, kLeastGapMs, kLongestBackOffMs);
}

Task<Result<std::vector<TargetHealth>>> Group::health() {
  const AsyncMutex::Guard lock = co_await one_at_a_time_.lock();
  const TimeMs now = steady_now_ms();
  if (kept_ && now < fresh_until_) co_return *kept_;
  if (now >= not_before_) {
    Status ready = co_await prepare(kReadLimits);
    auto elb = co_await link();
    if (ready && elb) {
      const TimeMs asked_at = steady_now_ms();
      auto asked = co_await read_health(*elb, group_->arn, kReadLimits);
      if (asked) {
        keep(std::move(*asked), asked_at);
        co_return *kept_;
      }
      last_error_ = asked.error().error;
      back_off(asked.error().throttled);
    } else {
      last_error_ = ready ? elb.error() : ready.error();
      back_off(false);
    }
  }
  if (kept_ && steady_now_ms() - kept_at_ < kPollsToStand * pool_->poll_ms) co_return *kept_;
  co_return tl::unexpected(
      last_error_.value_or(Error{ErrorCode::unavailable, "could not be asked", {}, {}}));
}

Task<Status> Group::ready() {
  const AsyncMutex::Guard lock = co_await one_at_a_time_.lock();
  co_return co_await prepare(kChangeLimits);
}

// Not under the lock: while this one waits out a throttling, readers shall get what is kept.
Task<Result<std::vector<TargetHealth>>> Group::health_now() {
  if (auto ok = co_await ready(); !ok) co_return tl::unexpected(ok.error());
  auto elb = co_await link();
  if (!elb) co_return tl::unexpected(elb.error());
  const TimeMs asked_at = steady_now_ms();
  auto asked = co_await read_health(*elb, group_->arn, kChangeLimits);
  if (!asked) {
    expire();
    co_return tl::unexpected(asked.error().error);
  }
  keep(*asked, asked_at);
  co_return std::move(*asked);
}

}  // namespace hitless::elbv2
