#include "adapters/journal/json_write.hpp"

#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace hitless::journal {
namespace {

// Characters that could move, hide or split text for whoever reads the log line.
bool must_escape(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

}  // namespace

void JsonWriter::string(std::string_view text) {
  out_ += '"';
  while (!text.empty()) {
    const Decoded next = decode_utf8(text);
    if (!next.valid) {
      out_ += "\xef\xbf\xbd";
    } else if (next.code == '"' || next.code == '\\') {
      out_ += '\\';
      out_ += static_cast<char>(next.code);
    } else if (must_escape(next.code)) {
      out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(next.code));
    } else {
      out_ += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  out_ += '"';
}

void JsonWriter::write(const std::string& value) {
  if (value.size() <= max_string_bytes) {
    string(value);
  } else {
    string(truncate_utf8(value, max_string_bytes));
  }
}

void JsonWriter::write(double value) {
  if (!std::isfinite(value)) return raw("null");  // cannot be read back; see append()
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  raw(text);
  if (text.find_first_of(".e") == std::string_view::npos) raw(".0");
}

std::string quote_json(std::string_view text) {
  JsonWriter writer;
  writer.string(text);
  return writer.take();
}

}  // namespace hitless::journal
