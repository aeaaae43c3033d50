// A real PostgreSQL 15, and a real PgBouncer in front of it, of a test's own: under the user
// `postgres` when the test is root (both refuse root), in a folder of its own, on UNIX sockets only
// unless a port is asked for. The system's own cluster is never touched. A watcher sees the end of
// our pipe, however we end, stops both and removes the folder.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace hitless::tests {

inline constexpr const char* postgres_bin = "/usr/lib/postgresql/15/bin/";

struct ShellResult {
  int status = -1;
  std::string out;  // stdout and stderr
};

inline ShellResult sh(const std::string& command) {
  ShellResult result;
  std::FILE* pipe = ::popen(("{ " + command + "\n} 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("popen");
  std::array<char, 4096> chunk;
  for (std::size_t n; (n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
    result.out.append(chunk.data(), n);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return result;
}

inline std::string must(const std::string& command) {
  ShellResult result = sh(command);
  if (result.status != 0) throw std::runtime_error(command + "\n" + result.out);
  while (!result.out.empty() && result.out.back() == '\n') result.out.pop_back();
  return result.out;
}

// Words in front of a command that must not run as root.
inline std::string as_postgres() {
  return ::geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups -- " : "";
}

class RealPostgres {
 public:
  RealPostgres() {
    char name[] = "/tmp/hitless-pg-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    watch();
    copy_template();
    std::ofstream(data() + "/postgresql.conf", std::ios::app)
        << "\nlisten_addresses = ''\nport = " << port << "\nunix_socket_directories = '" << folder_
        << "'\nfsync = off\n"
        << "max_connections = 30\nshared_buffers = 8MB\nlog_min_messages = warning\n";
    must(as_postgres() + postgres_bin + "pg_ctl -D " + data() + " -s -w -l " + folder_ +
         "/postgres.log start");
  }
  ~RealPostgres() {
    ::close(pipe_);
    int status = 0;
    ::waitpid(watcher_, &status, 0);
  }
  RealPostgres(const RealPostgres&) = delete;
  RealPostgres& operator=(const RealPostgres&) = delete;

  static constexpr int port = 5599, bouncer_port = 6599;  // of the sockets' names alone

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return folder_ + "/" + name;
  }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string data() const { return folder_ + "/data"; }
  [[nodiscard]] std::string bouncer_socket() const {
    return "unix:" + folder_ + "/.s.PGSQL." + std::to_string(bouncer_port);
  }
  // [databases] app, app-two and sess (session pooling); the console's admin is `hitless`.
  void start_bouncer(const std::string& more_settings = {}) {
    std::ofstream(folder_ + "/pgbouncer.ini")
        << "[databases]\napp = " << server() << "\napp-two = " << server()
        << "\nsess = " << server()
        << " pool_mode=session\n[pgbouncer]\nlisten_addr=\nlisten_port=" << bouncer_port
        << "\nunix_socket_dir=" << folder_ << "\nauth_file=" << folder_
        << "/users\nadmin_users=hitless\nserver_login_retry=1\nstats_users=reader\npool_mode="
           "transaction\nlogfile="
        << folder_ << "/pgbouncer.log\npidfile=" << folder_ << "/pgbouncer.pid\n"
        << (more_settings.find("auth_type") == std::string::npos ? "auth_type=trust\n" : "")
        << more_settings;
    std::ofstream(folder_ + "/users")
        << "\"hitless\" \"secret\"\n\"postgres\" \"\"\n\"reader\" \"secret\"\n";
    own();
    must(as_postgres() + "pgbouncer -q -d " + folder_ + "/pgbouncer.ini");
    if (!eventually([&] { return console("SHOW VERSION").status == 0; }))
      throw std::runtime_error("pgbouncer does not answer");
  }
  void stop_bouncer() {
    must("kill -TERM $(cat " + folder_ + "/pgbouncer.pid)");
    eventually([&] { return !std::filesystem::exists(folder_ + "/pgbouncer.pid"); });
  }
  void restart_bouncer() {
    stop_bouncer();
    must(as_postgres() + "pgbouncer -q -d " + folder_ + "/pgbouncer.ini");
    eventually([&] { return console("SHOW VERSION").status == 0; });
  }
  // psql words for a database, through PgBouncer or directly.
  [[nodiscard]] std::string psql(const std::string& database, const std::string& sql,
                                 int to = bouncer_port) const {
    return "psql -X -w -At -h " + folder_ + " -p " + std::to_string(to) + " -U postgres -d " +
           database + " -c \"" + sql + "\"";
  }
  // As PgBouncer's own user: needs no password.
  ShellResult console(const std::string& command) const {
    return sh(as_postgres() + "psql -X -w -At -h " + folder_ + " -p " +
              std::to_string(bouncer_port) + " -U pgbouncer -d pgbouncer -c '" + command + "'");
  }
  template <class Is>
  static bool eventually(Is is_so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  void own() const {
    if (::geteuid() == 0) must("chown -R postgres:postgres " + folder_);
  }

 private:
  [[nodiscard]] std::string server() const {
    return "host=" + folder_ + " port=" + std::to_string(port) + " dbname=postgres";
  }
  // initdb takes seconds, a copy of its outcome does not.
  void copy_template() {
    const std::string kept = std::string(HITLESS_BINARY_DIR) + "/postgres-15-template";
    if (!std::filesystem::exists(kept)) {
      own();
      must(as_postgres() + postgres_bin + "initdb -D " + folder_ +
           "/new -A trust -U postgres --no-sync -E UTF8 --no-locale");
      must("cp -a " + folder_ + "/new " + kept + ".$$ && { mv -T " + kept + ".$$ " + kept +
           " || rm -rf " + kept + ".$$; }; rm -rf " + folder_ + "/new; test -d " + kept);
    }
    must("cp -a " + kept + " " + data());
    own();
  }
  void watch() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    const std::string work =
        "pid=$(cat '" + folder_ + "/pgbouncer.pid' 2>/dev/null) && kill -TERM $pid\n" +
        as_postgres() + postgres_bin + "pg_ctl -D '" + folder_ + "/data' -s -m immediate stop\n" +
        "for i in 1 2 3 4 5 6 7 8 9; do kill -0 $pid || break; sleep 0.1; done\nrm -rf -- '" +
        folder_ + "'";
    watcher_ = ::fork();
    if (watcher_ == 0) {
      ::setsid();
      ::close(ends[1]);
      char byte;
      while (::read(ends[0], &byte, 1) > 0) {
      }
      const int quiet = ::open("/dev/null", O_RDWR);
      for (int fd : {0, 1, 2}) ::dup2(quiet, fd);
      ::execl("/bin/sh", "sh", "-c", work.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[0]);
    pipe_ = ends[1];
  }

  std::string folder_;
  int pipe_ = -1;
  pid_t watcher_ = -1;
};

}  // namespace hitless::tests
