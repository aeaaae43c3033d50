#include "llm/client.hpp"

#include <random>

#include "base/text.hpp"
#include "llm/protocol.hpp"
#include "llm/retry.hpp"
#include "runtime/http.hpp"

namespace hitless::llm {
namespace {

constexpr DurationMs kAttemptMs = 60'000;
constexpr DurationMs kLeastMs = 200;  // with less than that left nothing is begun
constexpr int kRefused = 400;

double random_part() {
  static thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

struct Attempt {
  int status = 0;  // 0: no answer
  Headers headers;
  Result<Answer> answer = fail(ErrorCode::unavailable, "not asked");
};

std::string header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

Task<Attempt> attempt(const Endpoint* endpoint, const Question* question, DurationMs left_ms) {
  Attempt made;
  Stream stream(endpoint->api);
  HttpRequest request;
  request.method = "POST";
  request.url = request_url(endpoint->api, endpoint->url);
  request.headers = request_headers(endpoint->api, endpoint->key);
  request.body = request_body(endpoint->api, *question);
  // A proxy would see in the clear what is meant for a model on this machine.
  request.use_proxy = endpoint->url.starts_with("https://");
  request.timeout_ms = std::min(kAttemptMs, left_ms);
  request.max_body_bytes = 8 * kMaxAnswerBytes;
  // An error or a whole answer is not a stream: it has no lines that begin with "data:".
  if (question->stream)
    request.on_part = [&stream](std::string_view part) { return stream.feed(part); };
  auto response = co_await http_request(std::move(request));
  if (!response) {
    made.answer = tl::unexpected<Error>(
        stream.error().empty() ? response.error()
                               : Error{ErrorCode::failed, "the model: " + stream.error(), {}, {}});
    co_return made;
  }
  made.status = response->status;
  made.headers = std::move(response->headers);
  if (made.status != 200) {
    made.answer =
        fail(ErrorCode::failed, "the model's server said HTTP " + std::to_string(made.status) +
                                    ": " + error_of(response->body));
  } else if (header(made.headers, "content-type").starts_with("text/event-stream")) {
    made.answer = stream.answer();
  } else {
    made.answer = read_answer(endpoint->api, response->body);
  }
  co_return made;
}

Status check_answer(const Question& question, const Answer& answer) {
  if (!answer.ended) return fail(ErrorCode::transport_lost, "the model's answer broke off");
  if (answer.cut) return fail(ErrorCode::failed, "the model's answer was cut at its limit");
  if (answer.prompt_tokens >= 0 && answer.prompt_tokens < at_least_tokens(question))
    return fail(ErrorCode::failed, "the model saw only " + std::to_string(answer.prompt_tokens) +
                                       " tokens of a longer question: its context is too short");
  return {};
}

void take(Budget& budget, const Question& question, const Answer& answer) {
  const std::int64_t in =
      answer.prompt_tokens >= 0 ? answer.prompt_tokens : 2 * at_least_tokens(question);
  const std::int64_t out = answer.answer_tokens >= 0
                               ? answer.answer_tokens
                               : static_cast<std::int64_t>(answer.text.size()) / 4;
  budget.tokens -= in + out;
}

bool other_form(Question& question, Api api) {
  if (!question.tools.empty()) {
    // What was called already cannot be told without them.
    for (const Turn& turn : question.turns)
      if (!turn.calls.empty()) return false;
    question.tools.clear();
    return true;
  }
  if (question.form == Form::plain) return false;
  question.form = question.form == Form::schema && api == Api::openai ? Form::tool : Form::plain;
  return true;
}

// Each look makes the next question longer: there its size counts as it most likely is.
std::int64_t enough_for_tools(const Question& question) {
  return question.tools.empty() ? 0 : about_tokens(question);
}

// Until an answer came, or it is no use to try again.
Task<Attempt> with_retries(const Endpoint* endpoint, const Question* question, TimeMs deadline) {
  Attempt made;
  for (int round = 0; round <= kMaxRetries; ++round) {
    const DurationMs left = deadline - steady_now_ms();
    if (left < kLeastMs) {
      made.answer = fail(ErrorCode::timed_out, "no answer from the model in time");
      co_return made;
    }
    made = co_await attempt(endpoint, question, left);
    if (made.status == 200) co_return made;
    const auto wait = retry_after(made.status, made.headers, round, random_part());
    if (!wait || *wait >= deadline - steady_now_ms()) co_return made;
    co_await sleep_for(*wait);
  }
  co_return made;
}

}  // namespace

Budget new_budget(DurationMs deadline_ms) {
  return {4, 12, 30'000, steady_now_ms() + deadline_ms};
}

Task<Result<Answer>> ask(const Endpoint* endpoint, Question* question, Budget* budget) {
  question->model = endpoint->model;
  question->stream = endpoint->stream;
  question->newer_limit = endpoint->url.find("//api.openai.com") != std::string::npos;
  while (budget->calls > 0) {
    if (budget->tokens <
        std::max(at_least_tokens(*question), enough_for_tools(*question)) + question->max_tokens)
      co_return fail(ErrorCode::refused, "the budget of tokens for the model is used up");
    --budget->calls;
    Attempt made = co_await with_retries(endpoint, question, budget->deadline);
    // llm.cpp and others refuse a response_format that they do not know.
    if (made.status == kRefused && other_form(*question, endpoint->api)) continue;
    if (!made.answer) co_return tl::unexpected<Error>(made.answer.error());
    take(*budget, *question, *made.answer);
    if (Status good = check_answer(*question, *made.answer); !good)
      co_return tl::unexpected<Error>(good.error());
    co_return std::move(made.answer);
  }
  co_return fail(ErrorCode::refused, "the budget of calls for the model is used up");
}

}  // namespace hitless::llm
