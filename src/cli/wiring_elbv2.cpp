// Target groups of AWS as traffic drivers.
#include <map>

#include "adapters/traffic/elbv2.hpp"
#include "cli/wiring_pools.hpp"

namespace hitless::cli {
namespace {

// One way into AWS for all pools that are meant alike: roles are assumed once.
Result<std::shared_ptr<aws::Account>> account_for(const fleet::Elbv2Lb& lb) {
  static std::map<std::string, std::weak_ptr<aws::Account>> known;
  std::weak_ptr<aws::Account>& kept = known[lb.profile + "\n" + lb.region + "\n" + lb.endpoint];
  if (auto account = kept.lock()) return account;
  auto opened = aws::Account::open({lb.profile, lb.region, lb.endpoint});
  if (opened) kept = *opened;
  return opened;
}

}  // namespace

Result<std::unique_ptr<ports::Traffic>> make_elbv2_pool(const PoolWiring& from) {
  const auto& options = std::get<fleet::Elbv2Lb>(from.lb->options);
  Elbv2Pool pool;
  pool.lb = from.lb->name;
  pool.group = from.pool;
  pool.settle_ms = options.settle_ms;
  pool.poll_ms = options.poll_ms;
  pool.cloudwatch = options.cloudwatch;
  auto account = account_for(options);
  if (!account) {
    Error error = account.error();
    error.what = "load balancer " + from.lb->name + ": " + error.what;
    return tl::unexpected<Error>(std::move(error));
  }
  pool.account = std::move(*account);
  for (const fleet::PoolRef& ref : from.service->pools) pool.other_groups.push_back(ref.pool);
  for (const PoolMember& member : from.members) {
    Elbv2Target target{core::InstanceId{member.instance->id},
                       member.target->member,
                       member.instance->host,
                       member.instance->address,
                       {},
                       {}};
    const auto& extras = member.target->extras;
    if (const auto port = extras.find("port"); port != extras.end())
      target.port = std::atoi(port->second.c_str());  // the fleet file has been checked
    if (const auto zone = extras.find("availability_zone"); zone != extras.end())
      target.zone = zone->second;
    pool.targets.push_back(std::move(target));
  }
  if (Status ok = check_elbv2(pool); !ok) return tl::unexpected<Error>(ok.error());
  return make_elbv2(std::move(pool));
}

}  // namespace hitless::cli
