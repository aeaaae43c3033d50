#include "confdiff/nginx_rules.hpp"

#include <array>
#include <cstdint>
#include <unordered_map>

namespace hitless::confdiff {
namespace {

using I = NginxIdentity;
constexpr ChangeClass R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      S = ChangeClass::restart, H = ChangeClass::human_only;

constexpr std::string_view kRewrite = "rewrite", kAccess = "access", kRegex = "regex",
                           kFilter = "filter";

// name, identity, added, removed, changed, topic; then reason, sequence, operands are a set
// clang-format off
constexpr NginxRule kRules[] = {
    // The program itself.
    {"pid", I::once, H, H, H, Topic::process, "the pid file is how the running nginx is found"},
    {"daemon", I::once, H, H, H, Topic::process, "how nginx is supervised changes"},
    {"master_process", I::once, H, H, H, Topic::process, "how nginx is supervised changes"},
    {"load_module", I::first, S, S, S, Topic::process, "a module must fit the running binary"},
    {"user", I::once, W, W, W, Topic::process, "new workers run as another user"},
    {"worker_processes", I::once, W, W, W, Topic::process, "number of workers"},
    {"worker_connections", I::once, W, W, W, Topic::process, "connections per worker"},
    {"worker_rlimit_nofile", I::once, W, W, W, Topic::process, "open files per worker"},
    {"worker_cpu_affinity", I::once, W, W, W, Topic::process, "placement of workers"},
    {"worker_priority", I::once, W, W, W, Topic::process, "priority of workers"},
    {"working_directory", I::once, W, W, W, Topic::process, "where workers run"},
    {"thread_pool", I::first, W, W, W, Topic::process, "threads of the workers"},
    {"env", I::env_name, W, W, W, Topic::env, "environment of the workers"},
    {"use", I::once, W, W, W, Topic::process, "how workers wait for events"},
    {"multi_accept", I::once, W, W, W, Topic::process, "how workers accept"},
    {"accept_mutex", I::once, W, W, W, Topic::process, "how workers accept"},
    {"lock_file", I::once, W, W, W, Topic::process, "how workers accept"},
    {"pcre_jit", I::once, W, W, W, Topic::process, "regular expressions"},

    // Blocks.
    {"http", I::once, W, W, R, Topic::body},
    {"events", I::once, W, W, W, Topic::process},
    {"stream", I::once, W, W, R, Topic::body},
    {"mail", I::once, W, W, R, Topic::body},
    {"server", I::once, R, W, R, Topic::body},
    {"location", I::all, R, R, R, Topic::body},
    {"if", I::all, R, R, R, Topic::body, "", kRewrite},
    {"limit_except", I::all, R, R, R, Topic::body, "", "", true},
    {"map", I::last, R, R, R, Topic::body},
    {"geo", I::last, R, R, R, Topic::body},
    {"split_clients", I::last, R, R, R, Topic::body},
    {"charset_map", I::all, R, R, R, Topic::body},
    {"types", I::once, R, R, R, Topic::body},

    // Upstream pools.
    {"upstream", I::first, R, W, R, Topic::upstream},
    {"upstream/server", I::peer, R, W, R, Topic::upstream},
    {"upstream/zone", I::once, W, W, W, Topic::upstream, "the pool's run-time state is lost"},
    {"upstream/ip_hash", I::once, W, W, W, Topic::upstream, "clients move between servers"},
    {"upstream/hash", I::once, W, W, W, Topic::upstream, "clients move between servers"},
    {"upstream/sticky", I::once, W, W, W, Topic::upstream, "clients move between servers"},
    {"upstream/least_conn", I::once, W, W, W, Topic::upstream, "load spreads differently"},
    {"upstream/random", I::once, W, W, W, Topic::upstream, "load spreads differently"},
    {"upstream/keepalive", I::once, R, R, R, Topic::upstream},
    {"upstream/keepalive_requests", I::once, R, R, R, Topic::upstream},
    {"upstream/keepalive_time", I::once, R, R, R, Topic::upstream},

    // Where requests arrive.
    {"listen", I::listen, R, R, W, Topic::body},
    {"server_name", I::merged, R, R, R, Topic::body, "", "", true},
    {"resolver", I::once, W, W, W, Topic::body, "names resolve elsewhere", "", true},
    {"real_ip_header", I::once, W, W, W, Topic::body, "who the client is taken to be"},
    {"real_ip_recursive", I::once, W, W, W, Topic::body, "who the client is taken to be"},
    {"set_real_ip_from", I::all, W, W, W, Topic::body, "who the client is taken to be"},

    // Shared memory.
    {"limit_req_zone", I::zone, R, W, R, Topic::zones},
    {"limit_conn_zone", I::zone, R, W, R, Topic::zones},
    {"limit_zone", I::zone, R, W, R, Topic::zones},
    {"proxy_cache_path", I::zone, R, W, R, Topic::zones},
    {"limit_req", I::zone, R, R, R, Topic::body},
    {"limit_conn", I::first, R, R, R, Topic::body},
    {"limit_req_status", I::once, R, R, R, Topic::body},
    {"limit_conn_status", I::once, R, R, R, Topic::body},
    {"limit_req_dry_run", I::once, R, R, R, Topic::body},
    {"limit_rate", I::once, R, R, R, Topic::body},
    {"limit_rate_after", I::once, R, R, R, Topic::body},
    {"ssl_session_cache", I::once, W, W, W, Topic::zones, "kept sessions may be lost", "", true},
    {"variables_hash_max_size", I::once, R, R, R, Topic::body},
    {"server_names_hash_bucket_size", I::once, R, R, R, Topic::body},
    {"server_names_hash_max_size", I::once, R, R, R, Topic::body},
    {"types_hash_max_size", I::once, R, R, R, Topic::body},
    {"map_hash_bucket_size", I::once, R, R, R, Topic::body},
    {"map_hash_max_size", I::once, R, R, R, Topic::body},

    // Logs.
    {"access_log", I::first, W, W, R, Topic::logs, "a log file is opened or closed"},
    {"error_log", I::first, W, W, R, Topic::logs, "a log file is opened or closed"},
    {"log_format", I::first, R, R, R, Topic::logs},
    {"log_not_found", I::once, R, R, R, Topic::logs},
    {"rewrite_log", I::once, R, R, R, Topic::logs},
    {"open_log_file_cache", I::once, R, R, R, Topic::logs},

    // Rules that act in order.
    {"rewrite", I::first, R, R, R, Topic::body, "", kRewrite},
    {"return", I::once, R, R, R, Topic::body, "", kRewrite},
    {"set", I::first, R, R, R, Topic::body, "", kRewrite},
    {"break", I::once, R, R, R, Topic::body, "", kRewrite},
    {"allow", I::all, R, R, R, Topic::body, "", kAccess},
    {"deny", I::all, R, R, R, Topic::body, "", kAccess},
    {"sub_filter", I::first, R, R, R, Topic::body, "", kFilter},

    // How requests are answered. fastcgi_, uwsgi_, scgi_ and grpc_ are looked up as proxy_.
    {"root", I::once, R, R, R, Topic::body},
    {"alias", I::once, R, R, R, Topic::body},
    {"index", I::once, R, R, R, Topic::body},
    {"try_files", I::once, R, R, R, Topic::body},
    {"error_page", I::all_but_last, R, R, R, Topic::body},
    {"internal", I::once, R, R, R, Topic::body},
    {"autoindex", I::once, R, R, R, Topic::body},
    {"add_header", I::first, R, R, R, Topic::body},
    {"add_trailer", I::first, R, R, R, Topic::body},
    {"expires", I::once, R, R, R, Topic::body},
    {"etag", I::once, R, R, R, Topic::body},
    {"charset", I::once, R, R, R, Topic::body},
    {"default_type", I::once, R, R, R, Topic::body},
    {"sendfile", I::once, R, R, R, Topic::body},
    {"tcp_nopush", I::once, R, R, R, Topic::body},
    {"tcp_nodelay", I::once, R, R, R, Topic::body},
    {"aio", I::once, R, R, R, Topic::body},
    {"directio", I::once, R, R, R, Topic::body},
    {"output_buffers", I::once, R, R, R, Topic::body},
    {"keepalive_requests", I::once, R, R, R, Topic::body},
    {"server_tokens", I::once, R, R, R, Topic::body},
    {"server_name_in_redirect", I::once, R, R, R, Topic::body},
    {"port_in_redirect", I::once, R, R, R, Topic::body},
    {"absolute_redirect", I::once, R, R, R, Topic::body},
    {"merge_slashes", I::once, R, R, R, Topic::body},
    {"underscores_in_headers", I::once, R, R, R, Topic::body},
    {"ignore_invalid_headers", I::once, R, R, R, Topic::body},
    {"large_client_header_buffers", I::once, R, R, R, Topic::body},
    {"client_header_buffer_size", I::once, R, R, R, Topic::body},
    {"client_body_buffer_size", I::once, R, R, R, Topic::body},
    {"client_max_body_size", I::once, R, R, R, Topic::body},
    {"client_body_temp_path", I::once, W, W, W, Topic::body, "request bodies are kept elsewhere"},
    {"open_file_cache", I::once, R, R, R, Topic::body},
    {"open_file_cache_valid", I::once, R, R, R, Topic::body},
    {"gzip", I::once, R, R, R, Topic::body},
    {"gzip_types", I::merged, R, R, R, Topic::body, "", "", true},
    {"gzip_vary", I::once, R, R, R, Topic::body},
    {"gzip_proxied", I::once, R, R, R, Topic::body, "", "", true},
    {"gzip_comp_level", I::once, R, R, R, Topic::body},
    {"gzip_min_length", I::once, R, R, R, Topic::body},
    {"gzip_buffers", I::once, R, R, R, Topic::body},
    {"gzip_http_version", I::once, R, R, R, Topic::body},
    {"gzip_static", I::once, R, R, R, Topic::body},
    {"gunzip", I::once, R, R, R, Topic::body},
    {"stub_status", I::once, R, R, R, Topic::body},
    {"satisfy", I::once, W, W, W, Topic::body, "who may come in"},
    {"auth_basic", I::once, W, W, W, Topic::body, "who may come in"},
    {"auth_basic_user_file", I::once, W, W, W, Topic::body, "who may come in"},
    {"auth_request", I::once, W, W, W, Topic::body, "who may come in"},
    {"auth_request_set", I::first, R, R, R, Topic::body},
    {"mirror", I::all, R, R, R, Topic::body},
    {"sub_filter_once", I::once, R, R, R, Topic::body},
    {"valid_referers", I::once, R, R, R, Topic::body, "", "", true},
    {"http2", I::once, W, W, W, Topic::tls, "protocol of the port"},
    {"proxy_pass", I::once, R, R, R, Topic::body},
    {"proxy_set_header", I::first, R, R, R, Topic::body},
    {"proxy_param", I::first, R, R, R, Topic::body},
    {"proxy_index", I::once, R, R, R, Topic::body},
    {"proxy_split_path_info", I::once, R, R, R, Topic::body},
    {"proxy_hide_header", I::all, R, R, R, Topic::body},
    {"proxy_pass_header", I::all, R, R, R, Topic::body},
    {"proxy_ignore_headers", I::once, R, R, R, Topic::body, "", "", true},
    {"proxy_http_version", I::once, R, R, R, Topic::body},
    {"proxy_redirect", I::first, R, R, R, Topic::body},
    {"proxy_cookie_path", I::first, R, R, R, Topic::body},
    {"proxy_cookie_domain", I::first, R, R, R, Topic::body},
    {"proxy_cookie_flags", I::first, R, R, R, Topic::body},
    {"proxy_buffering", I::once, R, R, R, Topic::body},
    {"proxy_request_buffering", I::once, R, R, R, Topic::body},
    {"proxy_buffers", I::once, R, R, R, Topic::body},
    {"proxy_buffer_size", I::once, R, R, R, Topic::body},
    {"proxy_busy_buffers_size", I::once, R, R, R, Topic::body},
    {"proxy_max_temp_file_size", I::once, R, R, R, Topic::body},
    {"proxy_temp_path", I::once, W, W, W, Topic::body, "answers are kept elsewhere"},
    {"proxy_intercept_errors", I::once, R, R, R, Topic::body},
    {"proxy_next_upstream", I::once, W, W, W, Topic::body, "what is tried again changes", "", true},
    {"proxy_next_upstream_tries", I::once, W, W, W, Topic::body, "what is tried again changes"},
    {"proxy_cache", I::once, R, R, R, Topic::body},
    {"proxy_cache_key", I::once, R, R, R, Topic::body},
    {"proxy_cache_valid", I::all_but_last, R, R, R, Topic::body},
    {"proxy_cache_bypass", I::once, R, R, R, Topic::body, "", "", true},
    {"proxy_no_cache", I::once, R, R, R, Topic::body, "", "", true},
    {"proxy_cache_methods", I::once, R, R, R, Topic::body, "", "", true},
    {"proxy_cache_use_stale", I::once, R, R, R, Topic::body, "", "", true},
    {"proxy_cache_lock", I::once, R, R, R, Topic::body},
    {"proxy_cache_min_uses", I::once, R, R, R, Topic::body},
    {"proxy_cache_revalidate", I::once, R, R, R, Topic::body},
    {"proxy_bind", I::once, W, W, W, Topic::body, "source address to the servers behind"},
    {"proxy_protocol", I::once, W, W, W, Topic::body, "protocol to the servers behind"},
    {"rewrite_by_lua_block", I::once, W, W, W, Topic::body, "Lua code"},
    {"access_by_lua_block", I::once, W, W, W, Topic::body, "Lua code"},
    {"content_by_lua_block", I::once, W, W, W, Topic::body, "Lua code"},
};
// clang-format on

constexpr NginxRule kData{"(entry)", I::once, R, R, R, Topic::body, "", "", false};
constexpr NginxRule kRegexEntry{"(regex entry)", I::once, R, R, R, Topic::body, "", kRegex, false};
constexpr NginxRule kUnknown{
    "(unknown)", I::once, S, S, S, Topic::unknown, "no rule for this directive", "", false};
constexpr NginxRule kTimeout{"(timeout)",     I::once,     W,  W,    W,
                             Topic::timeouts, "a timeout", "", false};
constexpr NginxRule kTls{"(tls)", I::once, W, W, W, Topic::tls, "TLS setting or certificate",
                         "",      false};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

const NginxRule* find(std::string_view name) {
  static const auto* index = [] {
    auto* built = new std::unordered_map<std::string_view, const NginxRule*>();
    for (const NginxRule& rule : kRules) built->emplace(rule.name, &rule);
    return built;
  }();
  const auto found = index->find(name);
  return found == index->end() ? nullptr : found->second;
}

const NginxRule* find_family(std::string_view name) {
  static constexpr std::array<std::string_view, 5> families = {"fastcgi_", "uwsgi_", "scgi_",
                                                               "grpc_", "memcached_"};
  for (const auto family : families) {
    if (!name.starts_with(family)) continue;
    return find("proxy_" + std::string(name.substr(family.size())));
  }
  return nullptr;
}

bool is_tls_name(std::string_view name) {
  return name.starts_with("ssl_") || name.starts_with("proxy_ssl_") ||
         name.starts_with("grpc_ssl_") || name.starts_with("uwsgi_ssl_") || name == "ssl";
}

}  // namespace

bool is_nginx_data_block(std::string_view name) {
  return name == "map" || name == "geo" || name == "split_clients" || name == "types" ||
         name == "charset_map";
}

const NginxRule& nginx_rule(std::string_view parent, std::string_view name) {
  if (is_nginx_data_block(parent)) return name.starts_with("~") ? kRegexEntry : kData;
  if (parent == "upstream") {
    if (const NginxRule* rule = find("upstream/" + std::string(name))) return *rule;
  }
  if (const NginxRule* rule = find(name)) return *rule;
  if (const NginxRule* rule = find_family(name)) return *rule;
  if (is_tls_name(name)) return kTls;
  if (ends_with(name, "_timeout") || ends_with(name, "_timeouts")) return kTimeout;
  return kUnknown;
}

NginxZone nginx_zone(const NginxNode& node) {
  for (const std::string& arg : node.args) {
    std::string_view rest = arg;
    if (rest.starts_with("zone="))
      rest.remove_prefix(5);
    else if (rest.starts_with("keys_zone="))
      rest.remove_prefix(10);
    else if (rest.starts_with("shared:"))
      rest.remove_prefix(7);
    else
      continue;
    const std::size_t colon = rest.find(':');
    NginxZone zone;
    zone.name = rest.substr(0, colon);
    if (colon != std::string_view::npos) zone.size = rest.substr(colon + 1);
    return zone;
  }
  return {};
}

bool same_size(std::string_view a, std::string_view b) {
  const auto bytes = [](std::string_view text) -> std::int64_t {
    std::int64_t value = 0;
    std::size_t i = 0;
    for (; i < text.size() && i < 15 && text[i] >= '0' && text[i] <= '9'; ++i)
      value = value * 10 + (text[i] - '0');
    if (i == 0) return -1;
    if (i == text.size()) return value;
    if (i + 1 != text.size()) return -1;
    const char unit = text[i];
    if (unit == 'k' || unit == 'K') return value << 10;
    if (unit == 'm' || unit == 'M') return value << 20;
    if (unit == 'g' || unit == 'G') return value << 30;
    return -1;
  };
  if (a == b) return true;
  const std::int64_t x = bytes(a);
  return x >= 0 && x == bytes(b);
}

}  // namespace hitless::confdiff
