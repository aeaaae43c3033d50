// A mail as bytes (RFC 5322, 2045–2047): ASCII only, CRLF lines, text and attachments in base64.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "ports/notify.hpp"

namespace hitless::notify {

struct Mail {
  std::string from;
  std::vector<std::string> to;
  std::string subject;
  std::string text;
  std::string message_id;   // "<…>", made of safe characters
  std::string in_reply_to;  // may be empty
  std::string key;
  TimeMs at = 0;
  std::vector<ports::Attachment> attachments;
};

[[nodiscard]] std::string mail_to_text(const Mail& mail);
// The value of a header: no CR, LF or other controls can get through; what is not ASCII in encoded
// words.
[[nodiscard]] std::string header_value(std::string_view text);
// "<R-7f3a.failed.0123abcd@example.org>": the same for the same key, so that receivers can drop
// repeats.
[[nodiscard]] std::string message_id_of(std::string_view key, std::string_view from);

}  // namespace hitless::notify
