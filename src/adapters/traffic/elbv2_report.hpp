// From what ELBv2 says to what hitless calls it: pure functions over one answer.
//
// A state that is not known here is unknown, never good. `unused` has two faces: not registered
// (out), and registered where no listener sends anything (Target.NotInUse), which is a mistake in
// somebody's configuration and must not pass for "drained".
#pragma once
#include <string>
#include <vector>

#include "adapters/traffic/elbv2_api.hpp"
#include "core/types.hpp"

namespace hitless::elbv2 {

// One of our instances in this group: which entries are its.
struct Member {
  core::InstanceId instance;
  std::string id;    // resolved
  int port = 0;      // 0: any port that the id is registered on
  std::string zone;  // to register with
};

enum class Presence { in, leaving, gone, misconfigured, unknown };
struct Standing {
  Presence presence = Presence::unknown;
  core::LbCheck check = core::LbCheck::unknown;
  std::string note;
};
[[nodiscard]] Standing read_standing(const TargetHealth& health);

[[nodiscard]] std::vector<const TargetHealth*> entries_of(const std::vector<TargetHealth>& all,
                                                          const Member& member);
// One for each registration of the member, at least one. Fills all but lb and node.
[[nodiscard]] std::vector<core::TargetReport> make_reports(const std::vector<TargetHealth>& all,
                                                           const Member& member,
                                                           const std::string& group);

// The registrations that RegisterTargets must be told to bring this member back when nothing is
// left of it in AWS.
[[nodiscard]] TargetKey key_from_fleet_file(const Member& member, const TargetGroup& group);
// Why the present registrations could not be made again from the fleet file; empty: they could.
[[nodiscard]] std::string why_not_restorable(const std::vector<const TargetHealth*>& entries,
                                             const Member& member, const TargetGroup& group);

// The fail-open guard: empty when these members (one instance's) may leave, otherwise why not.
[[nodiscard]] std::string why_fails_open(const std::vector<TargetHealth>& all,
                                         const std::vector<Member>& leaving,
                                         const Attributes& attributes);

[[nodiscard]] bool is_network(const TargetGroup& group);  // NLB
[[nodiscard]] DurationMs default_settle_ms(const TargetGroup& group);
[[nodiscard]] std::optional<std::int64_t> whole_number(const Attributes& attributes,
                                                       const std::string& key);

}  // namespace hitless::elbv2
