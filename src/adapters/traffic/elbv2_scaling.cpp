#include "adapters/traffic/elbv2_scaling.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

using aws::Params;
using aws::Xml;

constexpr aws::CallLimits kOnce{3'000, 3'000, 1};
constexpr std::size_t kPerCall = 50;  // what AWS takes at once
constexpr std::size_t kMaxGroups = 50;

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 80));
}

// The process that replaces, or the one that looks, is switched off.
bool is_suspended(const Xml& group) {
  return std::ranges::any_of(group.list("SuspendedProcesses"), [](const Xml* each) {
    const std::string name = each->value("ProcessName");
    return name == "ReplaceUnhealthy" || name == "HealthCheck" || name == "Terminate";
  });
}

// Groups that may replace what their load balancer calls sick.
Api<std::set<std::string>> replacing(Link link, std::set<std::string> names) {
  Params params;
  params.add_list("AutoScalingGroupNames", {names.begin(), names.end()});
  auto answer = co_await link->call("DescribeAutoScalingGroups", std::move(params), kOnce);
  if (!answer) co_return tl::unexpected(answer.error());
  std::set<std::string> found;
  for (const Xml* group : answer->list("AutoScalingGroups"))
    if (group->value("HealthCheckType").find("ELB") != std::string::npos && !is_suspended(*group))
      found.insert(group->value("AutoScalingGroupName"));
  co_return found;
}

// Id → group, of those that the group watches: not in standby, nor on their way out.
Api<std::map<std::string, std::string>> watched(Link link, std::vector<std::string> ids) {
  std::map<std::string, std::string> found;
  for (std::size_t from = 0; from < ids.size(); from += kPerCall) {
    Params params;
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end =
        ids.begin() + static_cast<std::ptrdiff_t>(std::min(from + kPerCall, ids.size()));
    params.add_list("InstanceIds", {begin, end});
    auto answer = co_await link->call("DescribeAutoScalingInstances", std::move(params), kOnce);
    if (!answer) co_return tl::unexpected(answer.error());
    for (const Xml* each : answer->list("AutoScalingInstances"))
      if (each->value("LifecycleState") == "InService")
        found[each->value("InstanceId")] = each->value("AutoScalingGroupName");
  }
  co_return found;
}

}  // namespace

Task<Scaling> read_scaling(std::shared_ptr<aws::Account> account, std::vector<std::string> ids) {
  Scaling scaling;
  std::erase_if(ids, [](const std::string& id) { return !is_instance_id(id); });
  if (ids.empty()) co_return scaling;
  const auto failed = [&](const Error& error) { scaling.unknown = describe(error); };
  auto link = co_await account->client(aws::kAutoScaling);
  if (!link) {
    failed(link.error());
    co_return scaling;
  }
  auto members = co_await watched(*link, std::move(ids));
  if (!members) {
    failed(members.error().error);
    co_return scaling;
  }
  std::set<std::string> names;
  for (const auto& [id, group] : *members) names.insert(group);
  if (names.empty()) co_return scaling;
  if (names.size() > kMaxGroups) {
    scaling.unknown = "too many Auto Scaling groups";
    co_return scaling;
  }
  const auto groups = co_await replacing(*link, std::move(names));
  if (!groups) {
    failed(groups.error().error);
    co_return scaling;
  }
  for (const auto& [id, group] : *members) {
    if (!groups->contains(group)) continue;
    scaling.replaces[id] =
        "it is in Auto Scaling group " + shown(group) +
        ", whose health check type is ELB: the group may replace a target that leaves";
  }
  co_return scaling;
}

}  // namespace hitless::elbv2
