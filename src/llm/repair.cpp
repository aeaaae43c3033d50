#include "llm/repair.hpp"

#include "base/text.hpp"

namespace hitless::llm {
namespace {

constexpr std::size_t kMaxEchoBytes = 8'000;

}  // namespace

void add_repair(Question& question, const Answer& answer, const std::string& wrong) {
  Turn said{true, truncate_utf8(answer.text, kMaxEchoBytes), {}};
  Turn why{false, "That was not accepted: " + wrong + ". Answer once more, in the same shape.", {}};
  if (!answer.calls.empty() && !answer.calls.front().id.empty()) {
    said.calls = {answer.calls.front()};
    why.calls = said.calls;
    why.calls.front().arguments.clear();
    why.calls.front().result = std::move(why.text);
    why.calls.front().failed = true;
    why.text.clear();
  } else if (said.text.empty()) {
    said.text = "(nothing)";  // an empty turn is refused by some servers
  }
  question.turns.push_back(std::move(said));
  question.turns.push_back(std::move(why));
}

}  // namespace hitless::llm
