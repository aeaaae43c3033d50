// What was gathered about an instance that failed, kept in the journal as a fact
// `evidence:R-…/web@web01`; the diagnosis is made from it anew each time, by the rules of today.
//
// The fact is written before the rollback of that instance changes anything on its host. The first
// one stays: what a later controller sees is no longer the failure. At most kMaxEvidenceBytes; what
// does not fit is left out, whole, the longest first, and named.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "agent/reasoner.hpp"
#include "core/state.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

inline constexpr std::size_t kMaxEvidenceBytes = 60u << 10;  // the journal takes 64 KiB

struct KeptEvidence {
  agent::Situation situation;
  agent::EvidenceStore store;
};

[[nodiscard]] Status put_evidence(ports::Journal& journal, const std::string& rollout,
                                  const core::InstanceId& instance, const KeptEvidence& evidence);
[[nodiscard]] std::optional<KeptEvidence> get_evidence(ports::Journal& journal,
                                                       const std::string& rollout,
                                                       const core::InstanceId& instance);

// One instance that failed, or, when nothing was touched, what the checks before it said.
struct Case {
  std::string name;  // "web@web01"; the service where nothing was touched
  KeptEvidence kept;
  agent::Diagnosis diagnosis;
};
[[nodiscard]] std::vector<Case> diagnosed_cases(ports::Journal& journal, const core::State& state);
// [{"instance":…,"category":…,"hypotheses":[…],"evidence":[…]}], for --json.
[[nodiscard]] std::string cases_as_json(const std::vector<Case>& cases);

struct Diagnosed {
  std::string text;   // of all instances that failed, several lines; empty: nothing was gathered
  std::string claim;  // what a client handed in (claims.hpp), with its name; empty: nothing
  std::string where;  // "web01 journal │ FATAL: …", of the first; empty: no quote
};
[[nodiscard]] Diagnosed diagnose(ports::Journal& journal, const core::State& state);

}  // namespace hitless::cli
