// A fake under tests/fakes as a child of the test: it says "ready PORT" once it listens on
// loopback, and ends with the test, however that ends. Its texts may hold words that are filled in.
#pragma once
#include <poll.h>
#include <unistd.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "adapters/traffic/haproxy_for_tests.hpp"
#include "runtime/child.hpp"
#include "runtime/http.hpp"

namespace hitless::tests {

inline std::string filled(std::string text, const std::map<std::string, std::string>& words) {
  for (const auto& [from, to] : words)
    for (std::size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, from.size(), to);
  return text;
}

class FakeProgram {
 public:
  FakeProgram(const std::string& script, std::vector<std::string> arguments)
      : child_(start(script, std::move(arguments))) {
    std::string line;
    for (int i = 0; i < 600 && line.find('\n') == std::string::npos; ++i) {
      pollfd wait{child_.out.get(), POLLIN, 0};
      if (::poll(&wait, 1, 100) <= 0) continue;
      char text[100];
      const ssize_t count = ::read(child_.out.get(), text, sizeof text);
      if (count == 0) break;
      if (count > 0) line.append(text, static_cast<std::size_t>(count));
    }
    if (!line.starts_with("ready ")) throw std::runtime_error(script + " did not start");
    port_ = std::stoi(line.substr(6));
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string ask(const char* method, const std::string& path,
                                const std::string& body = {}) const {
    auto answer = traffic::await<Result<HttpResponse>>([&] {
      HttpRequest request;
      request.method = method;
      request.url = url() + path;
      request.body = body;
      request.max_body_bytes = 64u << 20;
      return http_request(std::move(request));
    });
    if (!answer) throw std::runtime_error(describe(answer.error()));
    return answer->body;
  }

 private:
  static Child start(const std::string& script, std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"python3", HITLESS_SOURCE_DIR "/tests/fakes/" + script};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto child = Child::start(argv);
    if (!child) throw std::runtime_error(describe(child.error()));
    return std::move(*child);
  }

  Child child_;
  int port_ = 0;
};

}  // namespace hitless::tests
