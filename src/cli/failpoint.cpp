#include "cli/failpoint.hpp"

#ifdef HITLESS_FAILPOINTS
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#endif

namespace hitless::cli {

#ifdef HITLESS_FAILPOINTS
namespace {

class Points {
 public:
  Points(const char* at, const char* log) {
    if (at != nullptr) {
      char* rest = nullptr;
      wanted_ = std::strtol(at, &rest, 10);
      if (*rest == '+') wanted_seen_ = std::strtol(rest + 1, nullptr, 10);
      if (rest == at) name_ = at;
    }
    if (log != nullptr) fd_ = ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }

  void pass(std::string_view point) {
    const std::string line = std::string(point) + "\n";
    if (fd_ >= 0) (void)!::write(fd_, line.data(), line.size());
    if (point.ends_with("journal seen")) {
      ++seen_;
    } else {
      ++passed_;
      seen_ = 0;
    }
    const bool here = passed_ == wanted_ && seen_ == wanted_seen_;
    const bool over = wanted_seen_ > 0 && passed_ == wanted_ + 1;
    const bool named = !name_.empty() && point == name_;
    if (named || (wanted_ > 0 && (here || over))) ::kill(::getpid(), SIGKILL);
  }

 private:
  long wanted_ = 0, wanted_seen_ = 0, passed_ = 0, seen_ = 0;
  std::string name_;
  int fd_ = -1;
};

}  // namespace

std::function<void(std::string_view)> failpoint() {
  const char* at = std::getenv("HITLESS_CRASH_AT");
  const char* log = std::getenv("HITLESS_CRASH_LOG");
  if (at == nullptr && log == nullptr) return {};
  static Points points(at, log);
  return [](std::string_view point) { points.pass(point); };
}
#else
std::function<void(std::string_view)> failpoint() {
  return {};
}
#endif

}  // namespace hitless::cli
