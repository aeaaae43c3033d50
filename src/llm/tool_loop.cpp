#include "llm/tool_loop.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/text.hpp"

namespace hitless::llm {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxArgumentBytes = 4'000;
constexpr std::size_t kMaxNameBytes = 64;
constexpr DurationMs kLeastMs = 1;

json::value sorted(const json::value& value, int depth = 0) {
  if (depth > 32) return value;
  if (const json::array* list = value.if_array()) {
    json::array out;
    for (const json::value& each : *list) out.push_back(sorted(each, depth + 1));
    return out;
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return value;
  std::vector<std::string> keys;
  for (const auto& each : *object) keys.emplace_back(each.key());
  std::sort(keys.begin(), keys.end());
  json::object out;
  for (const std::string& key : keys) out[key] = sorted(object->at(key), depth + 1);
  return out;
}

// What is left of the budget has to be enough to ask once more, with what this look adds.
bool may_look(const Question& question, const Budget& budget) {
  const std::int64_t next = about_tokens(question) + question.max_tokens;
  return budget.calls > kCallsKeptForTheAnswer && budget.tool_calls > 0 &&
         budget.tokens > 2 * next && budget.deadline - steady_now_ms() > kTimeKeptForTheAnswer;
}

class Looking {
 public:
  Looking(const ToolBox* box, Budget* budget) : box_(box), budget_(budget) {}

  Task<Status> run(Call* call) {
    call->failed = true;
    if (--budget_->tool_calls < 0) {
      budget_->tool_calls = 0;
      call->result = "refused: no looks are left; answer now";
      co_return Status{};
    }
    const auto offered = std::any_of(box_->tools.begin(), box_->tools.end(),
                                     [&](const auto& each) { return each.name == call->name; });
    if (!offered) {
      call->result = "refused: there is no such tool";
      co_return Status{};
    }
    if (call->arguments.size() > kMaxArgumentBytes) {
      call->result = "refused: the arguments are too long";
      co_return Status{};
    }
    if (!asked_.insert(same_call(*call)).second) {
      call->result = "refused: you have called it with these arguments already";
      co_return Status{};
    }
    const DurationMs left =
        std::max<DurationMs>(budget_->deadline - steady_now_ms() - kTimeKeptForTheAnswer, kLeastMs);
    auto result = co_await box_->run(*call, left);
    if (!result) co_return tl::unexpected<Error>(result.error());
    call->result = std::move(result->text);
    call->failed = result->failed;
    co_return Status{};
  }

 private:
  const ToolBox* box_;
  Budget* budget_;
  std::set<std::string> asked_;
};

// With it alone, the answer is what a question without tools would have had.
bool take_answer(const Question& question, Answer& answer) {
  for (const Call& call : answer.calls) {
    if (call.name != question.name) continue;
    answer.calls = {Call(call)};
    return true;
  }
  return answer.calls.empty() || question.tools.empty() || question.must_answer;
}

// Both protocols tell results and calls apart by their ids alone.
void name_calls(std::vector<Call>& calls, std::size_t turn) {
  std::set<std::string> used;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Call& call = calls[i];
    call.name = truncate_utf8(call.name, kMaxNameBytes);
    if (call.id.empty() || !used.insert(call.id).second)
      call.id = "call_" + std::to_string(turn) + "_" + std::to_string(i);
  }
}

}  // namespace

std::string same_call(const Call& call) {
  boost::system::error_code error;
  const json::value parsed = json::parse(call.arguments, error);
  return call.name + " " + (error ? call.arguments : json::serialize(sorted(parsed)));
}

Task<Result<Answer>> ask_with_tools(const Endpoint* endpoint, Question* question,
                                    const ToolBox* box, Budget* budget) {
  question->must_answer = true;
  if (box == nullptr || box->tools.empty()) co_return co_await ask(endpoint, question, budget);
  question->tools = box->tools;
  Looking looking(box, budget);
  while (true) {
    question->must_answer = !may_look(*question, *budget);
    auto answer = co_await ask(endpoint, question, budget);
    if (!answer || take_answer(*question, *answer)) co_return answer;
    name_calls(answer->calls, question->turns.size());
    Turn said{true, answer->text, answer->calls};
    Turn results{false, {}, std::move(answer->calls)};
    for (Call& call : results.calls) {
      if (Status ok = co_await looking.run(&call); !ok) co_return tl::unexpected<Error>(ok.error());
    }
    question->turns.push_back(std::move(said));
    question->turns.push_back(std::move(results));
  }
}

}  // namespace hitless::llm
