// A model's opinion on evidence: the question, and what is made of the answer.
//
// Invariants: evidence goes out as data between fences that it cannot know, with what clients wrote
// replaced by placeholders; what comes back is taken only if each id is known and each quote
// verbatim, if components are named in the evidence, and categories and recommendations are those
// of the list. How sure it is follows from its evidence, not from what it says of itself, and it is
// never enough to act on. None of the model's own sentences is kept.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "agent/reasoner.hpp"
#include "base/error.hpp"
#include "llm/client.hpp"

namespace hitless::llm {

inline constexpr std::size_t kMaxEvidenceInQuestion = 60'000;  // bytes
// With tools every call carries it again, and what does not fit can be asked for.
inline constexpr std::size_t kMaxEvidenceBeforeTools = 10'000;
inline constexpr std::size_t kMaxLookBytes = 4'000;

// What a tool showed: redacted, without what clients wrote, and the evidence that it names.
struct Seen {
  std::string text;
  std::vector<agent::Evidence> evidence;
};
struct OpinionTools {
  std::vector<OfferedTool> offered;  // they only look
  std::function<Task<Result<Seen>>(std::string name, std::string arguments, DurationMs left_ms)>
      look;
};

// `nonce`: 32 hex digits that nobody could know beforehand.
[[nodiscard]] Question diagnosis_question(const agent::Situation& situation,
                                          const agent::EvidenceStore& store,
                                          const std::string& nonce,
                                          std::size_t most_evidence = kMaxEvidenceInQuestion);
// Fails with what is wrong with it, in words that the model can mend it by.
[[nodiscard]] Result<agent::Diagnosis> read_opinion(const std::string& json,
                                                    const agent::Situation& situation,
                                                    const agent::EvidenceStore& store);

// Asks, with one repair turn. What the tools showed is added to the store. Fails when there is no
// answer that could be taken.
Task<Result<agent::Diagnosis>> ask_opinion(const Endpoint* endpoint,
                                           const agent::Situation* situation,
                                           agent::EvidenceStore* store, Budget* budget,
                                           const OpinionTools* tools = nullptr);

}  // namespace hitless::llm
