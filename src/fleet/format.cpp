#include "fleet/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/calendar.hpp"
#include "fleet/secret.hpp"

namespace hitless::fleet {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

tl::unexpected<Error> bad(std::string_view why) {
  return fail(ErrorCode::invalid, std::string(why));
}

Status check_text(std::string_view text) {
  constexpr std::size_t longest = 4096;
  if (text.empty()) return bad("it is empty");
  if (text.size() > longest) return bad("it is longer than 4096 bytes");
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n')
      return bad("it contains a control character");
  return {};
}

// One word of a command may be empty and may hold line breaks (sh -c), but never a NUL.
Status check_argument(std::string_view text) {
  constexpr std::size_t longest = 16 * 1024;
  if (text.size() > longest) return bad("it is longer than 16 KiB");
  return text.find('\0') == std::string_view::npos ? Status{}
                                                   : Status(bad("it contains a NUL byte"));
}

Status check_path(std::string_view text) {
  if (auto ok = check_text(text); !ok) return ok;
  if (text.find('\n') != std::string_view::npos) return bad("it contains a line break");
  if (text.front() == '-') return bad("it starts with '-'; write ./ before it");
  return text.back() == '/' ? Status(bad("it ends in '/'")) : Status{};
}

Status check_host_ref(std::string_view text) {
  constexpr std::string_view group = "group:";
  if (text.substr(0, group.size()) == group) return check_host_name(text.substr(group.size()));
  return check_host_name(text);
}

Status check_mode(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  if (text.size() != 4 || text[0] != '0' || !std::all_of(text.begin(), text.end(), octal))
    return bad("a mode is four octal digits that start with 0");
  return {};
}

Status check_duration(std::string_view text) {
  if (auto parsed = parse_duration(text); !parsed) return tl::unexpected(parsed.error());
  return {};
}

Status check_percent(std::string_view text) {
  if (auto parsed = parse_percent(text); !parsed) return tl::unexpected(parsed.error());
  return {};
}

Status check_authority(std::string_view authority, bool port_needed) {
  if (authority.empty()) return bad("the host is missing");
  if (authority.find('@') != std::string_view::npos)
    return bad("user names and passwords do not belong in a URL");
  const bool bracketed = authority.front() == '[';
  const bool has_port = bracketed ? authority.find("]:") != std::string_view::npos
                                  : authority.find(':') != std::string_view::npos;
  if (has_port || port_needed) {
    if (auto parsed = parse_host_port(authority); !parsed) return tl::unexpected(parsed.error());
    return {};
  }
  if (bracketed) {
    if (authority.back() != ']') return bad("the `[` is not closed");
    return check_host_address(authority.substr(1, authority.size() - 2));
  }
  return check_host_address(authority);
}

Status check_url(std::string_view text, std::array<std::string_view, 2> schemes) {
  if (auto ok = check_text(text); !ok) return ok;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '<' || c == '>' || c == '\\')
      return bad("a URL contains no spaces, quotes, <, > or backslashes");
  for (const auto scheme : schemes) {
    if (text.substr(0, scheme.size()) != scheme) continue;
    const std::string_view rest = text.substr(scheme.size());
    return check_authority(rest.substr(0, rest.find_first_of("/?#")), false);
  }
  return bad(fmt::format("it starts with neither {} nor {}", schemes[0], schemes[1]));
}

Status check_http_url(std::string_view text) {
  return check_url(text, {"http://", "https://"});
}
Status check_smtp_url(std::string_view text) {
  return check_url(text, {"smtp://", "smtps://"});
}

Status check_tcp_target(std::string_view text) {
  return check_authority(text, true);
}

Status check_unix_socket(std::string_view text) {
  constexpr std::string_view prefix = "unix:";
  constexpr std::size_t longest = 107;  // sun_path
  if (text.substr(0, prefix.size()) != prefix) return bad("it does not start with unix:");
  const std::string_view path = text.substr(prefix.size());
  if (path.size() > longest) return bad("the path is longer than a socket's path may be (107)");
  return check_absolute_path(path);
}

Status check_socket(std::string_view text) {
  constexpr std::string_view tcp = "tcp:";
  if (text.substr(0, tcp.size()) == tcp) return check_authority(text.substr(tcp.size()), true);
  if (text.substr(0, 5) == "unix:") return check_unix_socket(text);
  return bad("it starts with neither unix: nor tcp:");
}

Status check_email(std::string_view text) {
  const std::size_t at = text.find('@');
  const auto legal = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != '<' && c != '>' && c != ',' && c != ';' &&
           c != '"';
  };
  if (at == std::string_view::npos || at == 0 || text.size() > 254 ||
      !std::all_of(text.begin(), text.end(), legal) || text.front() == '-')
    return bad("an address looks like ops@example.org");
  return check_host_name(text.substr(at + 1));
}

Status check_secret(std::string_view text) {
  if (auto ok = check_text(text); !ok) return ok;
  if (auto parsed = Secret::parse(text); !parsed) return tl::unexpected(parsed.error());
  return {};
}

Status check_secret_url(std::string_view text) {
  auto parsed = Secret::parse(text);
  if (!parsed) return tl::unexpected(parsed.error());
  return parsed->is_literal() ? check_http_url(text) : Status{};
}

// What goes into a request as it is: no space or control character may end it early.
Status check_visible(std::string_view text) {
  constexpr std::size_t longest = 2048;
  if (text.empty()) return bad("it is empty");
  if (text.size() > longest) return bad("it is longer than 2048 bytes");
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; }))
    return bad("only visible ASCII without spaces may stand here");
  return {};
}

Status check_url_path(std::string_view text) {
  if (auto ok = check_visible(text); !ok) return ok;
  if (text.front() != '/') return bad("it does not start with '/'");
  return text.find('#') == std::string_view::npos ? Status{} : Status(bad("it contains a '#'"));
}

Status check_header(std::string_view text) {
  if (auto ok = check_visible(text); !ok) return ok;
  return text.find_first_of(":\"(),/;<=>?@[\\]{}") == std::string_view::npos
             ? Status{}
             : Status(bad("it contains a character that no header's name has"));
}

Status check_days(std::string_view text) {
  if (auto parsed = parse_days(text); !parsed) return tl::unexpected(parsed.error());
  return {};
}

Status check_weekly_time(std::string_view text) {
  if (auto parsed = parse_weekly_time(text); !parsed) return tl::unexpected(parsed.error());
  return {};
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_float(std::string_view text) {
  bool digit = false, mark = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c))
      digit = true;
    else if (c == '.')
      mark = true;
    else if ((c == 'e' || c == 'E') && digit) {
      const std::string_view rest = text.substr(i + 1);
      const bool sign = !rest.empty() && (rest[0] == '-' || rest[0] == '+');
      return all_digits(rest.substr(sign ? 1 : 0));
    } else
      return false;
  }
  return digit && mark && std::count(text.begin(), text.end(), '.') == 1;
}

}  // namespace

// In the order of Format.
const FormatInfo& info_of(Format format) {
  static constexpr const char* percent = "^[0-9]+(\\.[0-9]+)?%$";
  static const FormatInfo table[] = {
      {"text", "", "HL0111", check_text},
      {"a name", "^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$", "HL0111", check_identifier},
      {"a host's name", "^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$", "HL0111", check_host_name},
      {"a host name or IP address", "^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$", "HL0111",
       check_host_address},
      {"a host or group:NAME", "^(group:)?[A-Za-z0-9_][A-Za-z0-9._-]*$", "HL0111", check_host_ref},
      {"a systemd unit such as nginx.service",
       "^[A-Za-z0-9:_.\\\\@][A-Za-z0-9:_.\\\\@-]*\\.[a-z]+$", "HL0111", check_unit_name},
      {"a user's name", "^[a-z_][a-z0-9_-]*[$]?$", "HL0111", check_user_name},
      {"a path", "^[^-].*[^/]$|^[^-/]$", "HL0111", check_path},
      {"an absolute path", "^/.*[^/]$", "HL0111", check_absolute_path},
      {"a file mode such as \"0644\"", "^0[0-7]{3}$", "HL0111", check_mode},
      {"a duration such as 30s", "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$", "HL0109", check_duration},
      {"a percentage such as 75%", percent, "HL0108", check_percent},
      {"a share such as 1%", percent, "HL0108", check_percent},
      {"an http:// or https:// URL", "^https?://.+$", "HL0112", check_http_url},
      {"host:port", "^.+:.+$", "HL0112", check_tcp_target},
      {"unix:/path or tcp:host:port", "^(unix:/.+|tcp:.+:.+)$", "HL0112", check_socket},
      {"smtp://host:port", "^smtps?://.+$", "HL0112", check_smtp_url},
      {"a mail address", "^[^@ ]+@[^@ ]+$", "HL0111", check_email},
      {"a reference such as ${env:NAME}", "", "HL0502", check_secret},
      {"a URL, or a reference such as ${env:NAME}", "^(https?://.+|\\$\\{(env|file|cred):.+\\})$",
       "HL0502", check_secret_url},
      {"one word of a command", "", "HL0111", check_argument},
      {"a path of a URL such as /api?x=1", "^/[!-~]*$", "HL0111", check_url_path},
      {"a header's name such as X-Host", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "HL0111", check_header},
      {"text without spaces", "^[!-~]+$", "HL0111", check_visible},
      {"a time zone such as Europe/Berlin", "^[A-Za-z0-9_+][A-Za-z0-9_+/-]*$", "HL0250",
       check_time_zone},
      {"days such as mon-fri", "^[a-z]{3}(-[a-z]{3})?$", "HL0250", check_days},
      {"a time such as `sun 03:00`", "^([a-z,-]+ )?[0-2][0-9]:[0-5][0-9]$", "HL0250",
       check_weekly_time},
      {"a time such as 08:00, or a date such as 2026-12-24",
       "^([0-2][0-9]:[0-5][0-9]|[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-2][0-9]:[0-5][0-9])?)$", "HL0250",
       check_moment_or_time},
  };
  static_assert(std::size(table) == static_cast<std::size_t>(Format::moment_or_time) + 1);
  return table[static_cast<std::size_t>(format)];
}

PlainKind kind_of_plain(std::string_view text) {
  if (text.empty()) return PlainKind::text;
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (is_one_of(lower, {"true", "false", "yes", "no", "on", "off"})) return PlainKind::boolean;
  std::string_view body = text;
  if (body.size() > 1 && (body[0] == '-' || body[0] == '+')) body.remove_prefix(1);
  std::string digits(body);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  if (is_digit(body[0]) && all_digits(digits)) return PlainKind::integer;
  const std::string_view prefix = std::string_view(lower).substr(0, 2);
  const auto hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  if ((prefix == "0x" || prefix == "0o" || prefix == "0b") && lower.size() > 2 &&
      std::all_of(lower.begin() + 2, lower.end(), hex))
    return PlainKind::integer;
  if (is_one_of(lower, {".inf", "-.inf", ".nan"}) || is_float(digits)) return PlainKind::number;
  return PlainKind::text;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  const std::string_view body = text.substr(0, 1) == "-" ? text.substr(1) : text;
  if (!all_digits(body)) return bad("it is not a whole number");
  if (body.size() > 1 && body[0] == '0')
    return bad("it has leading zeros; some YAML readers take it for octal");
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return bad("it is too large");
  return value;
}

Result<double> parse_number(std::string_view text) {
  const std::string_view body = text.substr(0, 1) == "-" ? text.substr(1) : text;
  if (body.empty() || body.size() > 30 || !is_digit(body[0])) return bad("it is not a number");
  if (!all_digits(body) && !is_float(body)) return bad("it is not a number");
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return bad("it is not a number");
  return value;
}

Result<double> parse_percent(std::string_view text) {
  if (text.empty() || text.back() != '%') return bad("a percentage ends in %");
  auto number = parse_number(text.substr(0, text.size() - 1));
  if (!number) return bad("a percentage is a number and %");
  if (*number < 0 || *number > 100) return bad("a percentage lies between 0% and 100%");
  return *number;
}

std::vector<Placeholder> placeholders_in(std::string_view text) {
  std::vector<Placeholder> found;
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    std::size_t end = open + 1;
    while (end < text.size() && ((text[end] >= 'a' && text[end] <= 'z') || text[end] == '_')) ++end;
    const bool reference = open > 0 && text[open - 1] == '$';  // ${env:X} is not ours
    if (end < text.size() && text[end] == '}' && end > open + 1 && !reference)
      found.push_back({std::string(text.substr(open + 1, end - open - 1)), open});
  }
  return found;
}

std::string with_sample_values(std::string_view text) {
  std::string out;
  std::size_t from = 0;
  for (const auto& placeholder : placeholders_in(text)) {
    out += text.substr(from, placeholder.at - from);
    out += placeholder.name == "port" ? "80" : placeholder.name == "address" ? "10.0.0.1" : "x";
    from = placeholder.at + placeholder.name.size() + 2;
  }
  return out.append(text.substr(from));
}

Result<HostPort> parse_host_port(std::string_view text) {
  std::string_view host, port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find("]:");
    if (close == std::string_view::npos) return bad("it is not [address]:port");
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad("the port is missing (host:port)");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos)
      return bad("an IPv6 address needs brackets: [::1]:80");
  }
  if (auto ok = check_host_address(host); !ok) return tl::unexpected(ok.error());
  auto number = parse_integer(port);
  if (!number || *number < 1 || *number > 65535)
    return bad("the port is not a number from 1 to 65535");
  return HostPort{std::string(host), static_cast<int>(*number)};
}

}  // namespace hitless::fleet
