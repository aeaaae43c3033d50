#include "backend.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace hitless::conformance {

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool fine = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!fine) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

namespace {

constexpr int kPollMs = 20;
constexpr int kAnswerMs = 20'000;

bool readable(int fd, int within_ms) {
  pollfd poll{fd, POLLIN, 0};
  return ::poll(&poll, 1, within_ms) > 0;
}

std::string read_head(int fd) {
  std::string text;
  char chunk[2048];
  while (text.find("\r\n\r\n") == std::string::npos && text.size() < 16'384) {
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got <= 0) return {};
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

Backend::Backend(std::string name) : name_(std::move(name)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("backend: cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

Backend::~Backend() {
  stop_ = true;
  ++release_;
  acceptor_.join();
  ::close(listener_);
  while (open_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void Backend::accept_loop() {
  while (!stop_) {
    if (!readable(listener_, kPollMs)) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++open_;
    std::thread([this, fd] {
      serve(fd);
      ::close(fd);
      --open_;
    }).detach();
  }
}

// One request, then it closes: a load balancer that keeps connections idle is tested elsewhere.
void Backend::serve(int fd) {
  while (!stop_ && !readable(fd, kPollMs)) continue;
  const std::string head = read_head(fd);
  if (head.empty()) return;
  int status = 200;
  if (head.starts_with("GET /healthz")) {
    status = healthy() ? 200 : 503;
  } else {
    if (head.starts_with("GET /hold")) {
      const int before = release_;
      ++held_;
      while (release_ == before) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      --held_;
    }
    ++served_;
  }
  const std::string answer = "HTTP/1.1 " + std::to_string(status) +
                             " x\r\nContent-Length: " + std::to_string(name_.size()) +
                             "\r\nConnection: close\r\n\r\n" + name_;
  (void)!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
}

namespace {

int connect_to(const std::string& front) {
  const bool is_path = front.starts_with('/');
  const int fd = ::socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un path{};
  sockaddr_in port{};
  sockaddr* address = reinterpret_cast<sockaddr*>(&port);
  socklen_t size = sizeof port;
  if (is_path) {
    path.sun_family = AF_UNIX;
    front.copy(path.sun_path, sizeof path.sun_path - 1);
    address = reinterpret_cast<sockaddr*>(&path);
    size = sizeof path;
  } else {
    port.sin_family = AF_INET;
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    port.sin_port = htons(static_cast<std::uint16_t>(std::atoi(front.c_str())));
  }
  if (::connect(fd, address, size) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Request::Request(const std::string& front, const std::string& target) : fd_(connect_to(front)) {
  const std::string text = "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  if (fd_ >= 0) (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

Request::~Request() {
  if (fd_ >= 0) ::close(fd_);
}

Answer Request::answer() {
  std::string text;
  char chunk[2048];
  if (fd_ < 0) return {};
  for (ssize_t got; readable(fd_, kAnswerMs) && (got = ::read(fd_, chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(got));
  Answer answer;
  if (text.size() > 12 && text.starts_with("HTTP/1.")) answer.status = std::atoi(text.c_str() + 9);
  if (const auto at = text.find("\r\n\r\n"); at != std::string::npos)
    answer.body = text.substr(at + 4);
  return answer;
}

}  // namespace hitless::conformance
