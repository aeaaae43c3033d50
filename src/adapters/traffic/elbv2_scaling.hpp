// Auto Scaling groups: one whose health check type is ELB takes a target that we deregister, or
// restart, for a sick instance and may replace the machine in mid-rollout. Such a target is not to
// be drained while the group may replace it.
//
// Not everybody may ask (autoscaling:Describe…) or can reach that API: then a remark says so, and
// nothing is refused.
#pragma once
#include "adapters/traffic/elbv2_group.hpp"

namespace hitless::elbv2 {

inline constexpr const char* scaling_help =
    "suspend ReplaceUnhealthy of that group while you roll out (aws autoscaling "
    "suspend-processes), "
    "or move the instance to standby";

struct Scaling {
  std::map<std::string, std::string> replaces;  // instance id → why it must not be drained
  std::string unknown;                          // why it could not be asked
};

// Only ids of EC2 instances are asked for. One try, as it must hold up nobody.
Task<Scaling> read_scaling(std::shared_ptr<aws::Account> account, std::vector<std::string> ids);

}  // namespace hitless::elbv2
