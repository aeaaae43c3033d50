#include "adapters/traffic/elbv2_api.hpp"

#include <charconv>

#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

using aws::ApiError;
using aws::Params;
using aws::Xml;

constexpr int kMaxPages = 50;
constexpr std::size_t kMaxTargets = 5'000;

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 200));
}

tl::unexpected<ApiError> odd(const char* action, const std::string& what) {
  return tl::unexpected(
      ApiError{Error{ErrorCode::failed, std::string(action) + ": AWS's answer " + what, {}, {}},
               {},
               200,
               false,
               false});
}

TargetGroup group_of(const Xml& from) {
  TargetGroup group;
  group.arn = from.value("TargetGroupArn");
  group.name = from.value("TargetGroupName");
  group.protocol = from.value("Protocol");
  group.type = from.value("TargetType");
  if (group.type.empty()) group.type = "instance";
  group.port = static_cast<int>(number(from.value("Port")).value_or(0));
  for (const Xml* lb : from.list("LoadBalancerArns")) group.load_balancers.push_back(lb->text);
  group.health_check = from.value("HealthCheckEnabled") != "false";
  if (const auto seconds = number(from.value("HealthCheckIntervalSeconds")))
    group.check_interval_ms = std::clamp<std::int64_t>(*seconds, 1, 3'600) * 1'000;
  group.healthy_threshold = number(from.value("HealthyThresholdCount")).value_or(5);
  return group;
}

// A page after the other; `take` reads one, `marker` is where the next begins.
Api<std::vector<TargetGroup>> all_groups(Link elb, Params asked, aws::CallLimits limits) {
  std::vector<TargetGroup> groups;
  std::string marker;
  for (int page = 0; page < kMaxPages; ++page) {
    Params params = asked;
    if (!marker.empty()) params.add("Marker", marker);
    auto answer = co_await elb->call("DescribeTargetGroups", std::move(params), limits);
    if (!answer) co_return tl::unexpected(answer.error());
    for (const Xml* each : answer->list("TargetGroups")) groups.push_back(group_of(*each));
    marker = answer->value("NextMarker");
    if (marker.empty()) co_return groups;
  }
  co_return odd("DescribeTargetGroups", "has no end");
}

Params targets_of(const std::string& arn, const std::vector<TargetKey>& keys) {
  Params params;
  params.add("TargetGroupArn", arn);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string name = "Targets.member." + std::to_string(i + 1) + ".";
    params.add(name + "Id", keys[i].id);
    if (keys[i].port != 0) params.add(name + "Port", keys[i].port);
    if (!keys[i].zone.empty()) params.add(name + "AvailabilityZone", keys[i].zone);
  }
  return params;
}

FoundInstance instance_of(const Xml& from) {
  FoundInstance found;
  found.id = from.value("instanceId");
  found.state = from.value("instanceState/name");
  found.addresses.push_back(from.value("privateIpAddress"));
  for (const Xml* card : from.list("networkInterfaceSet"))
    for (const Xml* address : card->list("privateIpAddressesSet"))
      found.addresses.push_back(address->value("privateIpAddress"));
  for (const Xml* tag : from.list("tagSet")) found.tags[tag->value("key")] = tag->value("value");
  if (const auto it = found.tags.find("Name"); it != found.tags.end()) found.name = it->second;
  return found;
}

}  // namespace

bool is_arn(const std::string& group) {
  return group.starts_with("arn:");
}

Api<TargetGroup> find_group(Link elb, std::string group, aws::CallLimits limits) {
  Params params;
  params.add_list(is_arn(group) ? "TargetGroupArns" : "Names", {group});
  auto groups = co_await all_groups(std::move(elb), std::move(params), limits);
  if (!groups) co_return tl::unexpected(groups.error());
  if (groups->size() != 1 || groups->front().arn.empty())
    co_return odd("DescribeTargetGroups",
                  "has " + std::to_string(groups->size()) + " groups for " + shown(group));
  co_return std::move(groups->front());
}

Api<std::vector<TargetGroup>> groups_of(Link elb, std::string load_balancer_arn) {
  Params params;
  params.add("LoadBalancerArn", std::move(load_balancer_arn));
  co_return co_await all_groups(std::move(elb), std::move(params), {});
}

Api<Attributes> read_attributes(Link elb, std::string arn) {
  Params params;
  params.add("TargetGroupArn", std::move(arn));
  auto answer = co_await elb->call("DescribeTargetGroupAttributes", std::move(params));
  if (!answer) co_return tl::unexpected(answer.error());
  Attributes attributes;
  for (const Xml* each : answer->list("Attributes"))
    attributes[each->value("Key")] = each->value("Value");
  co_return attributes;
}

Api<std::vector<TargetHealth>> read_health(Link elb, std::string arn, aws::CallLimits limits) {
  Params params;
  params.add("TargetGroupArn", std::move(arn));
  auto answer = co_await elb->call("DescribeTargetHealth", std::move(params), limits);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->find("TargetHealthDescriptions") == nullptr)
    co_return odd("DescribeTargetHealth", "has no targets element");
  std::vector<TargetHealth> all;
  for (const Xml* each : answer->list("TargetHealthDescriptions")) {
    if (all.size() >= kMaxTargets) co_return odd("DescribeTargetHealth", "has too many targets");
    TargetHealth health;
    health.key.id = each->value("Target/Id");
    health.key.port = static_cast<int>(number(each->value("Target/Port")).value_or(0));
    health.key.zone = each->value("Target/AvailabilityZone");
    health.state = each->value("TargetHealth/State");
    health.reason = each->value("TargetHealth/Reason");
    health.description = each->value("TargetHealth/Description");
    health.override_state = each->value("AdministrativeOverride/State");
    all.push_back(std::move(health));
  }
  co_return all;
}

Api<bool> deregister(Link elb, std::string arn, std::vector<TargetKey> keys) {
  for (TargetKey& key : keys) key.zone.clear();  // it is no part of what names a target
  auto answer = co_await elb->call("DeregisterTargets", targets_of(arn, keys));
  if (!answer) co_return tl::unexpected(answer.error());
  co_return true;
}

Api<bool> register_again(Link elb, std::string arn, std::vector<TargetKey> keys) {
  auto answer = co_await elb->call("RegisterTargets", targets_of(arn, keys));
  if (!answer) co_return tl::unexpected(answer.error());
  co_return true;
}

Api<std::vector<FoundInstance>> find_instances(Link ec2, std::string filter,
                                               std::vector<std::string> values) {
  Params asked;
  asked.add("Filter.1.Name", std::move(filter));
  for (std::size_t i = 0; i < values.size(); ++i)
    asked.add("Filter.1.Value." + std::to_string(i + 1), values[i]);
  asked.add("Filter.2.Name", std::string("instance-state-name"));
  int n = 0;
  for (const char* state : {"pending", "running", "stopping", "stopped"})
    asked.add("Filter.2.Value." + std::to_string(++n), std::string(state));
  std::vector<FoundInstance> all;
  std::string token;
  for (int page = 0; page < kMaxPages; ++page) {
    Params params = asked;
    if (!token.empty()) params.add("NextToken", token);
    auto answer = co_await ec2->call("DescribeInstances", std::move(params));
    if (!answer) co_return tl::unexpected(answer.error());
    for (const Xml* reservation : answer->list("reservationSet"))
      for (const Xml* each : reservation->list("instancesSet")) all.push_back(instance_of(*each));
    token = answer->value("nextToken");
    if (token.empty()) co_return all;
  }
  co_return odd("DescribeInstances", "has no end");
}

}  // namespace hitless::elbv2
