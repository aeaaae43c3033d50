// A child process with its three pipes, for run_process and for long-lived helpers such as ssh.
//
// The child leads a session of its own, so it has no terminal to ask on, Ctrl-C does not reach it,
// and kill_group() reaches all that it started. It dies with us (PR_SET_PDEATHSIG), however we die.
// The destructor kills what still runs.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace hitless {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

class Child {
 public:
  // argv[0] is looked up in PATH. Fails with unavailable when it cannot be started.
  [[nodiscard]] static Result<Child> start(const std::vector<std::string>& argv);

  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) = delete;
  ~Child();

  Fd in, out, err;  // our ends of its stdin, stdout, stderr
  Fd exit_event;    // a pidfd: readable once it has ended

  [[nodiscard]] int pid() const { return pid_; }
  void kill_group() const;        // SIGKILL to it and all in its session's first group
  std::optional<int> try_reap();  // the status of waitpid once it has ended

 private:
  Child() = default;
  int pid_ = -1;  // -1: reaped or moved from
};

}  // namespace hitless
