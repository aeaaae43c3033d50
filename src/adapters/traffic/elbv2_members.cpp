#include "adapters/traffic/elbv2_members.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "adapters/traffic/elbv2_api.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

constexpr std::size_t kMaxMembers = 2'000;
constexpr std::size_t kIdsAtOnce = 100;  // AWS takes 200 values of a filter

// The machines of these ids, or of these addresses; who is not found is not there any more.
Task<Result<std::vector<FoundInstance>>> machines(Link ec2, bool by_address,
                                                  std::vector<std::string> ids) {
  std::vector<FoundInstance> all;
  for (std::size_t at = 0; at < ids.size(); at += kIdsAtOnce) {
    const auto end =
        ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), at + kIdsAtOnce));
    std::vector<std::string> some(ids.begin() + static_cast<std::ptrdiff_t>(at), end);
    auto found = co_await find_instances(
        ec2, by_address ? "network-interface.addresses.private-ip-address" : "instance-id",
        std::move(some));
    if (!found) co_return tl::unexpected<Error>(found.error().error);
    std::ranges::move(*found, std::back_inserter(all));
  }
  co_return all;
}

void give_names(std::vector<GroupMember>& members) {
  std::map<std::string, int> uses;
  for (const GroupMember& member : members) ++uses[member.name];
  for (GroupMember& member : members)
    if (uses[member.name] > 1 || !check_host_name(member.name)) member.name = member.id;
  std::ranges::sort(members, {}, &GroupMember::name);
}

}  // namespace

Task<Result<std::vector<GroupMember>>> group_members(std::shared_ptr<aws::Account> account,
                                                     std::string group,
                                                     std::vector<std::string> known) {
  auto elb = co_await account->client(aws::kElbv2);
  if (!elb) co_return tl::unexpected<Error>(elb.error());
  auto found = co_await find_group(*elb, group, aws::CallLimits{});
  if (!found) co_return tl::unexpected<Error>(found.error().error);
  const bool by_address = found->type == "ip";
  if (!by_address && found->type != "instance")
    co_return fail(ErrorCode::invalid, "target group " + escape_for_terminal(found->name) +
                                           " is of type " + escape_for_terminal(found->type) +
                                           ", which has no hosts");
  auto health = co_await read_health(*elb, found->arn, aws::CallLimits{});
  if (!health) co_return tl::unexpected<Error>(health.error().error);
  std::set<std::string> registered, ids(known.begin(), known.end());
  for (const TargetHealth& each : *health) registered.insert(each.key.id);
  ids.insert(registered.begin(), registered.end());
  if (ids.size() > kMaxMembers)
    co_return fail(ErrorCode::invalid, "target group " + found->name + " has too many targets");
  auto ec2 = co_await account->client(aws::kEc2);
  if (!ec2) co_return tl::unexpected<Error>(ec2.error());
  auto all = co_await machines(*ec2, by_address, {ids.begin(), ids.end()});
  if (!all) co_return tl::unexpected<Error>(all.error());
  std::vector<GroupMember> members;
  for (const std::string& id : ids) {
    const auto machine = std::ranges::find_if(*all, [&](const FoundInstance& each) {
      return by_address ? std::ranges::find(each.addresses, id) != each.addresses.end()
                        : each.id == id;
    });
    // An address that is no machine of EC2's is one all the same, while it is registered.
    if (machine == all->end() && !(by_address && registered.contains(id))) continue;
    GroupMember member{id, id, by_address ? id : ""};
    if (machine != all->end()) {
      if (!machine->name.empty()) member.name = machine->name;
      if (member.address.empty() && !machine->addresses.empty())
        member.address = machine->addresses.front();
    }
    if (!check_host_address(member.address))
      co_return fail(ErrorCode::failed, escape_for_terminal(id) + " has no private address");
    members.push_back(std::move(member));
  }
  if (members.empty())
    co_return fail(ErrorCode::not_found, "target group " + found->name + " has no targets", {},
                   "an empty group would be taken for a fleet with nothing to do");
  give_names(members);
  co_return members;
}

}  // namespace hitless::elbv2
