// Which language model to ask, from the environment: HITLESS_MODEL_URL, HITLESS_MODEL,
// HITLESS_MODEL_API (openai or anthropic), HITLESS_MODEL_KEY or HITLESS_MODEL_KEY_FILE,
// HITLESS_MODEL_DEADLINE (90s). Without HITLESS_MODEL_URL there is none, and nothing is ever sent
// anywhere.
#pragma once
#include <optional>

#include "agent/ask.hpp"
#include "agent/reasoner.hpp"
#include "cli/app.hpp"
#include "llm/client.hpp"

namespace hitless::cli {

// Fails when it is set up wrongly.
[[nodiscard]] Result<std::optional<llm::Endpoint>> model_endpoint();

// The two things that a model is asked for; both are proposals. Block until there is an answer, at
// most until the deadline. It may look at the fleet meanwhile (model_tools.hpp).
[[nodiscard]] Result<agent::Request> read_by_model(const App& app, const llm::Endpoint& endpoint,
                                                   const std::string& words,
                                                   const agent::KnownFleet& fleet);
// What it looked at is added to the store, because its answer may cite it.
[[nodiscard]] Result<agent::Diagnosis> opinion_of_model(const App& app,
                                                        const llm::Endpoint& endpoint,
                                                        const agent::Situation& situation,
                                                        agent::EvidenceStore& store);

}  // namespace hitless::cli
