#include "runtime/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace hitless {
namespace {

constexpr int reap_wait_ms = 2000;  // after SIGKILL; longer only when it hangs in the kernel

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(ErrorCode::unavailable, fmt::format("no pipe: {}", std::strerror(errno)), {},
                "raise the limit of open files (ulimit -n)");
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* argv, int in, int out, int err, int report, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before prctl
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGQUIT}) {
    ::signal(signal, SIG_DFL);
  }
  // The pipes may themselves be 0..2 when we were started without them; dup past those first.
  const int fds[3] = {::fcntl(in, F_DUPFD, 3), ::fcntl(out, F_DUPFD, 3), ::fcntl(err, F_DUPFD, 3)};
  const int safe_report = ::fcntl(report, F_DUPFD_CLOEXEC, 3);
  bool ready = safe_report >= 0;
  for (int i = 0; i < 3; ++i) ready = ready && fds[i] >= 0 && ::dup2(fds[i], i) == i;
  ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  if (ready) ::execvp(argv[0], argv);
  const int why = errno;
  [[maybe_unused]] const auto n =
      ::write(safe_report >= 0 ? safe_report : report, &why, sizeof why);
  ::_exit(127);
}

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<Child> Child::start(const std::vector<std::string>& argv) {
  if (argv.empty()) return fail(ErrorCode::internal, "no program to start");
  std::vector<char*> words;
  for (const auto& word : argv) {
    if (word.find('\0') != std::string::npos) {
      return fail(ErrorCode::invalid, "an argument contains a NUL byte", argv[0]);
    }
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);

  Result<Pipe> pipes[4] = {make_pipe(), make_pipe(), make_pipe(), make_pipe()};
  for (const auto& pipe : pipes) {
    if (!pipe) return tl::unexpected(pipe.error());
  }
  auto& [in, out, err, report] = pipes;
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(words.data(), in->read.get(), out->write.get(), err->write.get(), report->write.get(),
           self);
  }
  if (pid < 0) {
    return fail(ErrorCode::unavailable, fmt::format("cannot fork: {}", std::strerror(errno)),
                argv[0]);
  }
  Child child;
  child.pid_ = pid;
  child.exit_event.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  report->write.reset();
  int why = 0;
  ssize_t n = 0;
  do n = ::read(report->read.get(), &why, sizeof why);
  while (n < 0 && errno == EINTR);
  if (n != 0) {
    return fail(ErrorCode::unavailable,
                fmt::format("cannot start {}: {}", argv[0], std::strerror(why)), {},
                why == ENOENT ? fmt::format("install {} or put it into PATH", argv[0]) : "");
  }
  if (child.exit_event.get() < 0) {
    return fail(ErrorCode::unavailable, fmt::format("no pidfd: {}", std::strerror(errno)), argv[0]);
  }
  child.in = std::move(in->write);
  child.out = std::move(out->read);
  child.err = std::move(err->read);
  return child;
}

Child::Child(Child&& other) noexcept
    : in(std::move(other.in)),
      out(std::move(other.out)),
      err(std::move(other.err)),
      exit_event(std::move(other.exit_event)),
      pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() {
  if (pid_ < 0) return;
  kill_group();
  const Fd event(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));  // ours may be given away
  pollfd ended{event.get(), POLLIN, 0};
  if (event.get() >= 0) ::poll(&ended, 1, reap_wait_ms);
  (void)try_reap();  // if it still hangs, init reaps it after us
}

void Child::kill_group() const {
  // Not yet reaped, so the number cannot have been given to anyone else.
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
  }
}

std::optional<int> Child::try_reap() {
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return status;
}

}  // namespace hitless
