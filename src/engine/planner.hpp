// Makes the plan of a rollout from what is wanted and what is seen now. Reads only.
//
// The plan carries a fingerprint of the state it stands on; a plan whose fingerprint no longer
// matches is stale, and what moved can be named.
#pragma once
#include <string>
#include <vector>

#include "core/plan.hpp"
#include "engine/parts.hpp"
#include "engine/preflight.hpp"

namespace hitless::engine {

struct PlanOptions {
  core::Intent intent = core::Intent::restart;
  std::vector<std::string> limit;  // hosts or instances; empty: all
  std::optional<std::int64_t> at_once;
  std::string canary;                 // host; empty: as in the fleet file
  bool if_needed = false;             // reboot: only hosts that ask for it
  std::vector<std::string> packages;  // patch: only these; empty: whatever can be upgraded
  bool without_way_back = false;      // patch: also where an old version is nowhere to be had
  std::string actor;
};

using Fingerprint = std::vector<std::pair<std::string, std::string>>;

struct InstanceDraft {
  core::InstanceId id;
  core::TargetReading reading;
  PreflightResult preflight;
};

struct PlanDraft {
  core::Plan plan;  // hash still empty: the journal's codec hashes it
  std::vector<InstanceDraft> instances;
  Fingerprint fingerprint;
  std::vector<std::string> capacity_remarks;  // "You asked for 2 at once; 1 used (…)"
  bool no_room = false;                       // the floor leaves no instance to be taken out now
  std::vector<std::string> lb_remarks;        // what a load balancer driver cannot promise
  TimeMs looked_at = 0;                       // steady clock, before the first look
  [[nodiscard]] RecentPreflights preflights() const;
  [[nodiscard]] const core::Check* blocking() const;  // the first check that does not pass
};

Task<Result<PlanDraft>> make_plan(const ServiceParts* parts, PlanOptions options);

// What the plan was made with, so that making it again looks at the same instances.
[[nodiscard]] PlanOptions options_of(const core::Plan& plan);

// Lines like "web@web02 load balancer state: in -> out". Empty: nothing moved.
[[nodiscard]] std::vector<std::string> what_moved(const Fingerprint& then, const Fingerprint& now);

}  // namespace hitless::engine
