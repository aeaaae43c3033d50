#include "adapters/journal/service_lock.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/names.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr std::size_t max_holder_bytes = 400;
constexpr int max_tries = 5;  // is_held() of another process has it for a moment

std::string user_name() {
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::getuid());
}

std::string holder_of(int fd) {
  char text[max_holder_bytes];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  if (n <= 0) return "another hitless that is just starting";
  return escape_for_terminal(trim(std::string_view(text, static_cast<std::size_t>(n))));
}

}  // namespace

Result<ServiceLock> ServiceLock::acquire(const std::string& dir, const std::string& service,
                                         const std::string& holder) {
  if (auto ok = check_identifier(service); !ok) return tl::unexpected(ok.error());
  if (auto ok = make_private_dir(dir); !ok) return tl::unexpected(ok.error());
  const std::string folder = dir + "/locks";
  if (auto ok = make_private_dir(folder); !ok) return tl::unexpected(ok.error());
  const std::string path = folder + "/" + service + ".lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return tl::unexpected(storage_error("cannot be opened", path, errno));
  int tries = 1;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK && tries++ < max_tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    if (errno != EWOULDBLOCK) return tl::unexpected(storage_error("cannot be locked", path, errno));
    return fail(ErrorCode::refused,
                fmt::format("{} is being worked on by {}", service, holder_of(fd.get())), path,
                "wait for it to end, or look with `hitless status`");
  }
  const std::string text = fmt::format("{}, pid {}, user {}, since {}\n",
                                       escape_for_terminal(truncate_utf8(holder, 200)), ::getpid(),
                                       user_name(), format_timestamp(wall_now_ms()));
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), text.data(), text.size(), 0) < 0) {
    return tl::unexpected(storage_error("cannot be written", path, errno));
  }
  return ServiceLock(std::move(fd));
}

bool ServiceLock::is_held(const std::string& dir, const std::string& service) {
  if (!check_identifier(service)) return false;
  const std::string path = dir + "/locks/" + service + ".lock";
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  // Shared and given back at once; an acquire() in just that moment tries again.
  return fd.get() >= 0 && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

ServiceLock::~ServiceLock() {
  if (fd_.get() < 0) return;
  [[maybe_unused]] const int ignored = ::ftruncate(fd_.get(), 0);  // closing drops the lock
}

}  // namespace hitless::journal
