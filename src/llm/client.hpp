// Asking a model over HTTP: streaming, retries, and a budget that nothing can exceed.
//
// Invariants: at most Budget::calls questions, Budget::tool_calls looks (tool_loop.hpp),
// Budget::tokens tokens and Budget::deadline altogether; an answer that broke off, was cut at its
// limit, or whose context was cut is a failure, never a shorter answer. Nothing is kept: a crash
// loses the question and nothing else. What comes back is hostile text; who uses it must check it
// (opinion.hpp, reading.hpp).
#pragma once
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "llm/model.hpp"
#include "runtime/task.hpp"

namespace hitless::llm {

struct Endpoint {
  Api api = Api::openai;
  std::string url;    // base: "https://api.openai.com/v1", "http://127.0.0.1:11434/v1"
  std::string model;  // its name there
  std::string key;    // may be empty
  bool stream = true;
  DurationMs deadline_ms = 90'000;  // of everything that one question leads to
};

struct Budget {
  int calls = 4;
  int tool_calls = 12;
  std::int64_t tokens = 30'000;
  TimeMs deadline = 0;  // steady clock
};
[[nodiscard]] Budget new_budget(DurationMs deadline_ms);

// Takes what it used off the budget. Falls back to another form when the server refuses one, and
// remembers it in `question`.
Task<Result<Answer>> ask(const Endpoint* endpoint, Question* question, Budget* budget);

}  // namespace hitless::llm
