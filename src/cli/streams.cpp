#include "cli/streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/exit_code.hpp"

namespace hitless::cli {
namespace {

constexpr int kWaitMs = 1'000;  // for a descriptor that somebody set to non-blocking

struct Out {
  int fd;
  int failed = 0;  // errno of the first failure
};
Out out{STDOUT_FILENO}, err{STDERR_FILENO};

ssize_t put(void* cookie, const char* data, std::size_t size) {
  Out& to = *static_cast<Out*>(cookie);
  std::size_t done = 0;
  while (done < size && to.failed == 0) {
    const ssize_t wrote = ::write(to.fd, data + done, size - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
      continue;
    }
    pollfd ready{to.fd, POLLOUT, 0};
    if (errno == EINTR || (errno == EAGAIN && ::poll(&ready, 1, kWaitMs) > 0)) continue;
    to.failed = errno;
  }
  return static_cast<ssize_t>(size);
}

std::FILE* forgiving(Out* to, std::FILE* otherwise, int mode) {
  std::FILE* stream = ::fopencookie(to, "w", {nullptr, put, nullptr, nullptr});
  if (stream == nullptr) return otherwise;
  (void)std::setvbuf(stream, nullptr, mode, BUFSIZ);
  return stream;
}

}  // namespace

void guard_streams() {
  // One that was closed (`>&-`) would be the number of the next file that is opened.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
  stdout = forgiving(&out, stdout, ::isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF);
  stderr = forgiving(&err, stderr, _IONBF);
}

int finish_streams(int code) {
  std::fflush(stdout);
  std::fflush(stderr);
  if (out.failed == 0 || out.failed == EPIPE || code != kOk) return code;
  std::fprintf(stderr, "error: standard output could not be written: %s\n",
               std::strerror(out.failed));
  std::fflush(stderr);
  return kError;
}

}  // namespace hitless::cli
