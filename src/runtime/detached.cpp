#include "runtime/detached.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "runtime/child.hpp"
#include "runtime/durable_file.hpp"

extern char** environ;

namespace hitless {
namespace {

struct Prepared {
  std::vector<char*> argv, env;
  int log = -1, null = -1, report = -1;
};

// Between fork and exec only what a signal handler may do: other threads hold locks.
[[noreturn]] void become(const Prepared& prepared) {
  const int problem_fd = prepared.report;
  ::setsid();
  const pid_t second = ::fork();
  if (second != 0) ::_exit(second < 0 ? 1 : 0);
  ::dup2(prepared.null, STDIN_FILENO);
  ::dup2(prepared.log, STDOUT_FILENO);
  ::dup2(prepared.log, STDERR_FILENO);
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int fd = STDERR_FILENO + 1; fd < 1024; ++fd)
    if (fd != problem_fd) ::close(fd);
  ::execve("/proc/self/exe", prepared.argv.data(), prepared.env.data());
  const int problem = errno;
  (void)!::write(problem_fd, &problem, sizeof problem);
  ::_exit(127);
}

Status spawn(Prepared& prepared) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::unavailable, "no pipe: out of descriptors");
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  prepared.report = theirs.get();
  const pid_t first = ::fork();
  if (first == 0) become(prepared);
  theirs.reset();
  if (first < 0) return fail(ErrorCode::unavailable, "cannot start another process");
  int status = 0;
  while (::waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  int problem = 0;
  const bool failed = ::read(ours.get(), &problem, sizeof problem) > 0;
  if (failed || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(ErrorCode::unavailable, "cannot start another process");
  return {};
}

}  // namespace

Status start_ourselves_detached(const std::vector<std::string>& argv, const std::string& log,
                                const std::vector<std::string>& without) {
  Fd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return tl::unexpected(storage_error("cannot be opened", log, errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::refused, "it runs already", log);
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<std::string> words = argv, variables;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    bool left_out = false;
    for (const std::string& name : without)
      left_out = left_out || std::string_view(*each).starts_with(name + "=");
    if (!left_out) variables.emplace_back(*each);
  }
  Prepared prepared;
  for (std::string& word : words) prepared.argv.push_back(word.data());
  for (std::string& variable : variables) prepared.env.push_back(variable.data());
  prepared.argv.push_back(nullptr);
  prepared.env.push_back(nullptr);
  prepared.log = file.get();
  prepared.null = null.get();
  return spawn(prepared);
}

bool is_running(const std::string& log) {
  const Fd file(::open(log.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace hitless
