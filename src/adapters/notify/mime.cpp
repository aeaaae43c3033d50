#include "adapters/notify/mime.hpp"

#include <ctime>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace hitless::notify {
namespace {

constexpr std::size_t base64_line = 76;
constexpr std::size_t encoded_word_bytes = 42;  // of text, 56 of base64: a word stays under 75
constexpr std::size_t max_plain_header_bytes = 900;

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// For file names and ids: everything unusual becomes '-'.
std::string plain_word(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : text.substr(0, max_bytes)) out += is_word_character(c) ? c : '-';
  return out.empty() ? "file" : out;
}

std::string plain_media_type(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return "application/octet-stream";
  const std::string_view sub = text.substr(slash + 1);
  std::string type = plain_word(text.substr(0, slash), 40) + "/";
  for (const char c : sub.substr(0, 80)) {
    if (!is_word_character(c) && c != '+') break;
    type += c;
  }
  return type.back() == '/' ? "application/octet-stream" : type;
}

std::string base64_lines(std::string_view content) {
  const std::string text = base64(content);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += base64_line)
    out += text.substr(at, base64_line) + "\r\n";
  return out;
}

std::string format_date(TimeMs at) {
  const std::time_t seconds = at / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", days[utc.tm_wday], utc.tm_mday,
                     months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string header_value(std::string_view text) {
  std::string clean = escape_for_terminal(text);
  const bool plain =
      clean.size() <= max_plain_header_bytes && clean.find("=?") == std::string::npos &&
      std::all_of(clean.begin(), clean.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (plain) return clean;
  std::string out;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    out += (out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + base64(word) + "?=";
    word.clear();
  };
  std::string_view rest = clean;
  while (!rest.empty()) {
    const std::size_t size = decode_utf8(rest).size;
    if (word.size() + size > encoded_word_bytes) end_word();
    word += rest.substr(0, size);
    rest.remove_prefix(size);
  }
  end_word();
  return out;
}

std::string message_id_of(std::string_view key, std::string_view from) {
  const auto at = from.rfind('@');
  const std::string domain =
      at == std::string_view::npos ? "hitless.invalid" : plain_word(from.substr(at + 1), 253);
  return fmt::format("<{}.{}@{}>", plain_word(key, 60), sha256_hex(key).substr(0, 16), domain);
}

std::string mail_to_text(const Mail& mail) {
  const std::string boundary = "hitless-" + random_hex(16);
  std::vector<std::string> to;
  for (const auto& address : mail.to) to.push_back(header_value(address));
  std::string out;
  const auto line = [&](std::string_view text) {
    out += text;
    out += "\r\n";
  };
  line("Date: " + format_date(mail.at));
  line("From: hitless <" + header_value(mail.from) + ">");
  line("To: " + join(to, ",\r\n "));
  line("Subject: " + header_value(mail.subject));
  line("Message-ID: " + mail.message_id);
  if (!mail.in_reply_to.empty()) {
    line("In-Reply-To: " + mail.in_reply_to);
    line("References: " + mail.in_reply_to);
  }
  line("Auto-Submitted: auto-generated");
  line("X-Hitless-Key: " + header_value(mail.key));
  line("MIME-Version: 1.0");
  line("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"");
  line("");
  line("--" + boundary);
  line("Content-Type: text/plain; charset=utf-8");
  line("Content-Transfer-Encoding: base64");
  line("");
  out += base64_lines(mail.text);
  for (const auto& attachment : mail.attachments) {
    const std::string name = plain_word(attachment.name, 100);
    line("--" + boundary);
    line("Content-Type: " + plain_media_type(attachment.media_type) + "; name=\"" + name + "\"");
    line("Content-Transfer-Encoding: base64");
    line("Content-Disposition: attachment; filename=\"" + name + "\"");
    line("");
    out += base64_lines(attachment.content);
  }
  line("--" + boundary + "--");
  return out;
}

}  // namespace hitless::notify
