// A model's opinion on evidence: the question, and what is made of the answer.
//
// Invariants: evidence goes out as data between fences that it cannot know, with what clients wrote
// replaced by placeholders; what comes back is taken only if each id is known and each quote
// verbatim, if components are named in the evidence, and categories and recommendations are those
// of the list. How sure it is follows from its evidence, not from what it says of itself, and it is
// never enough to act on. None of the model's own sentences is kept.
#pragma once
#include <string>

#include "agent/reasoner.hpp"
#include "base/error.hpp"
#include "llm/client.hpp"

namespace hitless::llm {

inline constexpr std::size_t kMaxEvidenceInQuestion = 60'000;  // bytes

// `nonce`: 32 hex digits that nobody could know beforehand.
[[nodiscard]] Question diagnosis_question(const agent::Situation& situation,
                                          const agent::EvidenceStore& store,
                                          const std::string& nonce);
// Fails with what is wrong with it, in words that the model can mend it by.
[[nodiscard]] Result<agent::Diagnosis> read_opinion(const std::string& json,
                                                    const agent::Situation& situation,
                                                    const agent::EvidenceStore& store);

// Asks, with one repair turn. Fails when there is no answer that could be taken.
Task<Result<agent::Diagnosis>> ask_opinion(const Endpoint* endpoint,
                                           const agent::Situation* situation,
                                           const agent::EvidenceStore* store, Budget* budget);

}  // namespace hitless::llm
