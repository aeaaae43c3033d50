// Leaves nothing behind, whatever happens to us: a tiny `sh` that waits on a pipe for our end, then
// kills every nginx and HAProxy that runs inside the demo's folder and removes the folder.
//
// The kernel closes the pipe when this process dies, also by kill -9, so there is one way to clean
// up and it is always taken. PR_SET_PDEATHSIG cannot do this: servers that were restarted are not
// our children. What to kill is found by working directory *and* program, so a shell that looks
// into the folder lives.
#pragma once
#include <sys/types.h>

#include <string>

#include "base/error.hpp"
#include "runtime/child.hpp"

namespace hitless::demo {

class Keeper {
 public:
  Keeper() = default;
  ~Keeper() { (void)end(); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Watches over dir, an absolute path of plain characters (see plain_path) that only we use.
  [[nodiscard]] Status start(const std::string& dir);
  // Cleans up now and waits until it is done. Fails when something is left.
  [[nodiscard]] Status end();

 private:
  std::string dir_;
  Fd life_;  // it ends when this is closed everywhere
  pid_t pid_ = -1;
};

// [A-Za-z0-9/._+@=-]: needs no quoting in sh, nginx.conf, haproxy.cfg, YAML or a find pattern.
[[nodiscard]] bool plain_path(std::string_view path);

}  // namespace hitless::demo
