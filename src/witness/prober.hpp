// The independent client: asks the load balancer for something at a fixed rate the whole time, and
// says exactly what became of each request.
//
// Open loop: arrivals come from the clock, a late reply never slows the next request. It has its
// own thread and io_context, so that a slow disk or a redraw in the run loop does not look like a
// slow service; that thread takes no signals. Nothing is retried, ever: a request that a careful
// client could not have known to be dead before sending it, and that got no good answer, is lost.
//
// Invariant, at every snapshot: sent == ok + lost + answered_4xx + unfinished + in_flight; and
// after stop() in_flight is 0. What was due but could not be sent because of a limit of ours is
// not_sent and makes the result untrustworthy: it is never dropped silently. Nothing is kept on
// disk; after a crash a new prober starts at 0.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "witness/histogram.hpp"
#include "witness/series.hpp"
#include "witness/timeline.hpp"

namespace hitless::witness {

enum class RequestType {
  get_new,   // its own connection, Connection: close
  get_kept,  // over a kept-alive connection, oldest idle one first
  post_new,  // with a body and a unique id header
  post_kept,
  ws_echo,  // a message over a long-lived WebSocket; the server must send it back
};
inline constexpr std::size_t kRequestTypes = 5;

enum class LossKind {
  refused,      // no connection could be made
  reset,        // a fresh connection ended, by RST or FIN, without one byte of answer
  stale_close,  // the same on a reused kept-alive connection
  timeout,      // no whole answer (or connection) within timeout_ms
  http_5xx,
  short_body,  // the answer began and broke off
  malformed,   // not an HTTP/1.1 answer, or not a WebSocket's
  wrong_body,  // a whole answer without what was expected in it
  tls,         // the certificate was not accepted, or the handshake failed
};
inline constexpr std::size_t kLossKinds = 9;

[[nodiscard]] const char* name_of(RequestType type);
[[nodiscard]] const char* name_of(LossKind kind);

struct ProbePath {
  std::string path;  // "/", "/api?x=1"; visible ASCII, starts with '/'
  int weight = 1;
  std::string expect =
      {};  // must be in the body of an answer below 400, else wrong_body; empty: any
};

struct ProberConfig {
  std::string address;  // name or literal; resolved once, at start(), to its first address
  std::uint16_t port = 80;
  std::string host_header;  // empty: address:port
  bool tls = false;
  std::string ca_file;     // PEM; empty: the system's
  bool verify_tls = true;  // the chain and the name
  std::string tls_name;    // for SNI and the certificate's name; empty: address
  double rate_per_s = 20;  // at most 2,000
  std::vector<ProbePath> paths = {{"/", 1}};
  std::array<int, kRequestTypes> weights = {3, 5, 1, 1, 0};  // by RequestType
  std::string post_path;                                     // of all POSTs; empty: paths
  std::string ws_path;                        // of the WebSockets, which must echo; empty: paths
  std::size_t post_body_bytes = 256;          // at most 16 KiB
  std::string id_header = "X-Hitless-Probe";  // on POSTs: unique over all runs, so that the
                                              // receiver can count what was executed twice
  std::string server_header = "X-Host";       // on answers: who answered
  DurationMs timeout_ms = 5000;               // from sending (with connecting) to the last byte
  std::size_t kept_connections = 8;           // at most 1,024; more are opened when all are busy;
                                              // as many WebSockets again when they have a weight
  std::size_t max_in_flight = 4096;           // lowered to what the fd limit allows
  std::int64_t max_requests = 0;              // ends by itself after that many; 0: until stopped
};

struct Loss {
  TimeMs at_ms = 0;  // when it was sent
  LossKind kind = LossKind::timeout;
  RequestType type = RequestType::get_new;
  int status = 0;             // 0: none came
  std::int64_t after_us = 0;  // from sending to knowing
  std::string path;
  std::string server;  // who answered, when known; safe to print
  std::string id;      // of a POST
  std::string detail;  // "connection refused", "bad chunk size"; safe to print
};

struct SecondWindow {
  TimeMs start_ms = 0;
  std::int64_t sent = 0, ok = 0, lost = 0;  // sent in it; answered or lost in it
  std::optional<std::int64_t> p50_us, p95_us, p99_us;
};

struct ProberSnapshot {
  std::int64_t sent = 0, ok = 0, lost = 0, in_flight = 0;
  std::int64_t answered_4xx = 0;
  std::int64_t unfinished = 0;  // given up by stop() before their timeout
  std::int64_t not_sent =
      0;  // due, but not sent: in-flight cap, file descriptors, ports, or we slept
  std::string not_sent_why;   // the last reason
  std::int64_t reopened = 0;  // idle kept-alive connections found closed before a request was sent
  std::int64_t max_lag_us = 0;  // the latest that a request went out after it was due
  std::array<std::int64_t, kLossKinds> by_kind{};
  std::array<std::int64_t, kRequestTypes> sent_by_type{}, lost_by_type{};
  std::vector<Loss> recent_losses;         // oldest first; the last kMaxRecentLosses
  std::vector<SecondWindow> last_seconds;  // oldest first; whole seconds only, at most a minute
  LatencyHistogram latency;                // of answers below 500, for since()
  std::optional<std::int64_t> p50_us, p95_us, p99_us;
  TimeMs started_ms = 0, stopped_ms = 0;  // stopped_ms is 0 while it runs
  std::int64_t losses_forgotten = 0;      // in the counts, but no longer in recent_losses
  std::vector<Mark> marks;
  Mark now;                         // the counts and the gap since the last mark; no mark itself
  std::int64_t marks_dropped = 0;   // more than kMaxMarks
  std::vector<SeriesPoint> series;  // the whole run, in whole seconds that are over
  std::string id_prefix;            // ids of POSTs are "<prefix>-<arrival>"

  [[nodiscard]] std::int64_t lost_as(LossKind kind) const {
    return by_kind[static_cast<std::size_t>(kind)];
  }
  // Every request that was due was sent and judged. Otherwise "0 lost" proves nothing.
  [[nodiscard]] bool trustworthy() const { return sent > 0 && not_sent == 0 && unfinished == 0; }
};

inline constexpr std::size_t kMaxRecentLosses = 2000;

class Prober {
 public:
  explicit Prober(ProberConfig config);
  ~Prober();  // stops without grace
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Checks the config, resolves the address (blocking) and starts the thread. Once only.
  [[nodiscard]] Status start();
  [[nodiscard]] ProberSnapshot snapshot() const;  // from any thread
  // The rollout as it goes on, from any thread: for what was lost, when and in which phase.
  void enter(Window window);
  void phase(const std::string& instance, core::PhaseName phase);
  // Sends nothing more; returns at once. snapshot().in_flight then falls to 0.
  void request_stop();
  // Waits up to grace_ms for what is in flight, counts the rest as unfinished, ends the thread.
  ProberSnapshot stop(DurationMs grace_ms);
  ProberSnapshot stop();  // with the grace of one timeout: nothing is left unfinished

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hitless::witness
