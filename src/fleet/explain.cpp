#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/diagnostics.hpp"
#include "fleet/explain_table.hpp"

namespace hitless::fleet {
namespace {

std::string indented(const char* text) {
  std::string out;
  for (const auto& line : split(text, '\n')) out += (line.empty() ? "" : "    " + line) + "\n";
  return out;
}

// Lines of at most 80 columns, broken at spaces.
std::string wrapped(const std::string& text) {
  constexpr std::size_t widest = 80;
  std::string out;
  std::size_t width = 0;
  for (const auto& word : split(text, ' ')) {
    if (width > 0 && width + 1 + word.size() > widest) {
      out += "\n";
      width = 0;
    }
    if (width > 0) out += " ";
    out += word;
    width += word.size() + (width > 0 ? 1 : 0);
  }
  return out;
}

std::string show(const Explanation& e) {
  return fmt::format("{}: {}\n\n{}\n\n{}\n\nWrong:\n{}\nRight:\n{}", e.code, e.title,
                     wrapped(e.meaning), wrapped(std::string("Why it matters: ") + e.why),
                     indented(e.bad), indented(e.good));
}

}  // namespace

std::string explain(std::string_view code) {
  for (const auto& table : {file_explanations(), fleet_explanations()})
    for (const auto& entry : table)
      if (code == entry.code) return show(entry);
  return {};
}

std::vector<std::string> explained_codes() {
  std::vector<std::string> codes;
  for (const auto& table : {file_explanations(), fleet_explanations()})
    for (const auto& entry : table) codes.emplace_back(entry.code);
  return codes;
}

}  // namespace hitless::fleet
