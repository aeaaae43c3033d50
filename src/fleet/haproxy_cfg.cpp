#include "fleet/haproxy_cfg.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "fleet/format.hpp"
#include "fleet/words.hpp"

namespace hitless::fleet {
namespace {

constexpr std::size_t kMostServers = 10'000;

// HAProxy's times: a bare number is milliseconds.
std::optional<DurationMs> parse_haproxy_time(std::string_view text) {
  if (!text.empty() && text.back() >= '0' && text.back() <= '9') {
    auto number = parse_integer(text);
    return number && *number >= 0 ? std::optional<DurationMs>(*number) : std::nullopt;
  }
  if (text.size() > 2 && text.substr(text.size() - 2) == "us") {
    auto number = parse_integer(text.substr(0, text.size() - 2));
    return number && *number >= 0 ? std::optional<DurationMs>(*number / 1000) : std::nullopt;
  }
  auto parsed = parse_duration(text);
  return parsed ? std::optional<DurationMs>(*parsed) : std::nullopt;
}

// "10.0.0.1:80", "[::1]:80", ":::80", "ipv4@h:80", "h"; sockets and variables stay empty.
void read_address(std::string_view text, HaproxyServer& server) {
  for (const std::string_view prefix : {"ipv4@", "ipv6@"})
    if (text.substr(0, prefix.size()) == prefix) text.remove_prefix(prefix.size());
  if (text.empty() || text.find_first_of("@$/\"") != std::string_view::npos) return;
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    auto port = parse_integer(text.substr(colon + 1));
    if (port && *port > 0 && *port <= 65535) server.port = static_cast<int>(*port);
  }
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  server.host = std::string(host);
}

void read_options(const std::vector<std::string>& words, std::size_t from, HaproxyServer& server) {
  for (std::size_t i = from; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string next = i + 1 < words.size() ? words[i + 1] : "";
    const auto number = parse_integer(next);
    const int count = number && *number > 0 && *number < 10'000 ? static_cast<int>(*number) : 0;
    if (word == "check")
      server.check = true;
    else if (word == "no-check")
      server.check = false;
    else if (word == "backup")
      server.backup = true;
    else if (word == "no-backup")
      server.backup = false;
    else if (word == "cookie")
      server.cookie = true;
    else if (word == "inter")
      server.inter_ms = parse_haproxy_time(next).value_or(server.inter_ms);
    else if (word == "fastinter")
      server.fastinter_ms = parse_haproxy_time(next);
    else if (word == "rise" && count > 0)
      server.rise = count;
    else if (word == "fall" && count > 0)
      server.fall = count;
    // A word that is another option's value is not an option.
    static const std::vector<std::string> with_value = {
        "inter",        "fastinter",  "downinter", "rise",        "fall",
        "weight",       "maxconn",    "cookie",    "id",          "addr",
        "port",         "ca-file",    "crt",       "sni",         "source",
        "track",        "observe",    "on-error",  "minconn",     "on-marked-down",
        "on-marked-up", "init-addr",  "resolvers", "slowstart",   "maxqueue",
        "alpn",         "verify",     "proto",     "error-limit", "agent-check-port",
        "agent-port",   "agent-inter"};
    if (std::find(with_value.begin(), with_value.end(), word) != with_value.end()) ++i;
  }
}

struct Defaults {
  HaproxyServer server;
  std::optional<DurationMs> timeout_server_ms, timeout_tunnel_ms;
  bool state_file = false;
};

class CfgParser {
 public:
  explicit CfgParser(const Source& source) : source_(source) {}

  HaproxyConfig run() {
    for (int number = 1; number <= source_.line_count(); ++number) {
      const std::vector<std::string> words = split_words(source_.line(number), WordStyle::haproxy);
      if (!words.empty() && !enter_section(words, number)) statement(words, number);
    }
    return std::move(config_);
  }

 private:
  enum class Section { none, global, defaults, backend, other };

  bool enter_section(const std::vector<std::string>& words, int number) {
    static const std::vector<std::string> others = {
        "frontend", "userlist", "peers",       "resolvers", "mailers",   "program", "http-errors",
        "cache",    "ring",     "log-forward", "fcgi-app",  "crt-store", "traces"};
    const std::string& word = words[0];
    const std::string name = words.size() > 1 ? words[1] : "";
    if (word == "global")
      section_ = Section::global;
    else if (word == "defaults")
      enter_defaults(words);
    else if (word == "backend" || word == "listen")
      enter_backend(words, name, number);
    else if (std::find(others.begin(), others.end(), word) != others.end())
      section_ = Section::other;
    else
      return false;
    return true;
  }

  static std::string parent_of(const std::vector<std::string>& words) {
    for (std::size_t i = 1; i + 1 < words.size(); ++i)
      if (words[i] == "from") return words[i + 1];
    return {};
  }

  void enter_defaults(const std::vector<std::string>& words) {
    section_ = Section::defaults;
    const std::string parent = parent_of(words);
    const auto known = named_.find(parent);
    defaults_ = !parent.empty() && known != named_.end() ? known->second : Defaults{};
    defaults_name_ = words.size() > 1 && words[1] != "from" ? words[1] : "";
  }

  void enter_backend(const std::vector<std::string>& words, const std::string& name, int number) {
    section_ = Section::backend;
    const auto known = named_.find(parent_of(words));
    const Defaults& base = known != named_.end() ? known->second : defaults_;
    server_defaults_ = base.server;
    HaproxyBackend backend;
    backend.name = name;
    backend.line = number;
    backend.timeout_server_ms = base.timeout_server_ms;
    backend.timeout_tunnel_ms = base.timeout_tunnel_ms;
    config_.backends.push_back(std::move(backend));
  }

  void statement(const std::vector<std::string>& words, int number) {
    if (words[0] == "no") return;
    if (section_ == Section::global) return global(words, number);
    if (section_ == Section::defaults) {
      common(words, defaults_.server, defaults_.timeout_server_ms, defaults_.timeout_tunnel_ms);
      server_state(words, number);
      if (!defaults_name_.empty()) named_[defaults_name_] = defaults_;
      return;
    }
    if (section_ != Section::backend) return;
    HaproxyBackend& backend = config_.backends.back();
    common(words, server_defaults_, backend.timeout_server_ms, backend.timeout_tunnel_ms);
    server_state(words, number);
    if (words[0] == "server" && words.size() > 2) add_server(words, words[1], words[2], 3, number);
    if (words[0] == "server-template" && words.size() > 3) add_template(words, number);
    if (words[0] == "cookie" || (words[0] == "stick" && words.size() > 1)) backend.sticky = true;
  }

  void global(const std::vector<std::string>& words, int number) {
    if (words.size() < 3 || words[0] != "stats" || words[1] != "socket") return;
    StatsSocket socket{words[2], "operator", number};
    for (std::size_t i = 3; i + 1 < words.size(); ++i)
      if (words[i] == "level") socket.level = words[i + 1];
    config_.stats_sockets.push_back(std::move(socket));
  }

  void server_state(const std::vector<std::string>& words, int number) {
    const bool loads = words[0] == "load-server-state-from-file" && words.size() > 1 &&
                       words[1] != "none" && config_.server_state_line == 0;
    if (loads) config_.server_state_line = number;
  }

  static void common(const std::vector<std::string>& words, HaproxyServer& server,
                     std::optional<DurationMs>& timeout_server,
                     std::optional<DurationMs>& timeout_tunnel) {
    if (words[0] == "default-server") read_options(words, 1, server);
    if (words[0] != "timeout" || words.size() < 3) return;
    if (words[1] == "server") timeout_server = parse_haproxy_time(words[2]);
    if (words[1] == "tunnel") timeout_tunnel = parse_haproxy_time(words[2]);
  }

  void add_server(const std::vector<std::string>& words, const std::string& name,
                  const std::string& address, std::size_t options_at, int number) {
    if (++servers_ > kMostServers) return;
    HaproxyServer server = server_defaults_;
    server.name = name;
    server.line = number;
    read_address(address, server);
    read_options(words, options_at, server);
    config_.backends.back().servers.push_back(std::move(server));
  }

  // server-template web 1-3 host:80 …
  void add_template(const std::vector<std::string>& words, int number) {
    const std::size_t dash = words[2].find('-');
    auto last = parse_integer(words[2].substr(dash == std::string::npos ? 0 : dash + 1));
    auto first = dash == std::string::npos ? Result<std::int64_t>(1)
                                           : parse_integer(words[2].substr(0, dash));
    if (!first || !last || *first < 0 || *last - *first > static_cast<std::int64_t>(kMostServers))
      return;
    for (std::int64_t i = *first; i <= *last; ++i)
      add_server(words, words[1] + std::to_string(i), words[3], 4, number);
  }

  const Source& source_;
  HaproxyConfig config_;
  Section section_ = Section::none;
  Defaults defaults_;
  std::string defaults_name_;
  std::map<std::string, Defaults> named_;
  HaproxyServer server_defaults_;
  std::size_t servers_ = 0;
};

}  // namespace

const HaproxyServer* HaproxyBackend::find(std::string_view server) const {
  for (const auto& candidate : servers)
    if (candidate.name == server) return &candidate;
  return nullptr;
}

const HaproxyBackend* HaproxyConfig::find(std::string_view backend) const {
  for (const auto& candidate : backends)
    if (candidate.name == backend) return &candidate;
  return nullptr;
}

HaproxyConfig parse_haproxy_cfg(const Source& source) {
  return CfgParser(source).run();
}

}  // namespace hitless::fleet
