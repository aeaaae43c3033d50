// What HAProxy's runtime socket says, parsed: `show stat`, `show info`, `show servers state`, `show
// proc`.
//
// Columns are found by their header's name, because their order and number vary with the version
// and the thread count. What is missing or not a number is empty, never 0. A table that is cut
// short or does not fit its header is an error as a whole: half a table must not pass for a small
// one.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

struct WorkerInfo {  // show info
  std::int64_t pid = 0;
  std::string start;      // Start_time_sec; empty when the version does not tell
  bool stopping = false;  // an old worker that still answers
  std::string version;
  std::int64_t processes = 1;               // Nbproc: more than one up to HAProxy 2.4 only
  std::optional<std::int64_t> connections;  // CurrConns
};

struct StatRow {  // show stat: one server, or the backend (svname BACKEND)
  std::string server;
  std::string status;  // "UP", "UP 1/3", "DRAIN (agent)", "MAINT (via be/s1)", "no check", "NOLB"
  std::string check_status;  // "L7OK", "* L4CON"; empty: no check runs
  std::string tracked;       // "be/s1": its health is that server's
  std::string mode, cookie, address;
  bool has_agent = false;
  bool backup = false;  // gets work only while all others are down
  std::optional<std::int64_t> sessions, queued, total, requests, idle;
  std::optional<std::int64_t> connect_errors, response_errors, server_aborts, responses_5xx;
  std::optional<std::int64_t> retries, redispatches;
};

struct StatTable {
  std::map<std::string, StatRow> servers;
  std::optional<StatRow> backend;
};

struct ServerState {  // show servers state
  std::int64_t backend_id = 0;
  std::int64_t op = 0;           // 0 stopped, 1 starting, 2 running, 3 stopping
  std::int64_t admin = 0;        // mask, see haproxy_report.cpp
  std::int64_t weight = 0;       // 0: gets no new work
  std::int64_t check_state = 0;  // mask; 0x04: a check is enabled
};
using ServerStates = std::map<std::string, ServerState>;

struct ProcessList {  // show proc, from the master socket
  std::vector<std::int64_t> workers, old_workers;
  std::int64_t failed_reloads = 0;
};

[[nodiscard]] Result<WorkerInfo> parse_info(std::string_view text);
[[nodiscard]] Result<StatTable> parse_stat(std::string_view text, std::string_view backend);
[[nodiscard]] Result<ServerStates> parse_servers_state(std::string_view text,
                                                       std::string_view backend);
[[nodiscard]] Result<ProcessList> parse_proc(std::string_view text);
// The names of all stick tables, from `show table`.
[[nodiscard]] std::vector<std::string> parse_table_names(std::string_view text);

// The addresses ("0x55d0c8") of the sessions at one server, from `show sess`.
[[nodiscard]] std::vector<std::string> parse_sessions(std::string_view text,
                                                      std::string_view backend,
                                                      std::string_view server);

// The master has no (more) worker of that pid.
// From `show fd`: local ports of the connections that are the health check of BACKEND/SERVER. With
// `at_rest`, when its sessions were 0 before and after, that is every connection to it; else those
// that HAProxy shows waiting for a check's answer, which not every version and kind of check does.
[[nodiscard]] std::vector<int> parse_check_ports(std::string_view text, std::string_view backend,
                                                 std::string_view server, bool at_rest);
[[nodiscard]] bool says_no_such_worker(std::string_view reply);
// "No such proxy." and its like: the node answered, and it has no such backend or server.
[[nodiscard]] bool says_not_found(std::string_view reply);
[[nodiscard]] bool says_permission_denied(std::string_view reply);

}  // namespace hitless::traffic
