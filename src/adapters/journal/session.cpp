#include "adapters/journal/session.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr int join_attempts = 1000;
constexpr std::chrono::milliseconds join_pause_ms{10};

}  // namespace

Result<Session> Session::join(const std::string& db_path) {
  const std::string path = db_path + ".lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return tl::unexpected(storage_error("cannot be opened", path, errno));
  for (int i = 0; i < join_attempts; ++i) {
    if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return Session(std::move(fd));
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    std::this_thread::sleep_for(join_pause_ms);
  }
  return tl::unexpected(storage_error("cannot be locked", path, errno));
}

bool Session::become_last() {
  return ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace hitless::journal
