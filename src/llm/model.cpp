#include "llm/model.hpp"

#include "base/text.hpp"

namespace hitless::llm {
namespace {

constexpr std::int64_t kMostBytesPerToken = 8;  // English is near 4, logs are below that

}  // namespace

std::string Answer::json() const {
  if (!calls.empty()) return calls.front().arguments;
  std::string_view all = trim(text);
  const std::size_t begin = all.find('{'), end = all.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return std::string(all.substr(begin, end - begin + 1));
}

std::int64_t at_least_tokens(const Question& question) {
  std::size_t bytes = question.system.size();
  for (const Turn& turn : question.turns) bytes += turn.text.size();
  return static_cast<std::int64_t>(bytes) / kMostBytesPerToken;
}

}  // namespace hitless::llm
