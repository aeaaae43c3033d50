// The reasoner without a model: rules over evidence give a diagnosis. The default, offline.
//
// Invariants: the same evidence gives the same diagnosis, byte for byte, in whatever order it came;
// nothing in the evidence can name an action; unknown stays unknown: what no rule speaks for is
// `undetermined`, with what is missing. It decides nothing: the engine's rules dispose.
#pragma once
#include <string>

#include "agent/diagnosis.hpp"

namespace hitless::agent {

struct Situation {
  std::string service, host, unit;  // of the instance that is looked at
  bool touched = false;             // an instance was changed before this was seen
  bool failed = true;               // something did not come out as it should
  std::vector<Source> not_had;      // sources that were asked for and could not be read
};

[[nodiscard]] Diagnosis reason(const Situation& situation, const EvidenceStore& store);

// How sure anybody may be of what these pieces of evidence support: high needs two sources, one of
// which clients cannot write to. Unknown ids count for nothing.
[[nodiscard]] Confidence confidence_from(const std::vector<std::string>& supports,
                                         const EvidenceStore& store);

// The diagnosis in plain sentences, for incidents and screens; escaped for terminals by the sink.
[[nodiscard]] std::string render(const Diagnosis& diagnosis, const EvidenceStore& store);

}  // namespace hitless::agent
