// A real HAProxy in master-worker mode as a child of the test: own folder, UNIX sockets only (no
// port can be taken), gone with the test however that ends: the master dies with us, its workers
// with it.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "adapters/traffic/haproxy_socket.hpp"
#include "adapters/traffic/haproxy_stat.hpp"
#include "runtime/task.hpp"

namespace hitless::traffic {

// Runs a task to its end and returns its value.
template <class T>
T await(std::function<Task<T>()> start) {
  std::optional<T> result;
  const auto keep = [](std::function<Task<T>()> go, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await go());
  };
  run_until_done([&] { return keep(start, &result); });
  return std::move(*result);
}

// Polls until it is so; false after a time that no working machine needs.
inline bool eventually(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/hitless-traffic-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class HaproxyProcess {
 public:
  // `rest` follows a global and a defaults section; "{dir}" in it is the folder.
  explicit HaproxyProcess(const std::string& rest) {
    std::string config =
        "global\n  stats socket {dir}/admin.sock mode 600 level admin\n"
        "  stats socket {dir}/operator.sock mode 600 level operator\n"
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n"
        "  retries 0\n" +
        rest;
    for (std::size_t at; (at = config.find("{dir}")) != std::string::npos;) {
      config.replace(at, 5, dir_.path());
    }
    std::ofstream(dir_.path() + "/haproxy.cfg") << config;
    start();
  }
  ~HaproxyProcess() { stop(); }
  HaproxyProcess(const HaproxyProcess&) = delete;
  HaproxyProcess& operator=(const HaproxyProcess&) = delete;

  [[nodiscard]] std::string path(const std::string& file) const { return dir_.path() + "/" + file; }
  [[nodiscard]] std::string admin() const { return "unix:" + path("admin.sock"); }
  [[nodiscard]] std::string master() const { return "unix:" + path("master.sock"); }

  std::string ask(const std::string& command, const std::string& socket = "admin.sock") const {
    SocketAddress address;
    address.path = path(socket);
    auto reply =
        await<Result<std::string>>([&] { return exchange(address, {command}, ExchangeLimits{}); });
    return reply ? *reply : "";
  }
  // Returns once a new worker answers.
  void reload() {
    const std::int64_t before = worker();
    ::kill(master_pid_, SIGUSR2);
    if (!eventually([&] { return worker() != before && master_knows(worker()); })) {
      throw std::runtime_error("haproxy did not reload: " + log());
    }
  }
  [[nodiscard]] std::int64_t worker() const {
    const auto info = parse_info(ask("show info"));
    return info && !info->stopping ? info->pid : 0;
  }
  // The master's socket comes up a moment after the new worker serves.
  [[nodiscard]] bool master_knows(std::int64_t pid) const {
    const auto list = parse_proc(ask("show proc", "master.sock"));
    return list && list->workers == std::vector<std::int64_t>{pid};
  }
  void stop() {
    if (master_pid_ <= 0) return;
    std::vector<pid_t> all = children();
    all.push_back(master_pid_);
    for (const pid_t pid : all) ::kill(pid, SIGKILL);
    ::waitpid(master_pid_, nullptr, 0);
    master_pid_ = 0;
  }
  [[nodiscard]] std::string log() const {
    std::ostringstream text;
    text << std::ifstream(path("log")).rdbuf();
    return text.str();
  }

 private:
  void start() {
    const std::string master_socket = path("master.sock"), config = path("haproxy.cfg");
    const std::string log_file = path("log");
    const pid_t parent = ::getpid();
    master_pid_ = ::fork();
    if (master_pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      const int out = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out, 1);
      ::dup2(out, 2);
      ::execlp("haproxy", "haproxy", "-W", "-S", master_socket.c_str(), "-f", config.c_str(),
               static_cast<char*>(nullptr));
      ::_exit(127);
    }
    if (!eventually([&] { return worker() != 0 && master_knows(worker()); })) {
      stop();
      throw std::runtime_error("haproxy did not start: " + log());
    }
  }
  [[nodiscard]] std::vector<pid_t> children() const {
    const std::string pid = std::to_string(master_pid_);
    std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
    std::vector<pid_t> all;
    for (pid_t child; list >> child;) all.push_back(child);
    return all;
  }

  TempDir dir_;
  pid_t master_pid_ = 0;
};

// A client that sends one GET over a UNIX socket and keeps the connection until it is told to read.
class Client {
 public:
  Client(const std::string& socket_path, const std::string& target) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::write(fd_, request.data(), request.size()) < 0) {
      throw std::runtime_error("client: cannot connect to " + socket_path);
    }
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // The status of the answer; 0 when the connection was closed without one.
  int status() {
    std::string answer;
    char chunk[1024];
    for (ssize_t count; (count = ::read(fd_, chunk, sizeof chunk)) > 0;) {
      answer.append(chunk, static_cast<std::size_t>(count));
    }
    return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace hitless::traffic
