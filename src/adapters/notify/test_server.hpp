// Servers for the tests of the sinks: HTTP/1.1 and SMTP on a free loopback port, each in a thread
// with plain blocking sockets, so that nothing of the code under test is used on the other side.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hitless::notify::test {

class TcpServer {
 public:
  explicit TcpServer(std::function<void(int)> serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TcpServer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  TcpServer(const TcpServer&) = delete;
  int port() const { return port_; }

 private:
  void run() {
    while (!stop_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) != 1) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const timeval limit{5, 0};
      ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      serve_(client);
      ::close(client);
    }
  }
  std::function<void(int)> serve_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

inline void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

struct HttpSeen {
  std::string method, path, body;
  std::map<std::string, std::string> headers;  // names in lower case
};

struct HttpReply {
  int status = 200;
  std::string body = "ok";
  std::string headers;  // whole lines
  int delay_ms = 0;
  std::string raw;  // sent instead of all that
};

class HttpServer {
 public:
  explicit HttpServer(std::function<HttpReply(const HttpSeen&)> answer)
      : answer_(std::move(answer)), server_([this](int fd) { serve(fd); }) {}
  std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(server_.port()) + path;
  }
  std::vector<HttpSeen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void serve(int fd) {
    std::string data;
    char chunk[65536];
    std::size_t end = std::string::npos;
    while ((end = data.find("\r\n\r\n")) == std::string::npos) {
      const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
      if (n <= 0) return;
      data.append(chunk, static_cast<std::size_t>(n));
    }
    HttpSeen seen = parse(data.substr(0, end));
    seen.body = data.substr(end + 4);
    if (seen.headers["expect"] == "100-continue") send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    const std::size_t length = std::stoul("0" + seen.headers["content-length"]);
    while (seen.body.size() < length) {
      const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
      if (n <= 0) return;
      seen.body.append(chunk, static_cast<std::size_t>(n));
    }
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(seen);
    }
    const HttpReply reply = answer_(seen);
    std::this_thread::sleep_for(std::chrono::milliseconds(reply.delay_ms));
    if (!reply.raw.empty()) return send_all(fd, reply.raw);
    send_all(fd, "HTTP/1.1 " + std::to_string(reply.status) +
                     " X\r\nContent-Length: " + std::to_string(reply.body.size()) +
                     "\r\nConnection: close\r\n" + reply.headers + "\r\n" + reply.body);
  }
  static HttpSeen parse(const std::string& head) {
    HttpSeen seen;
    const auto first = head.find("\r\n");
    const std::string line = head.substr(0, first);
    seen.method = line.substr(0, line.find(' '));
    seen.path = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
    for (std::size_t at = first; at != std::string::npos;) {
      const auto next = head.find("\r\n", at + 2);
      const std::string header =
          head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
      const auto colon = header.find(':');
      std::string name = header.substr(0, colon);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      if (colon != std::string::npos)
        seen.headers[name] = header.substr(header.find_first_not_of(' ', colon + 1));
      at = next;
    }
    return seen;
  }

  std::function<HttpReply(const HttpSeen&)> answer_;
  mutable std::mutex mutex_;
  std::vector<HttpSeen> seen_;
  TcpServer server_;  // last: its thread uses the rest
};

// Speaks SMTP; `replies` overrides the answer to a command ("MAIL", "RCPT", "DATA", "." …).
class SmtpServer {
 public:
  explicit SmtpServer(std::map<std::string, std::string> replies = {})
      : replies_(std::move(replies)), server_([this](int fd) { serve(fd); }) {}
  std::string url() const { return "smtp://127.0.0.1:" + std::to_string(server_.port()); }
  std::vector<std::string> commands() const {
    const std::lock_guard lock(mutex_);
    return commands_;
  }
  std::string message() const {  // with dot-stuffing undone
    const std::lock_guard lock(mutex_);
    return message_;
  }

 private:
  bool read_line(int fd, std::string& line) {
    while (true) {
      const auto end = buffer_.find("\r\n");
      if (end != std::string::npos) {
        line = buffer_.substr(0, end);
        buffer_.erase(0, end + 2);
        return true;
      }
      char chunk[4096];
      const ssize_t n = ::recv(fd, chunk, sizeof chunk, 0);
      if (n <= 0) return false;
      buffer_.append(chunk, static_cast<std::size_t>(n));
    }
  }
  std::string reply_to(const std::string& verb, const std::string& usual) const {
    const auto found = replies_.find(verb);
    return (found == replies_.end() ? usual : found->second) + "\r\n";
  }
  void serve(int fd) {
    buffer_.clear();
    send_all(fd, reply_to("greeting", "220 test ESMTP"));
    std::string line;
    while (read_line(fd, line)) {
      const std::string verb = line.substr(0, 4);
      {
        const std::lock_guard lock(mutex_);
        commands_.push_back(line);
      }
      if (verb == "EHLO") {
        send_all(fd, reply_to(verb, "250-test\r\n250 8BITMIME"));
      } else if (verb == "DATA") {
        send_all(fd, reply_to(verb, "354 go on"));
        if (!replies_.contains("DATA") && !read_data(fd)) return;
        if (!replies_.contains("DATA")) send_all(fd, reply_to(".", "250 queued"));
      } else if (verb == "QUIT") {
        return send_all(fd, "221 bye\r\n");
      } else {
        send_all(fd, reply_to(verb, "250 ok"));
      }
    }
  }
  bool read_data(int fd) {
    std::string all;
    std::string line;
    while (read_line(fd, line)) {
      if (line == ".") {
        const std::lock_guard lock(mutex_);
        message_ = all;
        return true;
      }
      if (line.starts_with(".")) line.erase(0, 1);
      all += line + "\r\n";
    }
    return false;
  }

  std::map<std::string, std::string> replies_;
  mutable std::mutex mutex_;
  std::vector<std::string> commands_;
  std::string message_, buffer_;
  TcpServer server_;
};

// A port that refuses connections.
inline int closed_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace hitless::notify::test
