// A small HTTP/1.1 server inside the test program: loopback, one thread per connection, each answer
// closes its connection. The test decides what it answers, and may hold requests until release().
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace hitless::tests {

class TinyServer {
 public:
  struct Answer {
    int status = 200;
    std::string body = "ok";
    std::string extra_headers;  // "Location: /x\r\n"
    bool hold = false;          // answer only after release()
    bool hang_up = false;       // close without an answer
  };
  // Gets the path of the request ("/healthz") and its whole head.
  using Handler = std::function<Answer(const std::string& path, const std::string& head)>;

  explicit TinyServer(Handler handler, int port = 0) : handler_(std::move(handler)) { start(port); }
  ~TinyServer() { stop(); }
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int held() const { return held_; }
  [[nodiscard]] int requests() const { return requests_; }

  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  // Closes the listener and all connections; the port refuses from then on.
  void stop() {
    if (listener_ < 0) return;
    stopping_ = true;
    release();
    ::shutdown(listener_, SHUT_RDWR);
    accepter_.join();
    ::close(listener_);
    listener_ = -1;
    for (std::thread& thread : connections_) thread.join();
    connections_.clear();
  }
  // Listens again on the same port.
  void restart() {
    stop();
    stopping_ = false;
    released_ = false;
    start(port_);
  }

 private:
  void start(int port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, raw, size) != 0 || ::listen(listener_, 128) != 0) {
      throw std::runtime_error("tiny server: cannot listen");
    }
    ::getsockname(listener_, raw, &size);
    port_ = ntohs(address.sin_port);
    accepter_ = std::thread([this] { accept_all(); });
  }
  void accept_all() {
    while (!stopping_) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      connections_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    const std::string head = read_head(fd);
    if (!head.empty()) {
      ++requests_;
      const std::size_t begin = head.find(' ') + 1;
      const Answer answer = handler_(head.substr(begin, head.find(' ', begin) - begin), head);
      if (answer.hold) wait_for_release();
      if (!answer.hang_up) {
        write_all(fd, "HTTP/1.1 " + std::to_string(answer.status) + " x\r\nContent-Length: " +
                          std::to_string(answer.body.size()) + "\r\nConnection: close\r\n" +
                          answer.extra_headers + "\r\n" + answer.body);
      }
    }
    ::close(fd);
  }
  std::string read_head(int fd) const {
    std::string head;
    char chunk[2048];
    while (!stopping_ && head.find("\r\n\r\n") == std::string::npos) {
      pollfd wait{fd, POLLIN, 0};
      if (::poll(&wait, 1, 50) == 0) continue;
      const ssize_t count = ::read(fd, chunk, sizeof chunk);
      if (count <= 0) return {};
      head.append(chunk, static_cast<std::size_t>(count));
    }
    return stopping_ ? std::string() : head;
  }
  void wait_for_release() {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.wait(lock, [this] { return released_; });
    --held_;
  }
  static void write_all(int fd, std::string_view data) {
    while (!data.empty()) {
      const ssize_t count = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      data.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> held_ = 0, requests_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  std::thread accepter_;
  std::vector<std::thread> connections_;  // grows with the connections; tests are short
};

}  // namespace hitless::tests
