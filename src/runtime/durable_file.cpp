#include "runtime/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/digest.hpp"
#include "runtime/child.hpp"

namespace hitless {
namespace {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
    return tl::unexpected(storage_error("cannot be made durable", folder, errno));
  }
  return {};
}

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(storage_error("cannot be written", path, errno));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return tl::unexpected(storage_error("cannot be made durable", path, errno));
  return {};
}

}  // namespace

Error storage_error(std::string_view doing, const std::string& path, int error_number) {
  const std::string help =
      error_number == ENOSPC || error_number == EDQUOT
          ? "the disk is full: make space, then run again"
      : error_number == EACCES || error_number == EPERM || error_number == EROFS
          ? "check owner and mode of the folder, and that it is mounted read-write"
          : "";
  return Error{ErrorCode::storage, fmt::format("{}: {}", doing, std::strerror(error_number)), path,
               help};
}

Status make_private_dir(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(dir).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(storage_error("the folder cannot be made", dir, errno));
  }
  struct stat info{};
  if (::stat(dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return tl::unexpected(storage_error("is not a folder", dir, ENOTDIR));
  }
  if ((info.st_mode & S_IWOTH) != 0 || (info.st_uid != ::geteuid() && ::geteuid() != 0)) {
    return fail(ErrorCode::storage, "others may write to the folder", dir,
                fmt::format("make it yours alone: chown {} and chmod 700", ::geteuid()));
  }
  return {};
}

Status write_durably(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp-" + random_hex(6);
  Status status;
  {
    const Fd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd.get() < 0) return tl::unexpected(storage_error("cannot be created", temporary, errno));
    status = write_all(fd.get(), content, temporary);
  }
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = tl::unexpected(storage_error("cannot be renamed", path, errno));
  }
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(path);
}

Status remove_durably(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return tl::unexpected(storage_error("cannot be removed", path, errno));
  }
  return sync_folder(path);
}

Result<std::optional<std::string>> read_if_there(const std::string& path, std::size_t max_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return tl::unexpected(storage_error("cannot be read", path, errno));
  }
  std::string content;
  char chunk[65536];
  while (true) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(storage_error("cannot be read", path, errno));
    if (n == 0) return std::optional<std::string>(std::move(content));
    content.append(chunk, static_cast<std::size_t>(n));
    if (content.size() > max_bytes) {
      return fail(ErrorCode::storage, fmt::format("is longer than {} bytes", max_bytes), path);
    }
  }
}

std::int64_t size_of(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? static_cast<std::int64_t>(info.st_size) : -1;
}

}  // namespace hitless
