#include "adapters/service/evidence.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::service {

std::string evidence(std::string_view text) {
  return truncate_utf8(redact(trim(text)), kMaxEvidenceBytes);
}

std::string last_lines(std::string_view text, std::size_t count) {
  std::vector<std::string> kept;
  for (const std::string& line : split(text, '\n')) {
    if (const std::string_view trimmed = trim(line); !trimmed.empty()) kept.emplace_back(trimmed);
  }
  if (kept.size() > count)
    kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(count));
  return evidence(join(kept, "; "));
}

std::string describe_exit(const ports::ExecResult& result) {
  const std::string err = last_lines(result.err, 1);
  const std::string said = err.empty() ? last_lines(result.out, 1) : err;
  return "exit " + std::to_string(result.exit_code) + (said.empty() ? "" : ": " + said);
}

core::Check check(std::string name, core::CheckStatus status, std::string_view text,
                  std::string help) {
  return {std::move(name), status, evidence(text), std::move(help)};
}

core::Check unknown_check(std::string name, const Error& error) {
  Error said = error;
  said.help.clear();  // it has a line of its own
  return {std::move(name), core::CheckStatus::unknown, evidence(describe(said)), error.help};
}

}  // namespace hitless::service
