#include "base/names.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <string>

#include "base/text.hpp"

namespace hitless {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

template <class Allowed>
std::size_t first_bad(std::string_view text, Allowed allowed) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!allowed(text[i])) return i;
  return std::string_view::npos;
}

tl::unexpected<Error> bad(std::string_view kind, std::string_view name, std::string_view why) {
  const std::string shown = escape_for_terminal(truncate_utf8(name, 80));
  return fail(ErrorCode::invalid,
              fmt::format("`{}` is not {} {}: {}", shown, kind[0] == 'a' ? "an" : "a", kind, why));
}

// Rules that all names share; max_size counts bytes.
Status check_common(std::string_view kind, std::string_view name, std::size_t max_size) {
  if (name.empty()) return bad(kind, name, "it is empty");
  if (name.size() > max_size)
    return bad(kind, name, fmt::format("it is longer than {} characters", max_size));
  if (name.front() == '-') return bad(kind, name, "it starts with '-'");
  return {};
}

template <class Allowed>
Status check_chars(std::string_view kind, std::string_view name, Allowed allowed,
                   std::string_view legal) {
  const std::size_t at = first_bad(name, allowed);
  if (at == std::string_view::npos) return {};
  const std::string shown = escape_for_terminal(name.substr(at, 1));
  return bad(kind, name,
             fmt::format("character '{}' at {} is not one of {}", shown, at + 1, legal));
}

bool is_ipv4(const std::string& text) {
  in_addr parsed{};
  return inet_pton(AF_INET, text.c_str(), &parsed) == 1;
}

bool is_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    const std::string_view zone = text.substr(percent + 1);
    const auto legal = [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; };
    if (zone.empty() || zone.size() > 15 || first_bad(zone, legal) != std::string_view::npos)
      return false;
  }
  in6_addr parsed{};
  return inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &parsed) == 1;
}

// Resolvers take 2130706433, 0x7f.1 and 10.1 for IPv4 addresses, so these are never host names.
bool looks_numeric(std::string_view name) {
  while (!name.empty() && name.back() == '.') name.remove_suffix(1);
  const std::size_t dot = name.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  if (last.size() > 1 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X')) return true;
  return !last.empty() && first_bad(last, is_digit) == std::string_view::npos;
}

}  // namespace

Status check_host_name(std::string_view name) {
  constexpr std::string_view kind = "host name";
  if (auto ok = check_common(kind, name, 253); !ok) return ok;
  if (name.front() == '.') return bad(kind, name, "it starts with '.'");
  const auto legal = [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; };
  return check_chars(kind, name, legal, "A-Z a-z 0-9 . _ -");
}

Status check_host_address(std::string_view text) {
  constexpr std::string_view kind = "host address";
  if (auto ok = check_common(kind, text, 253); !ok) return ok;
  if (text.find('\0') != std::string_view::npos) return bad(kind, text, "it contains a NUL byte");
  if (text.find(':') != std::string_view::npos) {
    if (is_ipv6(text)) return {};
    return bad(kind, text, "it is not an IPv6 address (a port does not belong here)");
  }
  if (auto ok = check_host_name(text); !ok) return ok;
  if (looks_numeric(text) && !is_ipv4(std::string(text)))
    return bad(kind, text, "it is not an IPv4 address of four numbers");
  return {};
}

Status check_unit_name(std::string_view name) {
  constexpr std::string_view kind = "systemd unit name";
  if (auto ok = check_common(kind, name, 255); !ok) return ok;
  const auto legal = [](char c) {
    return is_alnum(c) || c == ':' || c == '_' || c == '.' || c == '\\' || c == '@' || c == '-';
  };
  if (auto ok = check_chars(kind, name, legal, "A-Z a-z 0-9 : _ . \\ @ -"); !ok) return ok;
  static constexpr std::array<std::string_view, 11> suffixes = {
      "service", "socket", "timer", "target", "path",     "mount",
      "slice",   "scope",  "swap",  "device", "automount"};
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    for (const auto suffix : suffixes)
      if (name.substr(dot + 1) == suffix) return {};
  }
  return bad(kind, name, "it does not end in a unit type such as .service");
}

Status check_user_name(std::string_view name) {
  constexpr std::string_view kind = "user name";
  if (auto ok = check_common(kind, name, 32); !ok) return ok;
  if (!is_lower(name.front()) && name.front() != '_')
    return bad(kind, name, "it must start with a-z or _");
  std::string_view body = name;
  if (body.size() > 1 && body.back() == '$') body.remove_suffix(1);
  const auto legal = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  return check_chars(kind, body, legal, "a-z 0-9 _ -");
}

Status check_identifier(std::string_view name) {
  constexpr std::string_view kind = "name";
  if (auto ok = check_common(kind, name, 128); !ok) return ok;
  if (!is_alnum(name.front()) && name.front() != '_')
    return bad(kind, name, "it must start with a letter, a digit or _");
  const auto legal = [](char c) {
    return is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-';
  };
  return check_chars(kind, name, legal, "A-Z a-z 0-9 _ . : -");
}

Status check_absolute_path(std::string_view path) {
  constexpr std::string_view kind = "absolute path";
  if (auto ok = check_common(kind, path, 4095); !ok) return ok;
  if (path.front() != '/') return bad(kind, path, "it does not start with '/'");
  if (path.back() == '/') return bad(kind, path, "it ends in '/'");
  const auto printable = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  if (auto ok = check_chars(kind, path, printable, "printable characters"); !ok) return ok;
  for (const auto& component : split(path, '/'))
    if (component == "..") return bad(kind, path, "it contains '..'");
  return {};
}

}  // namespace hitless
