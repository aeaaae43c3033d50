// The instances behind the load balancer under test: tiny HTTP servers in this process, on ports
// that the kernel chose. /hold keeps its answer until it is released; /healthz says what it is
// told.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace hitless::conformance {

// A port that is free now; somebody may take it before it is used.
[[nodiscard]] int free_port();

class Backend {
 public:
  explicit Backend(std::string name);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int held() const { return held_; }  // requests that wait in /hold
  [[nodiscard]] int served() const { return served_; }
  void release() { ++release_; }  // all that are held now
  std::function<bool()> healthy = [] { return true; };

 private:
  void accept_loop();
  void serve(int fd);

  std::string name_;
  int listener_ = -1, port_ = 0;
  std::atomic<int> held_ = 0, served_ = 0, release_ = 0, open_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread acceptor_;
};

// One GET to the load balancer on a connection of its own; front: a UNIX socket's path, or a port
// here.
struct Answer {
  int status = 0;    // 0: none came
  std::string body;  // the backend's name
};
class Request {
 public:
  Request(const std::string& front, const std::string& target);
  ~Request();
  Request(Request&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  Answer answer();

 private:
  int fd_ = -1;
};
inline Answer get(const std::string& front, const std::string& target) {
  return Request(front, target).answer();
}

}  // namespace hitless::conformance
