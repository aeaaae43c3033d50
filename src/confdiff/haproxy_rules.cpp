// What a change of a HAProxy keyword takes; meant to be read and corrected.
#include <unordered_map>

#include "confdiff/haproxy.hpp"

namespace hitless::confdiff {
namespace {

constexpr ChangeClass N = ChangeClass::none, R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      S = ChangeClass::restart, H = ChangeClass::human_only;

// keyword, words of the key, added, removed, changed, topic, reason, ordered
constexpr HaproxyRule kRules[] = {
    {"global/daemon", 1, S, S, S, Topic::process, "how haproxy is supervised changes", false},
    {"global/master-worker", 1, S, S, S, Topic::process, "how haproxy is supervised changes", false},
    {"global/chroot", 1, S, S, S, Topic::process, "a running process cannot change it for sure", false},
    {"global/user", 1, S, S, S, Topic::process, "a running process cannot change it for sure", false},
    {"global/group", 1, S, S, S, Topic::process, "a running process cannot change it for sure", false},
    {"global/uid", 1, S, S, S, Topic::process, "a running process cannot change it for sure", false},
    {"global/gid", 1, S, S, S, Topic::process, "a running process cannot change it for sure", false},
    {"global/nbproc", 1, S, S, S, Topic::process, "number of processes", false},
    {"global/module-path", 1, S, S, S, Topic::process, "modules must fit the running binary", false},
    {"global/module-load", 2, S, S, S, Topic::process, "modules must fit the running binary", false},
    {"global/pidfile", 1, H, H, H, Topic::process, "the pid file is how haproxy is found", false},
    {"global/grace", 1, H, H, H, Topic::process, "how long old processes stay after a reload", false},
    {"global/stats", 2, W, H, W, Topic::process, "the runtime API is how servers are drained", false},
    {"global/nbthread", 1, W, W, W, Topic::process, "number of threads", false},
    {"global/maxconn", 1, W, W, W, Topic::process, "connections of the process", false},
    {"global/log", 2, W, W, W, Topic::logs, "where logs go", false},
    {"global/description", 1, N, N, N, Topic::layout, "", false},
    {"global/setenv", 2, W, W, W, Topic::env, "environment of the process", false},
    {"global/presetenv", 2, W, W, W, Topic::env, "environment of the process", false},

    {"bind", 2, W, W, W, Topic::listen, "a socket that is listened on", false},
    {"server", 2, R, W, R, Topic::upstream, "", false},
    {"server-template", 2, W, W, W, Topic::upstream, "servers of a template", false},
    {"default-server", 1, W, W, W, Topic::upstream, "settings of all servers of the pool", false},
    {"balance", 1, W, W, W, Topic::upstream, "clients move between servers", false},
    {"hash-type", 1, W, W, W, Topic::upstream, "clients move between servers", false},
    {"cookie", 1, W, W, W, Topic::upstream, "clients move between servers", false},
    {"dispatch", 1, W, W, W, Topic::upstream, "where requests go", false},
    {"use-server", 2, R, R, R, Topic::upstream, "", true},
    {"stick-table", 1, W, W, W, Topic::zones, "what the table holds is lost", false},
    {"stick", 2, R, R, R, Topic::body, "", true},

    {"mode", 1, W, W, W, Topic::body, "protocol of the proxy", false},
    {"maxconn", 1, W, W, W, Topic::body, "connections of the proxy", false},
    {"fullconn", 1, W, W, W, Topic::body, "connections of the proxy", false},
    {"timeout", 2, W, W, W, Topic::timeouts, "a timeout", false},
    {"log", 2, W, W, W, Topic::logs, "where logs go", false},
    {"log-format", 1, R, R, R, Topic::logs, "", false},
    {"log-tag", 1, R, R, R, Topic::logs, "", false},
    {"retries", 1, W, W, W, Topic::body, "what is tried again changes", false},
    {"retry-on", 1, W, W, W, Topic::body, "what is tried again changes", false},
    {"option redispatch", 2, W, W, W, Topic::body, "what is tried again changes", false},
    {"option httpchk", 2, W, W, W, Topic::upstream, "how servers are checked", false},
    {"option", 2, R, R, R, Topic::body, "", false},
    {"no", 3, R, R, R, Topic::body, "", false},
    {"http-check", 2, W, W, W, Topic::upstream, "how servers are checked", true},
    {"tcp-check", 2, W, W, W, Topic::upstream, "how servers are checked", true},
    {"default_backend", 1, R, R, R, Topic::body, "", false},
    {"use_backend", 2, R, R, R, Topic::body, "", true},
    {"acl", 2, R, R, R, Topic::body, "", false},
    {"http-request", 2, R, R, R, Topic::body, "", true},
    {"http-response", 2, R, R, R, Topic::body, "", true},
    {"http-after-response", 2, R, R, R, Topic::body, "", true},
    {"http-error", 3, R, R, R, Topic::body, "", false},
    {"tcp-request", 2, R, R, R, Topic::body, "", true},
    {"tcp-response", 2, R, R, R, Topic::body, "", true},
    {"redirect", 2, R, R, R, Topic::body, "", true},
    {"filter", 2, R, R, R, Topic::body, "", true},
    {"compression", 2, R, R, R, Topic::body, "", false},
    {"capture", 3, R, R, R, Topic::body, "", false},
    {"errorfile", 2, R, R, R, Topic::body, "", false},
    {"errorloc", 2, R, R, R, Topic::body, "", false},
    {"errorloc302", 2, R, R, R, Topic::body, "", false},
    {"errorloc303", 2, R, R, R, Topic::body, "", false},
    {"unique-id-format", 1, R, R, R, Topic::body, "", false},
    {"unique-id-header", 1, R, R, R, Topic::body, "", false},
    {"monitor-uri", 1, W, W, W, Topic::body, "what answers a health check", false},
    {"description", 1, N, N, N, Topic::layout, "", false},
    {"stats", 2, W, W, W, Topic::body, "statistics", false},
    {"user", 2, R, R, R, Topic::body, "", false},
    {"group", 2, R, R, R, Topic::body, "", false},
    {"peer", 2, W, W, W, Topic::zones, "who the tables are shared with", false},
    {"nameserver", 2, W, W, W, Topic::body, "names resolve elsewhere", false},
    {"ca-base", 1, W, W, W, Topic::tls, "paths of certificates", false},
    {"crt-base", 1, W, W, W, Topic::tls, "paths of certificates", false},
};

constexpr HaproxyRule kTls{"(tls)", 1, W, W, W, Topic::tls, "TLS setting", false};
constexpr HaproxyRule kUnknown{"(unknown)", 1, W, W, W, Topic::unknown, "no rule for this keyword", false};

const HaproxyRule* find(const std::string& keyword) {
  static const auto* index = [] {
    auto* built = new std::unordered_map<std::string_view, const HaproxyRule*>();
    for (const HaproxyRule& rule : kRules) built->emplace(rule.keyword, &rule);
    return built;
  }();
  const auto found = index->find(keyword);
  return found == index->end() ? nullptr : found->second;
}

}  // namespace

const HaproxyRule& haproxy_rule(const std::string& section_kind,
                                const std::vector<std::string>& words) {
  if (words.empty()) return kUnknown;
  if (const HaproxyRule* rule = find(section_kind + "/" + words[0])) return *rule;
  if (section_kind == "global") return words[0].starts_with("ssl-") ? kTls : kUnknown;
  if (words.size() > 1) {
    if (const HaproxyRule* rule = find(words[0] + " " + words[1])) return *rule;
  }
  if (const HaproxyRule* rule = find(words[0])) return *rule;
  return kUnknown;
}

}  // namespace hitless::confdiff
