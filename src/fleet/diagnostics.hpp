// What is wrong with a fleet file, as values: where, what, why it matters and what to write
// instead.
//
// Columns and lengths count characters (code points), lines and columns start at 1; line 0 means
// the file as a whole. source_line is already redacted (render() escapes it); empty when the line
// is too long to quote.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hitless::fleet {

enum class Severity { error, warning };

struct Diagnostic {
  std::string code;  // "HL0104"
  Severity severity = Severity::error;
  std::string message;
  std::string file;
  int line = 0, column = 0, length = 1;
  std::string source_line;
  std::string label;               // beside the caret
  std::vector<std::string> notes;  // why it matters
  std::string help;                // what to do; empty: `hitless explain CODE` alone
};

struct Span {
  int line = 0, column = 0, length = 1;
};

// Collects for one load; keeps at most kMostDiagnostics and counts the rest.
class Diagnostics {
 public:
  static constexpr std::size_t kMostDiagnostics = 200;
  Diagnostic& add(Diagnostic diagnostic);
  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] std::size_t errors() const { return errors_; }
  [[nodiscard]] std::vector<Diagnostic> take_sorted();  // by file, line, column; repeats dropped

 private:
  std::vector<Diagnostic> list_;
  Diagnostic overflow_;  // where add() writes when the list is full
  std::size_t errors_ = 0;
  std::size_t dropped_ = 0;
};

// The screens of a compiler: a header, the place, the line with a caret, notes; then a summary.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, bool colour);
[[nodiscard]] std::string render(const std::vector<Diagnostic>& diagnostics, bool colour);

// The long text for `hitless explain CODE`; empty for an unknown code.
[[nodiscard]] std::string explain(std::string_view code);
[[nodiscard]] std::vector<std::string> explained_codes();

}  // namespace hitless::fleet
