// What runs on an nginx load balancer's host, and the reading of what it prints. Fixed scripts; all
// that differs are arguments and standard input.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

// look UPSTREAMS PID_FILE ERROR_LOG PEERS: the state in one go (NginxLbView below).
// pending BINARY MAIN PID_FILE: files of the configuration on disk, with their times, and its
//   worker_shutdown_timeout.
// apply UPSTREAMS EXPECTED_SHA BINARY MAIN PID_FILE NEW_SHA: the new text comes on stdin; installs
//   it if it came whole, tests it, tells nginx. 81: the text there is another one. 82: nginx -t
//   says no, the old text is back.
// undo UPSTREAMS EXPECTED_SHA MTIME OLD_SHA: the old text, on stdin, gets its old time back.
// tail ERROR_LOG OFFSET: what the error log says since.
[[nodiscard]] const std::string& nginx_lb_script();

inline constexpr int nginx_lb_changed = 81, nginx_lb_refused = 82, nginx_lb_no_master = 83;

struct NginxWorker {
  std::int64_t pid = 0, start_ticks = 0;
  bool old = false;  // "is shutting down"
};

struct NginxLbView {
  std::int64_t master = 0, master_start = 0;
  std::vector<NginxWorker> workers;
  double wall_before = 0, uptime = 0, wall_after = 0;  // seconds; uptime was read between the two
  double mtime = 0;                                    // of the file
  std::int64_t log_size = -1;
  std::vector<std::int64_t> sockets;  // of each peer; -1: not counted
  std::string sha, text;
};

[[nodiscard]] Result<NginxLbView> parse_nginx_look(std::string_view out);

enum class Loaded { yes, no, unsure };
// Have all workers that take connections read the configuration after `mtime`? A worker's start is
// known to within the time that the clocks were read in. Unsure: somebody's edit and reload came
// right after one another, so the reload was meant to bring it in; an edit of ours waits before its
// reload, and is proven by `yes` alone.
[[nodiscard]] Loaded loaded_since(const NginxLbView& view, double mtime);

// "10.0.0.11:80" as /proc/net/tcp and tcp6 write it, "HEX|HEX"; empty: no literal address.
[[nodiscard]] std::string socket_pattern(std::string_view address);

}  // namespace hitless::traffic
