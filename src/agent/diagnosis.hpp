// A diagnosis: what is wrong, with what, how sure, on which evidence, and what is recommended.
//
// Invariants: every quote stands verbatim in the evidence that it names (check_quotes); a
// hypothesis without support does not exist; the recommendation is one of a closed list and never a
// command. Who makes a diagnosis (rules here, a model) can only propose: the engine's rules
// dispose.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "agent/evidence.hpp"

namespace hitless::agent {

enum class Category {
  // causes
  config_syntax,
  config_missing_file,
  config_permission,
  bad_exec,
  port_in_use,
  missing_setting,
  out_of_memory,
  disk_full,
  certificate_expired,
  name_resolution,
  upstream_unreachable,
  dependency_down,
  change_elsewhere,
  // how it shows on the host
  not_ready,
  crash_loop,
  slow_start,
  host_lost,
  // how it shows to clients
  errors_in_traffic,
  latency_regression,
  // of the rollout itself
  drain_stuck,
  lb_still_sends,
  capacity,
  drift,
  controller_lost,
  kill_switch,
  // nothing to find
  healthy,
  undetermined,
};
[[nodiscard]] std::string_view to_string(Category category);

enum class Recommendation {
  none,                // nothing is to be done
  wait,                // it becomes good by itself
  stop_before_drain,   // nothing was touched yet: mend the cause first
  roll_back,           // the previous configuration or version
  hold_and_page,       // leave it as it is, a person must look
  page_dependency,     // its owner must look; a rollback would not help
  deny,                // the floor does not allow it
  make_new_plan,       // what the plan stands on has moved
  resume,              // the rollout goes on where it was cut off
  stop_at_safe_point,  // what is in work comes back, nothing more is started
};
[[nodiscard]] std::string_view to_string(Recommendation recommendation);

enum class Confidence { low, medium, high };
[[nodiscard]] std::string_view to_string(Confidence confidence);

struct Quote {
  std::string evidence;  // its id
  std::string text;      // verbatim from its body
};

struct Hypothesis {
  Category category = Category::undetermined;
  std::string component;  // a unit, file, host, dependency or load balancer
  Confidence confidence = Confidence::low;
  std::vector<std::string> supports, refutes;  // ids of evidence
  std::vector<Quote> quotes;
  std::string sentence;  // for people
};

struct Diagnosis {
  Category category = Category::undetermined;
  std::vector<std::string> components;  // of the leading hypotheses
  Confidence confidence = Confidence::low;
  std::vector<Hypothesis> hypotheses;         // the most likely first
  std::vector<std::string> missing_evidence;  // what could not be had, and would have told
  Recommendation recommended = Recommendation::hold_and_page;
  // Two independent sources, one of them not writable by clients: enough to act on without a
  // person.
  bool enough_to_act = false;
  bool clients_interfered = false;  // text that clients can write was found where symptoms stand
};

// Empty when each id is known and each quote verbatim; else what is wrong. For every diagnosis that
// somebody hands in.
[[nodiscard]] std::string check_quotes(const Diagnosis& diagnosis, const EvidenceStore& store);

}  // namespace hitless::agent
