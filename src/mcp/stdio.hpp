// MCP over standard input and output: one JSON message a line, nothing else on stdout; the end of
// the input ends the server.
#pragma once
#include <functional>

#include "mcp/server.hpp"

namespace hitless::mcp {

// Ends a conversation from outside, as the end of its input would; for signals. On its executor.
class StdioStop {
 public:
  void stop() {
    asked_ = true;
    if (wake_) wake_();
  }
  [[nodiscard]] bool asked() const { return asked_; }
  void on_stop(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  bool asked_ = false;
  std::function<void()> wake_;
};

// Returns at the end of the input (what still runs is cancelled), when the output is closed, or
// when it is stopped.
Task<void> serve_stdio(Server* server, int in_fd, int out_fd, StdioStop* stop);

}  // namespace hitless::mcp
