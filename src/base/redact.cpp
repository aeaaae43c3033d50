// redact(): one pass over the words of a text (linear time), after private keys were cut out.
//
// It errs on the side of hiding: an unquoted value ends only at white space, '&' or a separator
// that is followed by white space, and an unterminated quote or key block hides the rest.
#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace hitless {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr std::size_t kLongestKey = 128;
constexpr std::size_t npos = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}
bool is_word(char c) {
  return is_alnum(c) || c == '_' || c == '-' || c == '.';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}
bool is_quote(char c) {
  return c == '"' || c == '\'';
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// ${env:X}, ${file:/p}: names where the secret is. Not ${X:-default}, which may hold it.
bool is_reference(std::string_view value) {
  if (value.size() < 4 || value.substr(0, 2) != "${" || value.back() != '}') return false;
  const std::string_view body = value.substr(2, value.size() - 3);
  for (const char c : body)
    if (!is_word(c) && c != ':' && c != '/') return false;
  return body.find(":-") == npos && body.find(":=") == npos;
}

enum class KeyKind { none, value, whole_line };

KeyKind kind_of_key(std::string_view word) {
  if (word.size() > kLongestKey || word.size() < 3) return KeyKind::none;
  const std::string key = lowered(word);
  if (key.find("authorization") != npos || key.find("cookie") != npos) return KeyKind::whole_line;
  static constexpr std::array<std::string_view, 18> anywhere = {
      "password",    "passwd",      "passphrase", "secret",      "token",       "credential",
      "api_key",     "api-key",     "apikey",     "access_key",  "access-key",  "accesskey",
      "private_key", "private-key", "privatekey", "routing_key", "signing_key", "account_key"};
  for (const auto part : anywhere)
    if (key.find(part) != npos) return KeyKind::value;
  static constexpr std::array<std::string_view, 7> whole = {
      "pass", "pwd", "sig", "x-amz-signature", "requirepass", "masterauth", "integration_key"};
  for (const auto name : whole)
    if (key == name) return KeyKind::value;
  for (const auto end : {"_pass", "-pass", ".pass", "_pwd", "-pwd"})
    if (ends_with(key, end)) return KeyKind::value;
  return KeyKind::none;
}

bool is_bearer_scheme(std::string_view word) {
  const std::string name = lowered(word);
  return name == "bearer" || name == "basic" || name == "digest" || name == "token" ||
         name == "negotiate" || name == "apikey";
}

// AKIA or ASIA and 16 capitals or digits, standing alone.
std::size_t find_aws_key(std::string_view word) {
  constexpr std::size_t size = 20;
  for (std::size_t i = 0; i + size <= word.size(); ++i) {
    const std::string_view head = word.substr(i, 4);
    if (head != "AKIA" && head != "ASIA") continue;
    if (i > 0 && is_alnum(word[i - 1])) continue;
    if (i + size < word.size() && is_alnum(word[i + size])) continue;
    const std::string_view rest = word.substr(i + 4, size - 4);
    if (std::all_of(rest.begin(), rest.end(), [](char c) { return is_upper(c) || is_digit(c); }))
      return i;
  }
  return npos;
}

bool is_known_token(std::string_view word) {
  struct Shape {
    std::string_view prefix;
    std::size_t min_size;
  };
  static constexpr std::array<Shape, 13> shapes = {{{"xoxa-", 12},
                                                    {"xoxb-", 12},
                                                    {"xoxc-", 12},
                                                    {"xoxe-", 12},
                                                    {"xoxp-", 12},
                                                    {"xoxr-", 12},
                                                    {"xoxs-", 12},
                                                    {"xapp-", 12},
                                                    {"ghp_", 24},
                                                    {"gho_", 24},
                                                    {"github_pat_", 30},
                                                    {"glpat-", 20},
                                                    {"sk-", 24}}};
  for (const auto& shape : shapes)
    if (word.size() >= shape.min_size && word.substr(0, shape.prefix.size()) == shape.prefix)
      return true;
  // A JSON web token: three base64url parts, the first an encoded '{"'.
  return word.size() > 30 && word.substr(0, 3) == "eyJ" &&
         std::count(word.begin(), word.end(), '.') == 2;
}

class Redactor {
 public:
  explicit Redactor(std::string_view text) : text_(text) { out_.reserve(text.size()); }

  std::string run() {
    while (at_ < text_.size()) {
      if (!is_word(text_[at_])) {
        out_ += text_[at_++];
        continue;
      }
      std::size_t end = at_;
      while (end < text_.size() && is_word(text_[end])) ++end;
      take_word(text_.substr(at_, end - at_));
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\n'; }

  void copy_to(std::size_t end) {
    out_ += text_.substr(at_, end - at_);
    at_ = end;
  }
  void hide_to(std::size_t end) {
    if (is_reference(text_.substr(at_, end - at_))) return copy_to(end);
    if (end > at_) out_ += kRedacted;
    at_ = end;
  }
  [[nodiscard]] std::size_t skip_blanks(std::size_t at) const {
    while (at < text_.size() && is_blank(text_[at])) ++at;
    return at;
  }

  void take_word(std::string_view word) {
    const std::size_t start = at_, end = at_ + word.size();
    if (text_.substr(end, 3) == "://") return take_url(word);
    const KeyKind kind = kind_of_key(word);
    if (kind != KeyKind::none && take_pair(word, kind, start, end)) return;
    const std::string_view bare = word.substr(std::min(word.find_first_not_of('-'), word.size()));
    if (lowered(bare) == "bearer" && is_blank(peek(end))) {
      copy_to(skip_blanks(end));
      return hide_to(value_end(at_, '\0'));
    }
    if (is_known_token(bare)) return hide_to(end);
    if (const std::size_t aws = find_aws_key(word); aws != npos) {
      copy_to(start + aws);
      return hide_to(start + aws + 20);
    }
    if (lowered(word) == "auth" && ends_with(out_, "stats ") && is_blank(peek(end))) {
      copy_to(skip_blanks(end));
      return hide_to(value_end(at_, '\0'));
    }
    copy_to(end);
  }

  // scheme://user:password@host. A lone user is kept where it is no secret (ssh).
  void take_url(std::string_view scheme) {
    copy_to(at_ + scheme.size() + 3);
    std::size_t end = at_;
    while (end < text_.size() && std::string_view("/?# \t\r\n\"'<>`").find(text_[end]) == npos)
      ++end;
    const std::string_view authority = text_.substr(at_, end - at_);
    const std::size_t host_at = authority.rfind('@');
    if (host_at != npos) {
      const bool secret = authority.substr(0, host_at).find(':') != npos ||
                          (scheme != "ssh" && scheme != "sftp" && scheme != "git+ssh");
      if (secret) hide_to(at_ + host_at);
    }
    // The path of a Slack webhook is the whole secret.
    if (authority.substr(host_at == npos ? 0 : host_at + 1) == "hooks.slack.com") {
      copy_to(end);
      hide_to(value_end(at_, '\0'));
    }
  }

  // key=value, key: value, "key": "value", --key value, Authorization Bearer value.
  bool take_pair(std::string_view word, KeyKind kind, std::size_t start, std::size_t end) {
    std::size_t at = end;
    while (at < end + 4 && (peek(at) == '\\' || is_quote(peek(at)) || peek(at) == ']')) ++at;
    at = skip_blanks(at);
    const bool separated = peek(at) == '=' || peek(at) == ':';
    if (separated) {
      ++at;
      if (peek(at) == '=' || peek(at) == '>') ++at;  // := and =>
    } else if (!may_follow_blank(word, kind, at, end)) {
      return false;
    }
    at = skip_blanks(at);
    if (at >= text_.size() || is_line_end(text_[at])) return false;
    const std::string key = lowered(word);
    // The name of a file that holds a secret is not the secret.
    for (const auto suffix : {"_file", "_path", "-file", "-path"})
      if (ends_with(key, suffix) && text_[at] == '/') return false;
    copy_to(at);
    hide_value(kind, start > 0 && is_quote(text_[start - 1]) ? text_[start - 1] : '\0');
    return true;
  }

  // Without '=' or ':' only where the form leaves no doubt, so that "password authentication
  // failed" stays readable.
  [[nodiscard]] bool may_follow_blank(std::string_view word, KeyKind kind, std::size_t at,
                                      std::size_t end) const {
    if (at == end) return false;
    if (word.substr(0, 2) == "--") return peek(at) != '-';
    const std::string key = lowered(word);
    if (key == "insecure-password" || key == "requirepass" || key == "masterauth") return true;
    if (kind != KeyKind::whole_line || !ends_with(key, "authorization")) return false;
    if (is_quote(peek(at))) ++at;
    std::size_t stop = at;
    while (stop < text_.size() && is_word(text_[stop])) ++stop;
    return is_bearer_scheme(text_.substr(at, stop - at));
  }

  void hide_value(KeyKind kind, char quote_before_key) {
    std::size_t slashes = 0;
    while (peek(at_ + slashes) == '\\') ++slashes;
    const char quote = peek(at_ + slashes);
    if (is_quote(quote)) {
      copy_to(at_ + slashes + 1);
      return hide_to(quoted_end(at_, quote, slashes));
    }
    if (kind == KeyKind::value) return hide_to(value_end(at_, quote_before_key));
    std::size_t end = at_;
    while (end < text_.size() && !is_line_end(text_[end]) &&
           (quote_before_key == '\0' || text_[end] != quote_before_key))
      ++end;
    hide_to(end);
  }

  // The closing quote carries as many backslashes as the opening one (JSON within JSON).
  [[nodiscard]] std::size_t quoted_end(std::size_t at, char quote, std::size_t slashes) const {
    std::size_t run = 0;
    for (; at < text_.size() && !is_line_end(text_[at]); ++at) {
      if (text_[at] == '\\') {
        ++run;
        continue;
      }
      if (text_[at] == quote && (slashes == 0 ? run % 2 == 0 : run == slashes)) return at - slashes;
      run = 0;
    }
    return at;
  }

  [[nodiscard]] std::size_t value_end(std::size_t at, char stop) const {
    std::size_t open = 0;  // a brace that the value itself opened is closed by it
    for (; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '{') ++open;
      if (c == '}' && open > 0) {
        --open;
        continue;
      }
      if (is_blank(c) || is_line_end(c) || c == '&' || is_quote(c) || (stop != '\0' && c == stop))
        break;
      const char next = peek(at + 1);
      if ((c == ',' || c == ';' || c == ')' || c == '}') && (is_blank(next) || is_line_end(next)))
        break;
    }
    return at;
  }

  std::string_view text_;
  std::string out_;
  std::size_t at_ = 0;
};

// -----BEGIN … PRIVATE KEY----- up to its -----END …-----; without an end, all that follows.
std::string without_private_keys(std::string_view text) {
  constexpr std::string_view begin = "-----BEGIN ", end = "-----END ", dashes = "-----";
  std::string out;
  std::size_t from = 0;
  while (true) {
    const std::size_t start = text.find(begin, from);
    if (start == npos) break;
    const std::size_t title = start + begin.size();
    const std::size_t title_end = text.find(dashes, title);
    const bool is_private = title_end != npos && title_end - title < 80 &&
                            text.substr(title, title_end - title).find("PRIVATE KEY") != npos;
    if (!is_private) {
      out += text.substr(from, title - from);
      from = title;
      continue;
    }
    out += text.substr(from, start - from);
    out += kRedacted;
    const std::size_t stop = text.find(end, title_end);
    const std::size_t stop_end = stop == npos ? npos : text.find(dashes, stop + end.size());
    if (stop_end == npos) return out;
    from = stop_end + dashes.size();
  }
  return out.append(text.substr(from));
}

}  // namespace

std::string redact(std::string_view text) {
  if (text.find("-----BEGIN ") == npos) return Redactor(text).run();
  const std::string without_keys = without_private_keys(text);
  return Redactor(without_keys).run();
}

}  // namespace hitless
