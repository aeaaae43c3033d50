// A model's reading of a request that the vocabulary did not understand. The model sees the words
// of the person and the names of the fleet file, and answers with enums, names from those lists and
// numbers; what is not in the lists is refused. The reading is a proposal: a person confirms it.
#pragma once
#include <string>

#include "agent/ask.hpp"
#include "llm/client.hpp"
#include "llm/tool_loop.hpp"

namespace hitless::llm {

[[nodiscard]] Question reading_question(const std::string& words, const agent::KnownFleet& fleet);
// Fails with what is wrong with it.
[[nodiscard]] Result<agent::Request> read_reading(const std::string& json,
                                                  const agent::KnownFleet& fleet);
// box: what it may look at meanwhile; may be null.
Task<Result<agent::Request>> ask_reading(const Endpoint* endpoint, const std::string* words,
                                         const agent::KnownFleet* fleet, Budget* budget,
                                         const ToolBox* box = nullptr);

}  // namespace hitless::llm
