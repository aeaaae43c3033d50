// The two protocols as pure functions: requests as bodies and headers, answers from whole bodies
// and from streams. Nothing here talks to anybody.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "llm/model.hpp"

namespace hitless::llm {

inline constexpr std::size_t kMaxAnswerBytes = 256u << 10;

[[nodiscard]] std::string request_body(Api api, const Question& question);
// "{base}/chat/completions" or "{base}/v1/messages".
[[nodiscard]] std::string request_url(Api api, std::string_view base);
[[nodiscard]] std::vector<std::string> request_headers(Api api, const std::string& key);

// A whole answer; fails with invalid when it is none.
[[nodiscard]] Result<Answer> read_answer(Api api, std::string_view body);

// An answer as it comes in as server-sent events. After any error it stays failed.
class Stream {
 public:
  explicit Stream(Api api) : api_(api) {}
  // False: no more is wanted, error() says why.
  bool feed(std::string_view part);
  [[nodiscard]] const Answer& answer() const { return answer_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  bool event(std::string_view data);
  void openai(std::string_view data);
  void anthropic(std::string_view data);
  Call* call_at(std::int64_t index);

  Api api_;
  std::string buffer_, error_;
  std::size_t seen_ = 0;
  bool in_call_ = false;  // Anthropic: the block under way is one
  Answer answer_;
};

// What a server says of a request that it did not answer, in one line.
[[nodiscard]] std::string error_of(std::string_view body);

}  // namespace hitless::llm
