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

std::string show(const Explanation& e) {
  return fmt::format("{}: {}\n\n{}\n\nWhy it matters: {}\n\nWrong:\n{}\nRight:\n{}", e.code,
                     e.title, e.meaning, e.why, indented(e.bad), indented(e.good));
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
