#define BOOST_BEAST_SEPARATE_COMPILATION  // beast_src.cpp
#include "runtime/http_server.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <set>

#include "base/text.hpp"
#include "runtime/stoppable.hpp"

namespace hitless {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;

constexpr auto kAwaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 16u << 10;
constexpr DurationMs kWriteMs = 30'000;
constexpr int kMaxRequestsPerConnection = 1'000;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view reason(int status) {
  return http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
}

std::string head(int status, const HttpHeaders& headers, bool keep_alive) {
  std::string text =
      "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason(status)) + "\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  text += keep_alive ? "" : "Connection: close\r\n";
  return text;
}

HttpAsked asked_from(Parser::value_type& message) {
  HttpAsked asked;
  asked.method = std::string(message.method_string());
  asked.target = std::string(message.target());
  asked.body = std::move(message.body());
  for (const auto& field : message)
    asked.headers.emplace_back(lower(field.name_string()), std::string(trim(field.value())));
  return asked;
}

Task<void> write_into(Tcp::socket* socket, std::string text, bool* ok) {
  const auto [code, n] = co_await asio::async_write(*socket, asio::buffer(text), kAwaitable);
  *ok = !code;
}

Task<bool> write_all(Tcp::socket* socket, std::string text) {
  bool ok = false;
  const bool in_time = co_await finish_within(write_into(socket, std::move(text), &ok), kWriteMs);
  co_return ok&& in_time;
}

class Exchange : public HttpExchange {
 public:
  Exchange(Tcp::socket* socket, HttpAsked asked, bool keep_alive)
      : socket_(socket), asked_(std::move(asked)), keep_alive_(keep_alive) {}
  const HttpAsked& asked() const override { return asked_; }

  Task<bool> answer(int status, HttpHeaders headers, std::string body) override {
    answered_ = true;
    const bool has_body = status != 204 && status != 304;
    if (has_body) headers.emplace_back("Content-Length", std::to_string(body.size()));
    std::string text =
        head(status, headers, keep_alive_) + "\r\n" + (has_body ? body : std::string());
    ok_ = co_await write_all(socket_, std::move(text));
    co_return ok_;
  }
  Task<bool> begin(int status, HttpHeaders headers) override {
    answered_ = streaming_ = true;
    headers.emplace_back("Transfer-Encoding", "chunked");
    ok_ = co_await write_all(socket_, head(status, headers, keep_alive_) + "\r\n");
    co_return ok_;
  }
  Task<bool> chunk(std::string text) override {
    if (text.empty() || !ok_) co_return ok_;
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    ok_ = co_await write_all(socket_, size + text + "\r\n");
    co_return ok_;
  }
  Task<bool> end() override {
    if (ok_ && streaming_) ok_ = co_await write_all(socket_, "0\r\n\r\n");
    streaming_ = false;
    co_return ok_;
  }
  std::shared_ptr<Signal> gone() override { return gone_; }

  [[nodiscard]] bool may_go_on() const { return ok_ && answered_ && !streaming_ && keep_alive_; }
  [[nodiscard]] bool answered() const { return answered_; }

 private:
  Tcp::socket* socket_;
  HttpAsked asked_;
  bool keep_alive_, ok_ = true, answered_ = false, streaming_ = false;
  std::shared_ptr<Signal> gone_ = std::make_shared<Signal>();
};

// Notifies when the other side closes; ends by itself when more data comes, or when stopped.
Task<void> watch_for_end(Tcp::socket* socket, std::shared_ptr<Signal> gone) {
  for (;;) {
    const auto [code] = co_await socket->async_wait(Tcp::socket::wait_read, kAwaitable);
    if (code) co_return;
    char byte;
    const ssize_t n = ::recv(socket->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) co_return;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      gone->notify();
      co_return;
    }
  }
}

Task<void> handle_then(const HttpHandler* handler, Exchange* exchange,
                       std::shared_ptr<Signal> done) {
  std::exception_ptr error;
  try {
    co_await (*handler)(exchange);
  } catch (...) {
    error = std::current_exception();
  }
  done->notify();
  if (error) std::rethrow_exception(error);
}

// The handler, and beside it a look at whether its client is still there.
Task<void> handle(const HttpHandler* handler, Tcp::socket* socket, Exchange* exchange) {
  auto done = std::make_shared<Signal>();
  std::vector<Task<void>> tasks;
  tasks.push_back(handle_then(handler, exchange, done));
  tasks.push_back(
      [](Tcp::socket* s, std::shared_ptr<Signal> gone, std::shared_ptr<Signal> stop) -> Task<void> {
        (void)co_await finish_unless_stopped(watch_for_end(s, gone), stop, 1000LL * 3600 * 24);
      }(socket, exchange->gone(), done));
  co_await join_all(std::move(tasks));
}

struct Incoming {
  int refused = 0;  // status to refuse with
  bool closed = true;
};

// Reads one request into the parser; what belongs to the next one stays in `rest`.
Task<void> read_request(Tcp::socket* socket, std::string* rest, Parser* parser, Incoming* incoming,
                        bool* begun) {
  bool told_to_go_on = false;
  for (;;) {
    if (!rest->empty()) {
      *begun = true;
      boost::system::error_code code;
      const std::size_t used = parser->put(asio::buffer(*rest), code);
      rest->erase(0, used);
      if (code && code != http::error::need_more) {
        const bool large = code == http::error::body_limit;
        incoming->refused = large ? 413 : code == http::error::header_limit ? 431 : 400;
        co_return;
      }
      if (parser->is_done()) {
        incoming->closed = false;
        co_return;
      }
      if (parser->is_header_done() && !told_to_go_on &&
          lower(parser->get()[http::field::expect]) == "100-continue") {
        told_to_go_on = true;
        if (!co_await write_all(socket, "HTTP/1.1 100 Continue\r\n\r\n")) co_return;
      }
    }
    std::string more(kReadBytes, '\0');
    const auto [code, n] = co_await socket->async_read_some(asio::buffer(more), kAwaitable);
    if (code) co_return;
    rest->append(more, 0, n);
  }
}

}  // namespace

const std::string* HttpAsked::header(std::string_view name) const {
  for (const auto& [each, value] : headers)
    if (each == name) return &value;
  return nullptr;
}

int HttpAsked::count(std::string_view name) const {
  return static_cast<int>(std::count_if(headers.begin(), headers.end(),
                                        [&](const auto& each) { return each.first == name; }));
}

struct HttpServer::Impl {
  Impl(const asio::any_io_executor& executor, HttpServerLimits l, HttpHandler h)
      : acceptor(executor), limits(l), handler(std::move(h)) {}
  Tcp::acceptor acceptor;
  HttpServerLimits limits;
  HttpHandler handler;
  std::set<Tcp::socket*> open;

  // False: the connection is to end.
  static Task<bool> one_request(std::shared_ptr<Impl> self, Tcp::socket* socket,
                                std::string* rest) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(self->limits.max_header_bytes));
    parser.body_limit(self->limits.max_body_bytes);
    parser.eager(true);
    Incoming incoming;
    bool begun = false;
    const DurationMs limit = rest->empty() ? self->limits.idle_ms : self->limits.request_ms;
    const bool in_time =
        co_await finish_within(read_request(socket, rest, &parser, &incoming, &begun), limit);
    if (!in_time && begun) incoming.refused = 408;
    if (incoming.refused != 0) {
      (void)co_await write_all(socket,
                               head(incoming.refused, {{"Content-Length", "0"}}, false) + "\r\n");
      co_return false;
    }
    if (!in_time || incoming.closed || !self->acceptor.is_open()) co_return false;
    const bool keep_alive = parser.keep_alive();
    Exchange exchange(socket, asked_from(parser.get()), keep_alive);
    co_await handle(&self->handler, socket, &exchange);
    if (!exchange.answered()) (void)co_await exchange.answer(500, {}, {});
    co_return exchange.may_go_on();
  }

  static Task<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<Tcp::socket> socket) {
    self->open.insert(socket.get());
    std::string rest;
    try {
      for (int i = 0; i < kMaxRequestsPerConnection; ++i)
        if (!co_await one_request(self, socket.get(), &rest)) break;
    } catch (const boost::system::system_error&) {
      // Cancelled: the server goes down.
    }
    self->open.erase(socket.get());
    boost::system::error_code ignored;
    socket->shutdown(Tcp::socket::shutdown_both, ignored);
    socket->close(ignored);
  }

  static Task<void> accept_all(std::shared_ptr<Impl> self) {
    while (self->acceptor.is_open()) {
      auto socket = std::make_shared<Tcp::socket>(self->acceptor.get_executor());
      const auto [code] = co_await self->acceptor.async_accept(*socket, kAwaitable);
      if (!self->acceptor.is_open()) break;
      if (code) {
        co_await sleep_for(100);  // out of descriptors: the others may end
        continue;
      }
      if (self->open.size() >= self->limits.max_connections) continue;  // closed by its destructor
      boost::system::error_code ignored;
      socket->set_option(Tcp::no_delay(true), ignored);
      co_await detach(serve(self, std::move(socket)));
    }
  }
};

Task<Result<std::unique_ptr<HttpServer>>> HttpServer::start(std::string address, int port,
                                                            HttpServerLimits limits,
                                                            HttpHandler handler) {
  auto impl =
      std::make_shared<Impl>(co_await asio::this_coro::executor, limits, std::move(handler));
  boost::system::error_code code;
  const auto ip = asio::ip::make_address(address, code);
  const Tcp::endpoint endpoint(ip, static_cast<std::uint16_t>(port));
  if (!code) impl->acceptor.open(endpoint.protocol(), code);
  if (!code) impl->acceptor.set_option(Tcp::acceptor::reuse_address(true), code);
  if (!code) impl->acceptor.bind(endpoint, code);
  if (!code) impl->acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code)
    co_return fail(ErrorCode::unavailable, "cannot listen: " + code.message(),
                   address + ":" + std::to_string(port));
  co_await detach(Impl::accept_all(impl));
  auto server = std::unique_ptr<HttpServer>(new HttpServer);
  server->impl_ = std::move(impl);
  co_return server;
}

int HttpServer::port() const {
  boost::system::error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

HttpServer::~HttpServer() {
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  for (Tcp::socket* socket : impl_->open) socket->cancel(ignored);
}

}  // namespace hitless
