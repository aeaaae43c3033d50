#include "adapters/service/test_host.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/process.hpp"

namespace hitless::service {
namespace {

// Ends everything that a killed test would leave behind. $1: the folder.
constexpr const char* kWatcher = R"sh(
trap '' INT TERM HUP
read -r never
for file in "$1"/*.pid "$1"/unit/*.pid; do
  [ -e "$file" ] || continue
  read -r pid rest <"$file" || continue
  title=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
  case $title in *"$1"*) ;; *) continue;; esac
  kids=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
  kill -TERM "$pid"
  for try in 1 2 3 4 5 6 7 8 9 10; do [ -e "/proc/$pid" ] || break; sleep 0.05; done
  kill -KILL "$pid" $kids 2>/dev/null
done
rm -rf -- "$1"
)sh";

}  // namespace

Task<Result<ports::ExecResult>> TestHost::exec(std::vector<std::string> argv, std::string input,
                                               DurationMs deadline_ms, bool privileged) {
  if (unreachable) co_return tl::unexpected<Error>(*unreachable);
  if (privileged && sudo_works == false) {
    co_return ports::ExecResult{1, {}, "sudo: a password is required\n", false};
  }
  if (!path_prefix.empty()) {
    argv.insert(argv.begin(), {"env", "PATH=" + path_prefix + ":" + std::getenv("PATH")});
  }
  argv.insert(argv.begin(), through.begin(), through.end());
  auto ran = co_await run_process(std::move(argv), std::move(input), deadline_ms);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  const int code = ran->signal != 0 ? 128 + ran->signal : ran->exit_code;
  co_return ports::ExecResult{code, std::move(ran->out), std::move(ran->err), false};
}

Task<Result<ports::ExecResult>> TestHost::script(std::string sh, std::vector<std::string> args,
                                                 DurationMs deadline_ms, bool privileged) {
  std::vector<std::string> argv{"sh", "-c", std::move(sh), "hitless"};
  argv.insert(argv.end(), args.begin(), args.end());
  co_return co_await exec(std::move(argv), {}, deadline_ms, privileged);
}

Task<Result<ports::ExecResult>> TestHost::run_operation(ports::Operation operation) {
  operations.push_back(operation);
  if (lose) {
    if (auto error = lose(operation)) co_return tl::unexpected<Error>(std::move(*error));
  }
  co_return co_await exec(operation.argv, {}, operation.deadline_ms, operation.privileged);
}

// run_operation has waited for its end already.
Task<Result<ports::ExecResult>> TestHost::await_operation(std::string id, DurationMs, bool) {
  co_return fail(ErrorCode::not_found, "no trace of operation " + id, name());
}

Task<Result<std::string>> TestHost::read_file(std::string path, std::int64_t max_bytes) {
  if (!exists(path)) co_return fail(ErrorCode::not_found, path + " does not exist", name());
  std::string content = read_text(path);
  if (static_cast<std::int64_t>(content.size()) > max_bytes)
    co_return fail(ErrorCode::refused, "too large", path);
  co_return content;
}

Task<Status> TestHost::put_atomic(std::string path, std::string content, std::string mode_if_new,
                                  std::string /*like_if_new*/) {
  write_file(path + ".new", content,
             static_cast<int>(std::strtol(mode_if_new.c_str(), nullptr, 8)));
  std::filesystem::rename(path + ".new", path);
  co_return Status{};
}

Task<Result<ports::FileStat>> TestHost::stat(std::string path) {
  ports::FileStat result;
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) co_return result;
  result.exists = true;
  result.is_regular = S_ISREG(info.st_mode);
  result.size = info.st_size;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", info.st_mode & 07777u);
  result.mode = mode;
  co_return result;
}

Task<Result<std::string>> TestHost::boot_id() {
  co_return std::string("test");
}
Task<Result<std::int64_t>> TestHost::connections_on(int) {
  co_return std::int64_t{0};
}
Task<Result<std::string>> TestHost::forward_unix(std::string path) {
  co_return path;
}

TestFolder::TestFolder() {
  char name[] = "/tmp/hitless-service-test-XXXXXX";
  path = ::mkdtemp(name);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const char* argv[] = {"sh", "-c", kWatcher, "watcher", path.c_str(), nullptr};
  if (::posix_spawnp(&watcher_, "sh", &actions, &attributes, const_cast<char**>(argv), environ) !=
      0) {
    std::abort();
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[0]);
  pipe_ = ends[1];
}

TestFolder::~TestFolder() {
  ::close(pipe_);
  ::waitpid(watcher_, nullptr, 0);
}

void write_file(const std::string& path, const std::string& content, int mode) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  ::chmod(path.c_str(), static_cast<mode_t>(mode));
}

std::string read_text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace hitless::service
