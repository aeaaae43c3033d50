#include "llm/model.hpp"

#include "base/text.hpp"

namespace hitless::llm {
namespace {

constexpr std::int64_t kMostBytesPerToken = 8;  // English is near 4, logs are below that
constexpr std::int64_t kUsualBytesPerToken = 4;

std::size_t bytes_of(const Question& question) {
  std::size_t bytes = question.system.size();
  for (const Turn& turn : question.turns) {
    bytes += turn.text.size();
    for (const Call& call : turn.calls) bytes += call.arguments.size() + call.result.size();
  }
  return bytes;
}

}  // namespace

std::string Answer::json() const {
  if (!calls.empty()) return calls.front().arguments;
  std::string_view all = trim(text);
  const std::size_t begin = all.find('{'), end = all.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return std::string(all.substr(begin, end - begin + 1));
}

std::int64_t at_least_tokens(const Question& question) {
  return static_cast<std::int64_t>(bytes_of(question)) / kMostBytesPerToken;
}

std::int64_t about_tokens(const Question& question) {
  std::size_t bytes = bytes_of(question) + question.schema.size();
  for (const OfferedTool& tool : question.tools) bytes += tool.about.size() + tool.schema.size();
  return static_cast<std::int64_t>(bytes) / kUsualBytesPerToken;
}

}  // namespace hitless::llm
