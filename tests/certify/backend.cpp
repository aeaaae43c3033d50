#include "certify/backend.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include "base/digest.hpp"

namespace hitless::certify {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

std::string header(const std::string& head, const std::string& name) {
  std::string lower = head;
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto at = lower.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto start = at + name.size() + 4;
  return head.substr(start, head.find("\r\n", start) - start);
}

bool can_bind(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool ok = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return ok;
}

std::string accept_key(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

namespace {
constexpr unsigned kPortsPerSlot = 1500;
std::atomic<unsigned> first_port{20'000}, next_port{0};
}  // namespace

void use_port_slot(unsigned slot) {
  first_port = 20'000 + slot % 8 * kPortsPerSlot;
}

std::uint16_t free_port() {
  for (unsigned tries = 0; tries < kPortsPerSlot; ++tries) {
    const auto port = static_cast<std::uint16_t>(first_port + next_port++ % kPortsPerSlot);
    if (can_bind(port)) return port;
  }
  throw std::runtime_error("no free port");
}

Backend::Backend(asio::io_context& io, std::string name, std::uint16_t port)
    : io_(io), name_(std::move(name)), port_(port) {
  open();
}

void Backend::open() {
  acceptor_ = std::make_shared<tcp::acceptor>(io_);
  acceptor_->open(tcp::v4());
  acceptor_->set_option(tcp::acceptor::reuse_address(true));
  acceptor_->bind(tcp::endpoint(asio::ip::make_address("127.0.0.1"), port_));
  acceptor_->listen(1024);
  asio::co_spawn(io_, accept(acceptor_), asio::detached);
}

void Backend::listen(bool on) {
  asio::post(io_, asio::use_future([this, on] {
               if (on) {
                 open();
               } else {
                 acceptor_->close();
               }
             }))
      .get();
}

void Backend::lose(Fault fault, int count) {
  fault_ = fault;
  left_ = count;
}

Fault Backend::next_fault() {
  ++requests_;
  if (left_ > 0) {
    --left_;
    ++lost_;
    return fault_;
  }
  const int nth = every_;
  return nth > 0 && requests_ % nth == 0 ? Fault::error_500 : Fault::none;
}

void Backend::executed(const std::string& id) {
  const std::lock_guard lock(mutex_);
  ++executions_[id];
}

std::string Backend::executions_json() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [id, times] : executions_)
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", id, times);
  return fmt::format(R"({{"host": "{}", "executions": {{{}}}}})", name_, text);
}

asio::awaitable<void> Backend::accept(std::shared_ptr<tcp::acceptor> acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor->async_accept(asio::use_awaitable);
    asio::co_spawn(io_, serve(std::make_shared<tcp::socket>(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> Backend::serve(Socket socket) {
  socket->set_option(tcp::no_delay(true));
  std::string data;
  for (;;) {
    const auto n = co_await asio::async_read_until(*socket, asio::dynamic_buffer(data), "\r\n\r\n",
                                                   asio::use_awaitable);
    const std::string head = data.substr(0, n);
    data.erase(0, n);
    if (!header(head, "sec-websocket-key").empty()) {
      co_await echo(socket, head);
      co_return;
    }
    if (const std::string length = header(head, "content-length"); !length.empty()) {
      const std::size_t want = std::stoul(length);
      if (want > data.size())
        co_await asio::async_read(*socket, asio::dynamic_buffer(data),
                                  asio::transfer_exactly(want - data.size()), asio::use_awaitable);
      data.erase(0, want);
    }
    if (!co_await answer(socket, head)) co_return;
  }
}

asio::awaitable<bool> Backend::answer(Socket socket, std::string head) {
  const bool missing = head.rfind("GET /missing", 0) == 0;
  const Fault fault = head.rfind("GET /boom", 0) == 0 ? Fault::error_500 : next_fault();
  const std::string id = header(head, "x-hitless-probe");
  if (!id.empty() && (fault == Fault::none || execute_first_)) executed(id);
  std::string text = fmt::format("HTTP/1.1 {}\r\nX-Host: {}\r\nContent-Length: 3\r\n\r\nok\n",
                                 missing ? "404 Not Found" : "200 OK", name_);
  switch (fault) {
    case Fault::cut:
      socket->set_option(asio::socket_base::linger(true, 0));
      socket->close();
      co_return false;
    case Fault::hang:
      hung_.push_back(socket);
      co_return false;
    case Fault::short_body:
      text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789";
      break;
    case Fault::error_500:
      text = fmt::format("HTTP/1.1 500 x\r\nX-Host: {}\r\nContent-Length: 0\r\n\r\n", name_);
      break;
    case Fault::none:
      break;
  }
  co_await asio::async_write(*socket, asio::buffer(text), asio::use_awaitable);
  if (fault == Fault::short_body) socket->close();
  co_return fault != Fault::short_body&& header(head, "connection") != "close";
}

// Small unfragmented frames only: what the prober sends.
asio::awaitable<void> Backend::echo(Socket socket, std::string head) {
  const std::string upgrade = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: {}\r\n\r\n",
      accept_key(header(head, "sec-websocket-key")));
  co_await asio::async_write(*socket, asio::buffer(upgrade), asio::use_awaitable);
  for (;;) {
    std::array<char, 6> start{};
    co_await asio::async_read(*socket, asio::buffer(start), asio::use_awaitable);
    const auto size = static_cast<std::size_t>(start[1] & 0x7f);
    std::string text(size, '\0');
    co_await asio::async_read(*socket, asio::buffer(text), asio::use_awaitable);
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(text[i] ^ start[2 + i % 4]);
    if (next_fault() != Fault::none) {
      socket->set_option(asio::socket_base::linger(true, 0));
      socket->close();
      co_return;
    }
    const std::string frame = std::string("\x81") + static_cast<char>(size) + text;
    co_await asio::async_write(*socket, asio::buffer(frame), asio::use_awaitable);
  }
}

Backends::Backends(const std::vector<std::uint16_t>& ports)
    : io_(1), work_(asio::make_work_guard(io_)) {
  for (std::size_t i = 0; i < ports.size(); ++i)
    all_.push_back(std::make_unique<Backend>(io_, fmt::format("web{:02}", i + 1), ports[i]));
  thread_ = std::thread([this] { io_.run(); });
}

Backends::~Backends() {
  io_.stop();
  thread_.join();
}

}  // namespace hitless::certify
