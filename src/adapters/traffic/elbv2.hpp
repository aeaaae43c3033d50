// Traffic driver for AWS Elastic Load Balancing v2 (ALB and NLB): one target group.
//
// - A target is (id, port): one instance may be registered on several ports, and each is taken out
//   and put back. They are read back from AWS, never guessed; a registration that could not be made
//   again from the fleet file alone is refused before it is taken away.
// - `draining` is a timer of AWS's (deregistration delay), not a count: there is no in-flight count
//   at all, so reports say `uncounted` and the hosts' own sockets decide. An idle keep-alive
//   connection of the load balancer counts there too, until one side closes it.
// - AWS goes on sending for a while after it has said `draining`: ALB up to 20 s, NLB minutes.
//   That is settle_ms, during which the instance must go on serving.
// - With too few healthy targets left AWS fails open: it sends to all targets, the sick ones and
//   those on their way out as well. A drain that would get there is refused.
// - One DescribeTargetHealth call answers for all targets; its answer is kept for poll_ms (AWS
// limits
//   the rate of calls). A call that fails leaves the last answer standing for a few polls more,
//   then everything is unknown. What an answer does not list is not registered: out.
// - Nothing can be cut off early: close_remaining is refused.
//
// After a crash it knows nothing; all of it is in AWS and the fleet file.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/aws/account.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct Elbv2Target {
  core::InstanceId instance;
  // "i-0abc…", an IP address, or "tag:KEY=VALUE"; empty: found by `address` (private IP, or as it
  // is in a group of IPs), else by the tag Name = host.
  std::string target;
  std::string host, address;
  std::optional<int> port;  // empty: the target group's own
  std::string zone;         // AvailabilityZone to register with; empty: none
};

struct Elbv2Pool {
  std::string lb;     // its name in the fleet file
  std::string group;  // name or ARN of the target group
  std::vector<Elbv2Target> targets;
  std::shared_ptr<aws::Account> account;
  std::optional<DurationMs> settle_ms;    // empty: by the kind of load balancer
  DurationMs poll_ms = 5'000;             // a health answer is kept so long
  std::vector<std::string> other_groups;  // of the same service: known to be drained as well
  bool cloudwatch = false;                // counters() asks CloudWatch
  DurationMs counter_period_ms = 60'000;  // CloudWatch's; another only against a fake
};

[[nodiscard]] Status check_elbv2(const Elbv2Pool& pool);
[[nodiscard]] std::unique_ptr<ports::Traffic> make_elbv2(Elbv2Pool pool);

}  // namespace hitless
