#include "confdiff/types.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace hitless::confdiff {
namespace {

constexpr std::size_t kExcerptBytes = 100;  // shown of the line, around the caret
constexpr std::size_t kExcerptLead = 60;    // of them before the caret

// The text of line n (from 1), without its end.
std::string_view line_at(std::string_view content, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = content.find('\n');
    if (end == std::string_view::npos) return {};
    content.remove_prefix(end + 1);
  }
  content = content.substr(0, content.find('\n'));
  if (!content.empty() && content.back() == '\r') content.remove_suffix(1);
  return content;
}

}  // namespace

std::string excerpt_of(std::string_view content, int line, int column) {
  if (line < 1 || column < 1) return {};
  const std::string_view whole = line_at(content, line);
  std::size_t at = static_cast<std::size_t>(column - 1);
  if (at > whole.size()) at = whole.size();
  const std::size_t start = at > kExcerptLead ? at - kExcerptLead : 0;
  const std::string_view shown = whole.substr(start, kExcerptBytes);
  // Only what stands before the caret decides its column, and escapes and redaction change widths.
  std::string lead = escape_for_terminal(shown.substr(0, at - start));
  std::string text = escape_for_terminal(shown);
  const std::string safe = redact(text);
  std::size_t width = display_width(lead);
  if (safe != text) {
    text = safe;
    width = std::min(width, display_width(safe));
  }
  return fmt::format("{}\n{}^", text, std::string(width, ' '));
}

std::string place_of(const ParseError& error) {
  if (error.line <= 0) return error.file;
  return fmt::format("{}:{}:{}", error.file, error.line, error.column);
}

Error to_error(const ParseError& error) {
  return Error{ErrorCode::invalid, error.what, place_of(error), error.excerpt};
}

const char* name_of(ChangeClass change_class) {
  switch (change_class) {
    case ChangeClass::none:
      return "none";
    case ChangeClass::reload:
      return "reload";
    case ChangeClass::reload_watch:
      return "reload-watch";
    case ChangeClass::restart:
      return "restart";
    case ChangeClass::human_only:
      return "human-only";
  }
  return "human-only";
}

const char* name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::added:
      return "added";
    case ChangeKind::removed:
      return "removed";
    case ChangeKind::changed:
      return "changed";
  }
  return "changed";
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::nginx:
      return "nginx";
    case Kind::haproxy:
      return "haproxy";
    case Kind::apache:
      return "Apache";
    case Kind::sshd:
      return "sshd";
    case Kind::systemd_unit:
      return "systemd unit";
    case Kind::env_file:
      return "environment file";
    case Kind::text:
      return "text";
  }
  return "text";
}

const char* name_of(Topic topic) {
  switch (topic) {
    case Topic::upstream:
      return "upstream";
    case Topic::listen:
      return "listen";
    case Topic::body:
      return "body";
    case Topic::tls:
      return "TLS";
    case Topic::logs:
      return "logs";
    case Topic::timeouts:
      return "timeouts";
    case Topic::zones:
      return "zones";
    case Topic::process:
      return "process";
    case Topic::env:
      return "environment";
    case Topic::unknown:
      return "unknown directive";
    case Topic::file:
      return "file";
    case Topic::layout:
      return "layout";
    case Topic::error:
      return "parse error";
  }
  return "unknown directive";
}

}  // namespace hitless::confdiff
