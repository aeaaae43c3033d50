#include "fleet/read_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hitless::fleet {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> cannot_read(const std::string& path, int reason) {
  const auto code =
      reason == ENOENT || reason == ENOTDIR ? ErrorCode::not_found : ErrorCode::failed;
  return fail(code, fmt::format("cannot be read: {}", std::strerror(reason)), path);
}

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.get() < 0) return cannot_read(path, errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return cannot_read(path, errno);
  if (S_ISDIR(info.st_mode)) return cannot_read(path, EISDIR);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid, "is not a regular file", path);
  if (info.st_size > 0 && static_cast<std::size_t>(info.st_size) > max_bytes)
    return fail(
        ErrorCode::invalid,
        fmt::format("is {} large; at most {} are read",
                    show_size(static_cast<std::size_t>(info.st_size)), show_size(max_bytes)),
        path);
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > max_bytes)
      return fail(ErrorCode::invalid, fmt::format("is larger than {}", show_size(max_bytes)), path);
  }
}

std::string show_size(std::size_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  if (bytes < 1024 * 1024) return fmt::format("{} KiB", bytes / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

}  // namespace hitless::fleet
