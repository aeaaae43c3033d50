#include "fleet/source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "fleet/read_file.hpp"

namespace hitless::fleet {
namespace {

// Of text that is UTF-8 already: all bytes but continuations.
int count_characters(std::string_view text) {
  int count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

std::string with_unix_line_ends(std::string text) {
  if (text.find('\r') == std::string::npos) return text;
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 >= text.size() || text[i + 1] != '\n') out += text[i];
  return out;
}

// A secret must not be shown by the very message that complains about it. The caret stays where the
// line still is as it was written.
void hide_secrets(Diagnostic& d) {
  std::string shown = redact(d.source_line);
  if (shown == d.source_line) return;
  const auto [a, b] =
      std::mismatch(shown.begin(), shown.end(), d.source_line.begin(), d.source_line.end());
  const int same = count_characters({shown.data(), static_cast<std::size_t>(a - shown.begin())});
  if (d.column > same + 1) d.column = same + 1;
  if (d.column + d.length > same + 1) d.length = std::max(1, same + 1 - d.column);
  if (d.column == same + 1) d.length = count_characters("[redacted]");
  d.source_line = std::move(shown);
}

}  // namespace

bool Source::read(const std::string& path, const std::string& shown, Diagnostics& diagnostics,
                  Source& out) {
  auto content = read_small_file(path, kMaxBytes);
  if (content) return from_text(std::move(*content), shown, diagnostics, out);
  const bool too_large = content.error().code == ErrorCode::invalid &&
                         content.error().what.find("large") != std::string::npos;
  Diagnostic d;
  d.code = too_large ? "HL0002" : "HL0001";
  d.message = fmt::format("{} {}", shown, content.error().what);
  d.file = shown;
  diagnostics.add(std::move(d));
  return false;
}

bool Source::from_text(std::string text, const std::string& shown, Diagnostics& diagnostics,
                       Source& out) {
  out.name_ = shown;
  if (text.size() > kMaxBytes) {
    Diagnostic d;
    d.code = "HL0002";
    d.message = fmt::format("{} is {} large; at most 1 MiB is read", shown, show_size(text.size()));
    d.file = shown;
    diagnostics.add(std::move(d));
    return false;
  }
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.compare(0, 3, byte_order_mark) == 0) text.erase(0, 3);
  out.text_ = with_unix_line_ends(std::move(text));
  out.index_lines();
  return out.check_bytes(diagnostics);
}

void Source::index_lines() {
  starts_.assign(1, 0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') starts_.push_back(i + 1);
}

bool Source::check_bytes(Diagnostics& diagnostics) const {
  const auto bad = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7f;
  };
  const std::size_t control =
      static_cast<std::size_t>(std::find_if(text_.begin(), text_.end(), bad) - text_.begin());
  const std::size_t broken = find_broken_utf8(text_);
  const std::size_t at = std::min(control, broken);
  if (at >= text_.size()) return true;
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), at);
  const auto line0 = static_cast<int>(after - starts_.begin()) - 1;
  const auto column = static_cast<int>(at - starts_[static_cast<std::size_t>(line0)]);
  const Span span = span_at(line0, column, 1);
  const auto byte = static_cast<unsigned char>(text_[at]);
  if (at == broken) {
    Diagnostic d =
        error("HL0003", span, fmt::format("byte 0x{:02x} is not UTF-8", byte), "broken from here");
    d.help = "save the file as UTF-8";
    const bool wide = text_.compare(0, 2, "\xff\xfe") == 0 || text_.compare(0, 2, "\xfe\xff") == 0;
    if (wide) d.notes.emplace_back("it starts like a UTF-16 file");
    diagnostics.add(std::move(d));
    return false;
  }
  const std::string what =
      byte == 0 ? "a NUL byte" : fmt::format("control character 0x{:02x}", byte);
  diagnostics.add(error("HL0003", span, what + " in a text file", "remove it"));
  return false;
}

std::string_view Source::line(int number) const {
  if (number < 1 || number > line_count()) return {};
  const auto index = static_cast<std::size_t>(number);
  const std::size_t start = starts_[index - 1];
  const std::size_t end = index < starts_.size() ? starts_[index] - 1 : text_.size();
  return std::string_view(text_).substr(start, end - start);
}

Span Source::span_at(int line0, int byte_column, std::size_t bytes) const {
  Span span;
  span.line = std::clamp(line0 + 1, 1, line_count());
  const std::string_view whole = line(span.line);
  const std::size_t column =
      std::min(static_cast<std::size_t>(std::max(0, byte_column)), whole.size());
  if (counted_.line != span.line || counted_.bytes > column) counted_ = {span.line, 0, 0};
  counted_.characters += count_characters(whole.substr(counted_.bytes, column - counted_.bytes));
  counted_.bytes = column;
  span.column = counted_.characters + 1;
  span.length = std::max(1, count_characters(whole.substr(column, bytes)));
  return span;
}

Diagnostic Source::error(std::string code, Span at, std::string message, std::string label) const {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = name_;
  d.line = at.line;
  d.column = at.column;
  d.length = at.length;
  d.label = std::move(label);
  if (line(at.line).size() > kLongestShownLine) return d;
  d.source_line = std::string(line(at.line));
  hide_secrets(d);
  return d;
}

Diagnostic Source::warning(std::string code, Span at, std::string message,
                           std::string label) const {
  Diagnostic d = error(std::move(code), at, std::move(message), std::move(label));
  d.severity = Severity::warning;
  return d;
}

}  // namespace hitless::fleet
