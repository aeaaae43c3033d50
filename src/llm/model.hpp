// One question to a language model and its answer, the same for both protocols. Plain values.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hitless::llm {

enum class Api { openai, anthropic };

// How an answer in the shape of a JSON Schema is asked for. Servers differ; the next is tried when
// one is refused.
enum class Form { schema, tool, plain };

struct Call {  // of the tool that stands for the answer
  std::string id, name, arguments;
};

struct Turn {
  bool from_model = false;
  std::string text;
  std::vector<Call> calls;  // from_model: what it called; else: whose results `text` is
};

struct Question {
  std::string model;
  std::string system;
  std::vector<Turn> turns;
  std::string name, about;  // of the answer: "diagnosis"
  std::string schema;       // JSON Schema of the answer, as JSON text
  std::int64_t max_tokens = 2'000;
  Form form = Form::schema;
  bool stream = true;
  bool newer_limit = false;  // OpenAI's own servers: max_completion_tokens
};

struct Answer {
  std::string text;
  std::vector<Call> calls;
  bool ended = false;  // the server said why it stopped; else the stream broke off
  bool cut = false;    // it stopped because of max_tokens
  std::int64_t prompt_tokens = -1, answer_tokens = -1;  // -1: not said

  // The JSON that was asked for, wherever the server put it; without a fence around it.
  [[nodiscard]] std::string json() const;
};

// About how many tokens a text is, at least: for budgets, and to notice a context that was cut.
[[nodiscard]] std::int64_t at_least_tokens(const Question& question);

}  // namespace hitless::llm
