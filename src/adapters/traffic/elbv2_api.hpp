// The ELBv2 and EC2 calls that the driver makes, as typed values. Answers are AWS's and checked for
// what is needed; all that is listed in pages is read to the end, within limits.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/aws/client.hpp"

namespace hitless::elbv2 {

struct TargetKey {
  std::string id;
  int port = 0;
  std::string zone;  // as AWS says; "" or "all" or a zone
  bool operator==(const TargetKey&) const = default;
};

struct TargetHealth {
  TargetKey key;
  std::string state, reason, description;
  std::string override_state;  // AdministrativeOverride: "zonal_shift_active"
};

struct TargetGroup {
  std::string arn, name, protocol, type;  // type: instance, ip, lambda, alb
  int port = 0;
  std::vector<std::string> load_balancers;  // ARNs
  bool health_check = true;
  DurationMs check_interval_ms = 30'000;
  std::int64_t healthy_threshold = 5;
};

// deregistration_delay.timeout_seconds → "300"
using Attributes = std::map<std::string, std::string>;

struct FoundInstance {
  std::string id, state, name;  // name: the tag Name
  std::vector<std::string> addresses;
  std::map<std::string, std::string> tags;
};

template <class T>
using Api = Task<aws::ApiResult<T>>;
using Link = std::shared_ptr<aws::Client>;

[[nodiscard]] bool is_arn(const std::string& group);
// By ARN or name.
Api<TargetGroup> find_group(Link elb, std::string group, aws::CallLimits limits);
Api<std::vector<TargetGroup>> groups_of(Link elb, std::string load_balancer_arn);
Api<Attributes> read_attributes(Link elb, std::string arn);
// Of all targets of the group.
Api<std::vector<TargetHealth>> read_health(Link elb, std::string arn, aws::CallLimits limits);
Api<bool> deregister(Link elb, std::string arn, std::vector<TargetKey> keys);
Api<bool> register_again(Link elb, std::string arn, std::vector<TargetKey> keys);

// Instances that are not terminated and match one filter ("tag:Name", "network-interface.…").
Api<std::vector<FoundInstance>> find_instances(Link ec2, std::string filter,
                                               std::vector<std::string> values);

}  // namespace hitless::elbv2
