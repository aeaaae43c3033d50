// A small HTTP/1.1 server for this machine's own clients: plain TCP on a loopback address, one
// coroutine a connection, answers whole or as a stream of chunks.
//
// Every size, count and time is limited; a request beyond them gets its status and the connection
// ends. Requests on one connection are handled one after the other. A crash loses what was under
// way; nothing is kept.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpAsked {
  std::string method, target, body;
  HttpHeaders headers;  // names in lower case, values trimmed; repeated ones stay apart
  [[nodiscard]] const std::string* header(std::string_view name) const;  // the first one
  [[nodiscard]] int count(std::string_view name) const;
};

// One request and its answer. `false` from a write: the client is gone.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  [[nodiscard]] virtual const HttpAsked& asked() const = 0;
  virtual Task<bool> answer(int status, HttpHeaders headers, std::string body) = 0;
  virtual Task<bool> begin(int status, HttpHeaders headers) = 0;  // then chunks, then end()
  virtual Task<bool> chunk(std::string text) = 0;
  virtual Task<bool> end() = 0;
  // Notified when the client closes before it has its answer.
  virtual std::shared_ptr<Signal> gone() = 0;
};

using HttpHandler = std::function<Task<void>(HttpExchange*)>;

struct HttpServerLimits {
  std::size_t max_connections = 64;
  std::size_t max_header_bytes = 16u << 10;
  std::size_t max_body_bytes = 1u << 20;
  DurationMs request_ms = 15'000;  // from its first byte to its last
  DurationMs idle_ms = 60'000;     // between requests
};

class HttpServer {
 public:
  // Port 0: any free one. Fails with unavailable when the address cannot be had.
  static Task<Result<std::unique_ptr<HttpServer>>> start(std::string address, int port,
                                                         HttpServerLimits limits,
                                                         HttpHandler handler);
  [[nodiscard]] int port() const;
  // Closes everything. The handler's owner must outlive it.
  ~HttpServer();

 private:
  HttpServer() = default;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hitless
