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
std::function<void(std::string_view)> failpoint() {
  const char* at = std::getenv("HITLESS_CRASH_AT");
  const char* log = std::getenv("HITLESS_CRASH_LOG");
  if (at == nullptr && log == nullptr) return {};
  const long target = at == nullptr ? 0 : std::strtol(at, nullptr, 10);
  const int fd = log == nullptr ? -1 : ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return [target, fd, passed = 0L](std::string_view point) mutable {
    const std::string line = std::string(point) + "\n";
    if (fd >= 0) (void)!::write(fd, line.data(), line.size());
    if (++passed == target) ::kill(::getpid(), SIGKILL);
  };
}
#else
std::function<void(std::string_view)> failpoint() {
  return {};
}
#endif

}  // namespace hitless::cli
