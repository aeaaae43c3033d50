// What a change of a HAProxy keyword takes; meant to be read and corrected.
#include <unordered_map>

#include "confdiff/haproxy.hpp"

namespace hitless::confdiff {
namespace {

constexpr ChangeClass N = ChangeClass::none, R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      S = ChangeClass::restart, H = ChangeClass::human_only;

// keyword, words of the key, added, removed, changed, topic; then reason, ordered
// clang-format off
constexpr HaproxyRule kRules[] = {
    {"global/daemon", 1, S, S, S, Topic::process, "how haproxy is supervised changes"},
    {"global/master-worker", 1, S, S, S, Topic::process, "how haproxy is supervised changes"},
    {"global/chroot", 1, S, S, S, Topic::process, "a running process cannot change it for sure"},
    {"global/user", 1, S, S, S, Topic::process, "a running process cannot change it for sure"},
    {"global/group", 1, S, S, S, Topic::process, "a running process cannot change it for sure"},
    {"global/uid", 1, S, S, S, Topic::process, "a running process cannot change it for sure"},
    {"global/gid", 1, S, S, S, Topic::process, "a running process cannot change it for sure"},
    {"global/nbproc", 1, S, S, S, Topic::process, "number of processes"},
    {"global/module-path", 1, S, S, S, Topic::process, "modules must fit the running binary"},
    {"global/module-load", 2, S, S, S, Topic::process, "modules must fit the running binary"},
    {"global/pidfile", 1, H, H, H, Topic::process, "the pid file is how haproxy is found"},
    {"global/grace", 1, H, H, H, Topic::process, "how long old processes stay after a reload"},
    {"global/stats", 2, W, H, W, Topic::process, "the runtime API is how servers are drained"},
    {"global/nbthread", 1, W, W, W, Topic::process, "number of threads"},
    {"global/maxconn", 1, W, W, W, Topic::process, "connections of the process"},
    {"global/log", 2, W, W, W, Topic::logs, "where logs go"},
    {"global/description", 1, N, N, N, Topic::layout},
    {"global/setenv", 2, W, W, W, Topic::env, "environment of the process"},
    {"global/presetenv", 2, W, W, W, Topic::env, "environment of the process"},

    {"bind", 2, W, W, W, Topic::listen, "a socket that is listened on"},
    {"server", 2, R, W, R, Topic::upstream},
    {"server-template", 2, W, W, W, Topic::upstream, "servers of a template"},
    {"default-server", 1, W, W, W, Topic::upstream, "settings of all servers of the pool"},
    {"balance", 1, W, W, W, Topic::upstream, "clients move between servers"},
    {"hash-type", 1, W, W, W, Topic::upstream, "clients move between servers"},
    {"cookie", 1, W, W, W, Topic::upstream, "clients move between servers"},
    {"dispatch", 1, W, W, W, Topic::upstream, "where requests go"},
    {"use-server", 2, R, R, R, Topic::upstream, "", true},
    {"stick-table", 1, W, W, W, Topic::zones, "what the table holds is lost"},
    {"stick", 2, R, R, R, Topic::body, "", true},

    {"mode", 1, W, W, W, Topic::body, "protocol of the proxy"},
    {"maxconn", 1, W, W, W, Topic::body, "connections of the proxy"},
    {"fullconn", 1, W, W, W, Topic::body, "connections of the proxy"},
    {"timeout", 2, W, W, W, Topic::timeouts, "a timeout"},
    {"log", 2, W, W, W, Topic::logs, "where logs go"},
    {"log-format", 1, R, R, R, Topic::logs},
    {"log-tag", 1, R, R, R, Topic::logs},
    {"retries", 1, W, W, W, Topic::body, "what is tried again changes"},
    {"retry-on", 1, W, W, W, Topic::body, "what is tried again changes"},
    {"option redispatch", 2, W, W, W, Topic::body, "what is tried again changes"},
    {"option httpchk", 2, W, W, W, Topic::upstream, "how servers are checked"},
    {"option", 2, R, R, R, Topic::body},
    {"no", 3, R, R, R, Topic::body},
    {"http-check", 2, W, W, W, Topic::upstream, "how servers are checked", true},
    {"tcp-check", 2, W, W, W, Topic::upstream, "how servers are checked", true},
    {"default_backend", 1, R, R, R, Topic::body},
    {"use_backend", 2, R, R, R, Topic::body, "", true},
    {"acl", 2, R, R, R, Topic::body},
    {"http-request", 2, R, R, R, Topic::body, "", true},
    {"http-response", 2, R, R, R, Topic::body, "", true},
    {"http-after-response", 2, R, R, R, Topic::body, "", true},
    {"http-error", 3, R, R, R, Topic::body},
    {"tcp-request", 2, R, R, R, Topic::body, "", true},
    {"tcp-response", 2, R, R, R, Topic::body, "", true},
    {"redirect", 2, R, R, R, Topic::body, "", true},
    {"filter", 2, R, R, R, Topic::body, "", true},
    {"compression", 2, R, R, R, Topic::body},
    {"capture", 3, R, R, R, Topic::body},
    {"errorfile", 2, R, R, R, Topic::body},
    {"errorloc", 2, R, R, R, Topic::body},
    {"errorloc302", 2, R, R, R, Topic::body},
    {"errorloc303", 2, R, R, R, Topic::body},
    {"unique-id-format", 1, R, R, R, Topic::body},
    {"unique-id-header", 1, R, R, R, Topic::body},
    {"monitor-uri", 1, W, W, W, Topic::body, "what answers a health check"},
    {"description", 1, N, N, N, Topic::layout},
    {"stats", 2, W, W, W, Topic::body, "statistics"},
    {"user", 2, R, R, R, Topic::body},
    {"group", 2, R, R, R, Topic::body},
    {"peer", 2, W, W, W, Topic::zones, "who the tables are shared with"},
    {"nameserver", 2, W, W, W, Topic::body, "names resolve elsewhere"},
    {"ca-base", 1, W, W, W, Topic::tls, "paths of certificates"},
    {"crt-base", 1, W, W, W, Topic::tls, "paths of certificates"},
};
// clang-format on

constexpr HaproxyRule kTls{"(tls)", 1, W, W, W, Topic::tls, "TLS setting", false};
constexpr HaproxyRule kUnknown{"(unknown)", 1, S, S, S, Topic::unknown, "no rule for this keyword",
                               false};

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
