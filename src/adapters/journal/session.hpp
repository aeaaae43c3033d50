// Who writes the journal now: every writing process holds a shared lock; the last one to close gets
// it for itself and seals the file. The kernel drops the lock of a process that died.
#pragma once
#include <string>

#include "base/error.hpp"
#include "runtime/child.hpp"

namespace hitless::journal {

class Session {
 public:
  // Waits for another process that is just sealing.
  [[nodiscard]] static Result<Session> join(const std::string& db_path);
  // True: nobody else is writing, and nobody can start until this object is gone. Otherwise we have
  // left.
  [[nodiscard]] bool become_last();

 private:
  explicit Session(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hitless::journal
