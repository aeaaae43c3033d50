// A model that may look before it answers: its calls are carried out and go back to it, until it
// answers or the budget says that it has to.
//
// Invariants: at most Budget::tool_calls looks and Budget::calls questions; the last questions are
// kept for the answer and its one repair, and in them only the answer is on offer. The same call
// twice is refused, and so is whatever was not offered, by this file and not by the server's
// schema. Results are text for the model and nothing else: no result and no call can change what is
// offered. Nothing is kept; a crash loses the question.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "llm/client.hpp"

namespace hitless::llm {

inline constexpr int kCallsKeptForTheAnswer = 2;
inline constexpr DurationMs kTimeKeptForTheAnswer = 10'000;

struct ToolResult {
  std::string text;
  bool failed = false;
};

struct ToolBox {
  std::vector<OfferedTool> tools;  // empty: it is asked without any
  // An error ends the question; what the model may mend comes back as a failed result.
  std::function<Task<Result<ToolResult>>(Call call, DurationMs left_ms)> run;
};

// The answer: a call of the tool `question->name`, which is then the only call, or text. A null
// box: it only may answer, with what it saw so far.
Task<Result<Answer>> ask_with_tools(const Endpoint* endpoint, Question* question,
                                    const ToolBox* box, Budget* budget);

// Name and arguments, whatever the order of members and the blanks between them.
[[nodiscard]] std::string same_call(const Call& call);

}  // namespace hitless::llm
