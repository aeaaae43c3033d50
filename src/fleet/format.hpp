// The grammars of single values in the fleet file. One entry serves the checker, the message and
// the JSON Schema, so they cannot disagree.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::fleet {

enum class Format {
  text,  // anything printable
  name,  // service, pool, server, load balancer
  host_name,
  address,
  host_ref,  // a host, or group:NAME
  unit,
  user,
  path,         // on this machine; relative to the fleet file
  remote_path,  // absolute, on the host
  mode,         // "0644"
  duration,
  percent,  // "75%"
  ratio,    // "1%"
  http_url,
  tcp_target,  // host:port
  socket,      // unix:/path or tcp:host:port
  smtp_url,
  email,
  secret,          // a reference, or (with a warning) the value
  secret_url,      // the same for a URL that is itself a secret
  argument,        // one word of a command
  url_path,        // /api?x=1: what stands in a request line
  header,          // a header's name
  visible,         // visible ASCII without spaces: a Host header
  time_zone,       // Europe/Berlin
  days,            // mon, mon-fri
  weekly_time,     // sun 03:00
  moment_or_time,  // 08:00, 2026-12-24, 2026-12-24 18:00
};

struct FormatInfo {
  const char* wanted;   // "a duration such as 30s"
  const char* pattern;  // for the JSON Schema; empty: none
  const char* code;     // of the diagnostic when it does not fit
  Status (*check)(std::string_view);
};

[[nodiscard]] const FormatInfo& info_of(Format format);

// What a plain (unquoted) YAML scalar is to a YAML reader.
enum class PlainKind { text, boolean, integer, number };
[[nodiscard]] PlainKind kind_of_plain(std::string_view text);
// An integer as JSON writes it: no leading zeros, no '+', no '_'.
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);
[[nodiscard]] Result<double> parse_number(std::string_view text);
[[nodiscard]] Result<double> parse_percent(std::string_view text);  // "75%" → 75

// {name} in a text.
struct Placeholder {
  std::string name;
  std::size_t at = 0;  // byte offset of '{'
};
[[nodiscard]] std::vector<Placeholder> placeholders_in(std::string_view text);
// With stand-ins for known placeholders, so that the format of the rest can be checked.
[[nodiscard]] std::string with_sample_values(std::string_view text);

struct HostPort {
  std::string host;
  int port = 0;
};
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text);  // [::1]:80, web01:80

}  // namespace hitless::fleet
