#include "confdiff/secrets.hpp"

#include <array>
#include <cctype>

#include "base/text.hpp"

namespace hitless::confdiff {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  std::string key;
  for (const char c : name.substr(0, 256)) {
    key +=
        c == '-' || c == '.' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  // Directives whose operand only names a file, an address, a variable, a cookie or an on/off.
  static constexpr std::array<std::string_view, 6> harmless_ends = {
      "_file", "_path", "_certificate_key", "_dir", "_tokens", "_cookie_path"};
  for (const auto end : harmless_ends)
    if (ends_with(key, end)) return false;
  static constexpr std::array<std::string_view, 8> harmless = {
      "proxy_pass", "fastcgi_pass",   "uwsgi_pass", "scgi_pass",
      "grpc_pass",  "memcached_pass", "js_pass",    "mirror_pass"};
  for (const auto one : harmless)
    if (key == one) return false;
  static constexpr std::array<std::string_view, 22> parts = {
      "password",      "passwd",         "passphrase",     "secret",      "token",
      "credential",    "api_key",        "apikey",         "access_key",  "accesskey",
      "private_key",   "privatekey",     "signing_key",    "routing_key", "account_key",
      "authorization", "set_cookie",     "encryption_key", "requirepass", "masterauth",
      "session_key",   "secure_link_md5"};
  for (const auto part : parts)
    if (contains(key, part)) return true;
  return key == "cookie" || key == "pass" || key == "pwd" || key == "secure_link" ||
         ends_with(key, "_pass") || ends_with(key, "_pwd") || ends_with(key, "_dsn") ||
         ends_with(key, "_apikey") || contains(key, "jwt_key");
}

std::string shown_value(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  if (is_secret_name(name)) return "[redacted]";
  return redact(value);
}

}  // namespace hitless::confdiff
