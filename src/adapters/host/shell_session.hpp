// One `sh` that is kept open, on this machine or at the far end of an ssh client, and runs one
// command at a time. It is started at first use and again when it died.
//
// Invariant: a connection is in use only between frames. Whatever interrupts a command in its frame
// (its deadline, cancellation, a broken frame) ends that connection, so no command can see
// another's output. When we die, ssh and sh die with us (see runtime/child.hpp); a remote command
// ends at the next connect.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "ports/host.hpp"
#include "runtime/task.hpp"

namespace hitless::host {

struct SessionSettings {
  std::string name;               // for messages
  std::vector<std::string> argv;  // {"/bin/sh"} or ssh's; it may make itself root's (root_or_user)
  std::vector<std::string> kept_argv;  // instead of argv for the first connection; may be empty
  bool remote = false;                 // explain an end as ssh's
  DurationMs connect_deadline_ms = 15'000, kept_deadline_ms = 7'000;
  int max_waiting = 64;  // commands in the queue
};

struct SessionCommand {
  std::string body;   // sh text, quoted by the caller
  std::string input;  // its stdin; empty: /dev/null
  DurationMs deadline_ms = 10'000;
  std::size_t max_output_bytes = 1u << 20;  // of each stream
};

class ShellSession {
 public:
  explicit ShellSession(SessionSettings settings);
  ~ShellSession();
  ShellSession(const ShellSession&) = delete;
  ShellSession& operator=(const ShellSession&) = delete;

  // The command's exit code is a result. Errors: unavailable or refused (it was not started),
  // timed_out and transport_lost (outcome unknown).
  Task<Result<ports::ExecResult>> run(SessionCommand command);
  // Whether the shell runs as root; connects when there is none. Asked before a command that needs
  // it: one shell for a whole rollout instead of a sudo for each command.
  Task<Result<bool>> is_root();
  // The pid of the ssh or sh that was last seen up; 0: none. For tests.
  [[nodiscard]] int pid() const;
  // Counts connections made; a change tells that a command ran on a new one.
  [[nodiscard]] int generation() const { return generation_; }

 private:
  struct Connection;
  struct Exchange;
  Task<Result<ports::ExecResult>> run_locked(SessionCommand command);
  Task<Status> connect();
  Task<Status> connect_once(const std::vector<std::string>* argv, DurationMs deadline_ms);
  Task<Result<ports::ExecResult>> exchange(SessionCommand command, std::string preamble);
  [[nodiscard]] Error explain_end(bool while_connecting) const;

  SessionSettings settings_;
  AsyncMutex mutex_;
  int waiting_ = 0;
  int generation_ = 0;
  bool kept_tried_ = false;  // a connection that was lost is followed by one of our own
  int pid_ = 0;
  bool root_ = false;  // of the connection that is or was up
  std::unique_ptr<Connection> connection_;
  std::shared_ptr<Exchange> last_;  // the most recent one, for the reason of an end
  std::string stale_shell_;         // "pid starttime group" of one that was cut off in mid-command
  std::string this_shell_;
  Error last_failure_;
  std::int64_t no_connect_before_ms_ = 0;  // steady clock
};

}  // namespace hitless::host
