#include "fleet/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace hitless::fleet {
namespace {

constexpr std::size_t kWidestLine = 160;  // characters of a source line that are shown
constexpr std::size_t kLongestNote = 500;

struct Paint {
  const char *error, *warning, *place, *bold, *off;
};
constexpr Paint kPlain{"", "", "", "", ""};
constexpr Paint kColours{"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"};

std::string safe(std::string_view text) {
  return escape_for_terminal(truncate_utf8(text, kLongestNote));
}

// Byte offset of the nth character.
std::size_t offset_of(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) at += decode_utf8(text.substr(at)).size;
  return at;
}

std::string visible(std::string_view text) {
  std::string spaced;
  for (const char c : text) c == '\t' ? spaced.append("    ") : spaced.append(1, c);
  return escape_for_terminal(spaced);
}

struct Snippet {
  std::string text, indent, underline;
};

// A window of the line around the caret, with the caret's place in terminal columns.
Snippet snippet_of(const Diagnostic& d) {
  const std::string_view line = d.source_line;
  const std::size_t column = d.column > 0 ? static_cast<std::size_t>(d.column - 1) : 0;
  std::size_t from = 0;
  if (column > kWidestLine * 3 / 4) from = column - kWidestLine / 2;
  const std::size_t start = offset_of(line, from);
  const std::size_t caret = start + offset_of(line.substr(start), column - from);
  const std::size_t stop = start + offset_of(line.substr(start), kWidestLine);
  const std::string lead = from > 0 ? "…" : "";
  const std::string before = lead + visible(line.substr(start, caret - start));
  const std::string rest = visible(line.substr(caret, stop - caret));
  const auto length = static_cast<std::size_t>(std::max(1, d.length));
  const std::size_t marked_end = std::min(stop, caret + offset_of(line.substr(caret), length));
  const std::size_t width = display_width(visible(line.substr(caret, marked_end - caret)));
  Snippet out;
  out.text = before + rest + (stop < line.size() ? "…" : "");
  out.indent = std::string(display_width(before), ' ');
  out.underline = std::string(std::max<std::size_t>(1, width), '^');
  return out;
}

void append_line(std::string& out, std::string line) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  out += line + "\n";
}

auto place_of(const Diagnostic& d) {
  return std::tie(d.file, d.line, d.column, d.code, d.message);
}

}  // namespace

Diagnostic& Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::error) ++errors_;
  if (list_.size() >= kMostDiagnostics) {
    ++dropped_;
    overflow_ = Diagnostic{};
    return overflow_;
  }
  list_.push_back(std::move(diagnostic));
  return list_.back();
}

std::vector<Diagnostic> Diagnostics::take_sorted() {
  std::sort(list_.begin(), list_.end(),
            [](const auto& a, const auto& b) { return place_of(a) < place_of(b); });
  list_.erase(std::unique(list_.begin(), list_.end(),
                          [](const auto& a, const auto& b) { return place_of(a) == place_of(b); }),
              list_.end());
  if (dropped_ > 0 && !list_.empty())
    list_.back().notes.push_back(fmt::format("{} more findings are not shown", dropped_));
  return std::move(list_);
}

std::string render(const Diagnostic& d, bool colour) {
  const Paint& paint = colour ? kColours : kPlain;
  const bool is_error = d.severity == Severity::error;
  const char* tint = is_error ? paint.error : paint.warning;
  std::string out = fmt::format("{}{}[{}]{}{}: {}{}\n", tint, is_error ? "error" : "warning",
                                d.code, paint.off, paint.bold, safe(d.message), paint.off);
  const std::string number = d.line > 0 ? std::to_string(d.line) : "";
  const std::string gutter(std::max<std::size_t>(1, number.size()), ' ');
  const std::string file = safe(d.file);
  const std::string place = d.line > 0 ? fmt::format("{}:{}:{}", file, d.line, d.column) : file;
  out += fmt::format("{}{}-->{} {}\n", gutter, paint.place, paint.off, place);
  const std::string bar = fmt::format("{} {}|{}", gutter, paint.place, paint.off);
  const std::string equals = fmt::format("{} {}={}", gutter, paint.place, paint.off);
  if (d.line > 0 && d.source_line.empty() && !d.label.empty()) {
    out += fmt::format("{} {}\n", equals, safe(d.label));
  } else if (d.line > 0 && !d.source_line.empty()) {
    const Snippet snippet = snippet_of(d);
    append_line(out, bar);
    append_line(out, fmt::format("{}{} |{} {}", paint.place, number, paint.off, snippet.text));
    append_line(out, fmt::format("{} {}{}{} {}{}", bar, snippet.indent, tint, snippet.underline,
                                 safe(d.label), paint.off));
  }
  for (const auto& note : d.notes) out += fmt::format("{} note: {}\n", equals, safe(note));
  if (!d.help.empty()) out += fmt::format("{} help: {}\n", equals, safe(d.help));
  out += fmt::format("{} help: hitless explain {}\n", equals, d.code);
  return out;
}

std::string render(const std::vector<Diagnostic>& diagnostics, bool colour) {
  std::string out;
  std::size_t errors = 0, warnings = 0;
  for (const auto& d : diagnostics) {
    out += render(d, colour) + "\n";
    ++(d.severity == Severity::error ? errors : warnings);
  }
  if (diagnostics.empty()) return out;
  const auto count = [](std::size_t n, const char* word) {
    return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
  };
  std::string summary = errors > 0 ? count(errors, "error") : "";
  if (warnings > 0) summary += (summary.empty() ? "" : ", ") + count(warnings, "warning");
  return out + summary + "\n";
}

}  // namespace hitless::fleet
