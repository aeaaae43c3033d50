// Who is in a target group of AWS, as hosts: for the inventory. A target that was taken out is not
// listed by AWS once its deregistration delay is over, though it is still one of the fleet: those
// who were known before count as long as their machine exists. Nothing is kept here.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/aws/account.hpp"
#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::elbv2 {

struct GroupMember {
  std::string id;  // "i-0abc…", or an IP address
  std::string
      name;  // the machine's tag Name where it is a host's name and only one has it, else id
  std::string address;  // its private IP address
};

// Each host once, in the order of their names. Fails with not_found when nobody is in the group.
Task<Result<std::vector<GroupMember>>> group_members(std::shared_ptr<aws::Account> account,
                                                     std::string group,
                                                     std::vector<std::string> known);

}  // namespace hitless::elbv2
