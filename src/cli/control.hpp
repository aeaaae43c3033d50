// Speaking to a rollout that runs in another process: a UNIX socket in the state folder, one line
// in ("pause root@ctl1"), one line back ("ok").
//
// Only the user of the state folder can reach it (the folder is private). A socket that nobody
// answers is a rollout that does not run.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "core/event.hpp"
#include "runtime/task.hpp"

namespace hitless::cli {

// Listens until it is destroyed; the socket file goes with it.
class ControlServer {
 public:
  using OnWish = std::function<void(core::OperatorWish, std::string actor)>;
  static Task<Result<std::unique_ptr<ControlServer>>> start(std::string state_dir,
                                                            std::string rollout, OnWish on_wish);
  ~ControlServer();

 private:
  ControlServer() = default;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// not_found: no rollout of that id runs here.
[[nodiscard]] Status send_wish(const std::string& state_dir, const std::string& rollout,
                               core::OperatorWish wish, const std::string& actor);

}  // namespace hitless::cli
