#include "demo/keeper.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace hitless::demo {

namespace {

constexpr auto kEndDeadline = std::chrono::seconds(15);

// First TERM, after 0.4 s KILL, until two looks in a row find nothing: a server may be starting.
// A hitless that works in our state folder goes as well: it would make the folder again.
constexpr const char* kScript = R"sh(
dir=$1
trap '' INT TERM HUP QUIT
cat >/dev/null
ours() {
  find /proc -maxdepth 2 -name cwd -lname "$dir/*" 2>/dev/null | while IFS=/ read -r _ _ pid _; do
    case $(readlink "/proc/$pid/exe") in
      */nginx | */haproxy | */nginx\ * | */haproxy\ *) echo "$pid" ;;
      */sh | */dash | */bash | */busybox)
        case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *"$dir/bin/"*) echo "$pid" ;; esac ;;
    esac
  done
  find /proc -maxdepth 2 -name exe -lname '*/hitless*' 2>/dev/null | while IFS=/ read -r _ _ pid _; do
    tr '\0' '\n' <"/proc/$pid/environ" | grep -Fqx "HITLESS_STATE_DIR=$dir/state" && echo "$pid"
  done
}
stop_all() { for pid in $(ours); do kill -s "$1" "$pid"; done; }
exec 2>/dev/null
stop_all TERM
quiet=0 round=0
while [ "$quiet" -lt 2 ] && [ "$round" -lt 60 ]; do
  sleep 0.1
  round=$((round + 1))
  if [ -z "$(ours)" ]; then
    quiet=$((quiet + 1))
  else
    quiet=0
    [ "$round" -lt 4 ] || stop_all KILL
  fi
done
rm -rf -- "$dir"
)sh";

}  // namespace

bool plain_path(std::string_view path) {
  return !path.empty() && path[0] == '/' && std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._+@=-").find(c) != std::string_view::npos;
  });
}

Status Keeper::start(const std::string& dir) {
  if (pid_ > 0 || !plain_path(dir)) return fail(ErrorCode::internal, "keeper: bad folder", dir);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::unavailable, "keeper: cannot make a pipe");
  Fd theirs(ends[0]);
  life_.reset(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: Ctrl-C on our terminal is not for it.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string words[] = {"/bin/sh", "-c", kScript, "hitless-demo-keeper", dir};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(),
                  words[3].data(), words[4].data(), nullptr};
  char path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
  char* environment[] = {path, nullptr};
  const int error = ::posix_spawn(&pid_, "/bin/sh", &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    return fail(ErrorCode::unavailable, "keeper: cannot start /bin/sh");
  }
  dir_ = dir;
  return {};
}

Status Keeper::end() {
  if (pid_ <= 0) return {};
  life_.reset();
  const auto deadline = std::chrono::steady_clock::now() + kEndDeadline;
  for (;;) {
    const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) break;
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  pid_ = -1;
  std::error_code ignored;
  if (std::filesystem::exists(dir_, ignored))
    return fail(ErrorCode::failed, "the demo's folder could not be removed", dir_,
                "look for nginx and haproxy processes in it, then remove it by hand");
  return {};
}

}  // namespace hitless::demo
