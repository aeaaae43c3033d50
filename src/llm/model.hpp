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

// Of the tool that stands for the answer, or of one that looks. With what came of it once it was
// carried out: text, or why not.
struct Call {
  std::string id, name, arguments;
  std::string result = {};
  bool failed = false;
};

// Either text, or calls: from_model those that it made, else the same with their results.
struct Turn {
  bool from_model = false;
  std::string text;
  std::vector<Call> calls;
};

struct OfferedTool {
  std::string name, about, schema;  // JSON Schema of its arguments, as JSON text
};

struct Question {
  std::string model;
  std::string system;
  std::vector<Turn> turns;
  std::string name, about;  // of the answer: "diagnosis"
  std::string schema;       // JSON Schema of the answer, as JSON text
  std::int64_t max_tokens = 2'000;
  Form form = Form::schema;
  // What it may call before it answers (tool_loop.hpp). Then the answer is a tool too, whatever the
  // form; must_answer: no other one any more.
  std::vector<OfferedTool> tools;
  bool must_answer = false;
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
// About how many it is, more likely too many than too few: whether the budget holds another call.
[[nodiscard]] std::int64_t about_tokens(const Question& question);

}  // namespace hitless::llm
