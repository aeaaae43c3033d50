// Host port: a machine we reach. A command's own exit code and a lost connection are told apart:
// exec() fails with transport_lost or timed_out only when the outcome is unknown.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

struct ExecResult {
  int exit_code = 0;
  std::string out, err;  // capped
  bool truncated = false;
};

struct FileStat {
  bool exists = false;
  bool is_regular = false;
  std::int64_t size = 0;
  std::string mode;  // "0644"
  std::string owner, group;
};

// A claim on a service that an operation belongs to (ports/coordination.hpp). The host starts the
// operation only while nobody there holds a higher epoch. Empty service: not fenced.
struct Fence {
  std::string service;
  int port = 0;  // of the instance; 0: it has none
  std::int64_t epoch = 0;
};

// A mutation that runs on the host by itself: it goes on when the connection is lost, and its
// outcome can be asked for by the same id later. Starting the same id twice starts it once.
struct Operation {
  std::string id;  // [A-Za-z0-9._-]
  std::vector<std::string> argv;
  bool privileged = true;  // through `sudo -n` where the host is configured so
  DurationMs deadline_ms = 60'000;
  Fence fence;
};

class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual std::string name() const = 0;     // as in the fleet file
  [[nodiscard]] virtual std::string address() const = 0;  // to reach its services at
  [[nodiscard]] virtual bool sudo() const = 0;

  // Reads only. privileged: prefixed with `sudo -n --` when the host has sudo: true.
  virtual Task<Result<ExecResult>> exec(std::vector<std::string> argv, std::string input = {},
                                        DurationMs deadline_ms = 10'000,
                                        bool privileged = false) = 0;
  // Fixed scripts of ours only (never text from outside); `$1`… are args.
  virtual Task<Result<ExecResult>> script(std::string sh, std::vector<std::string> args = {},
                                          DurationMs deadline_ms = 10'000,
                                          bool privileged = false) = 0;
  // As a transient systemd unit (or a detached process where there is no systemd). A connection
  // lost in the middle is re-made and the outcome asked for until the deadline; unknown only after
  // that. Fails with refused when the fence is lower than the claim there, or when there is no
  // claim (renew it: the host was rebooted); then nothing was started, now or by an earlier try.
  virtual Task<Result<ExecResult>> run_operation(Operation operation) = 0;
  // Waits for the end of an operation that somebody started, maybe a controller that is dead now,
  // and collects its outcome. Never starts it. Fails with not_found when there is no trace of it:
  // never started, collected before, or the host was rebooted; that is final once a claim with a
  // higher epoch than its fence was taken there. timed_out: it still runs at our deadline.
  // privileged: as it was started.
  virtual Task<Result<ExecResult>> await_operation(std::string id, DurationMs deadline_ms,
                                                   bool privileged = true) = 0;

  virtual Task<Result<std::string>> read_file(std::string path,
                                              std::int64_t max_bytes = 4 << 20) = 0;
  // Temp file in the same folder, fsync, mode, owner, ACL and extended attributes of the file that
  // it replaces, rename, read back and compare. Refuses symlinks as the last component. Where there
  // is none yet they are those of `like_if_new` (a path there), or else the mode as given.
  virtual Task<Status> put_atomic(std::string path, std::string content,
                                  std::string mode_if_new = "0644",
                                  std::string like_if_new = {}) = 0;
  virtual Task<Result<FileStat>> stat(std::string path) = 0;
  virtual Task<Result<std::string>> boot_id() = 0;
  // Established TCP connections whose local port is `port` (accepted or waiting to be).
  virtual Task<Result<std::int64_t>> connections_on(int port) = 0;
  // The other end of each of them, "10.0.0.9:41450"; only what stands after the last colon counts.
  virtual Task<Result<std::vector<std::string>>> peers_on(int /*port*/) {
    co_return fail(ErrorCode::unavailable, "its connections cannot be listed", name());
  }
  // A path on this machine that reaches the UNIX socket `path` there (ssh forwarding; the same path
  // for a local host).
  virtual Task<Result<std::string>> forward_unix(std::string path) = 0;
};

}  // namespace hitless::ports
