#include "demo/webhook_receiver.hpp"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::demo {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kAwaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxHeadBytes = 16 * 1024;
constexpr int kMaxConnections = 32;
constexpr auto kConnectionDeadline = std::chrono::seconds(20);
constexpr std::int64_t kMaxSkewS = 300;

// The value of a header in a request head; empty when it is missing.
std::string header(std::string_view head, std::string_view name) {
  for (const std::string& line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != name.size()) continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(),
                                 [](char a, char b) { return a == std::tolower(b); });
    if (same) return std::string(trim(std::string_view(line).substr(colon + 1)));
  }
  return {};
}

bool signed_well(const std::string& secret, std::string_view head, const std::string& body) {
  const std::string id = header(head, "webhook-id");
  const std::string timestamp = header(head, "webhook-timestamp");
  const std::int64_t skew_s = std::strtoll(timestamp.c_str(), nullptr, 10) - wall_now_ms() / 1000;
  if (id.empty() || skew_s > kMaxSkewS || skew_s < -kMaxSkewS) return false;
  const std::string want =
      "v1," + hmac_sha256_base64(secret, fmt::format("{}.{}.{}", id, timestamp, body));
  for (const std::string& given : split(header(head, "webhook-signature"), ' ')) {
    if (given.size() == want.size() && CRYPTO_memcmp(given.data(), want.data(), want.size()) == 0)
      return true;
  }
  return false;
}

}  // namespace

struct WebhookReceiver::Impl {
  std::string secret;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  std::thread thread;
  std::uint16_t port = 0;
  int connections = 0;  // on the thread only
  std::atomic<std::int64_t> refused{0};
  mutable std::mutex mutex;
  std::vector<WebhookDelivery> deliveries;

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::shared_ptr<tcp::socket> socket);
  asio::awaitable<int> take(std::shared_ptr<tcp::socket> socket);
  int keep(const std::string& head, std::string body);
};

asio::awaitable<void> WebhookReceiver::Impl::accept() {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kAwaitable);
    if (error == asio::error::operation_aborted) co_return;
    if (error || connections >= kMaxConnections) {
      asio::steady_timer pause(io, std::chrono::milliseconds(error ? 50 : 0));
      co_await pause.async_wait(kAwaitable);
      continue;
    }
    ++connections;
    asio::co_spawn(io, serve(std::make_shared<tcp::socket>(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> WebhookReceiver::Impl::serve(std::shared_ptr<tcp::socket> socket) {
  asio::steady_timer deadline(io, kConnectionDeadline);
  deadline.async_wait([socket](boost::system::error_code cancelled) {
    boost::system::error_code ignored;
    if (!cancelled) socket->close(ignored);
  });
  const int status = co_await take(socket);
  if (status != 0) {
    if (status != 200) ++refused;
    const std::string answer =
        fmt::format("HTTP/1.1 {} {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
                    status == 200 ? "OK" : "Refused");
    co_await asio::async_write(*socket, asio::buffer(answer), kAwaitable);
    boost::system::error_code ignored;
    socket->shutdown(tcp::socket::shutdown_send, ignored);
  }
  deadline.cancel();
  --connections;
}

// Reads one request; 0 when there was none.
asio::awaitable<int> WebhookReceiver::Impl::take(std::shared_ptr<tcp::socket> socket) {
  std::string data;
  auto [error, size] = co_await asio::async_read_until(
      *socket, asio::dynamic_buffer(data, kMaxHeadBytes), "\r\n\r\n", kAwaitable);
  if (error) co_return error == asio::error::not_found ? 431 : 0;
  const std::string head = data.substr(0, size);
  std::string body = data.substr(size);
  if (head.rfind("POST ", 0) != 0) co_return 405;
  const std::string length = header(head, "content-length");
  if (length.empty() || length.size() > 9 ||
      length.find_first_not_of("0123456789") != std::string::npos)
    co_return 411;
  const std::size_t wanted = std::stoul(length);
  if (wanted > kMaxBodyBytes) co_return 413;
  if (body.size() > wanted) co_return 400;
  if (header(head, "expect") == "100-continue") {
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(*socket, asio::buffer(go_on), kAwaitable);
  }
  const std::size_t have = body.size();
  body.resize(wanted);
  auto [broken, read] = co_await asio::async_read(
      *socket, asio::buffer(body.data() + have, wanted - have), kAwaitable);
  if (broken) co_return 0;
  co_return keep(head, std::move(body));
}

int WebhookReceiver::Impl::keep(const std::string& head, std::string body) {
  if (!signed_well(secret, head, body)) return 401;
  const std::lock_guard lock(mutex);
  if (deliveries.size() >= kMaxDeliveries) return 503;
  deliveries.push_back({wall_now_ms(), header(head, "webhook-id"), std::move(body)});
  return 200;
}

WebhookReceiver::WebhookReceiver(std::string secret) : impl_(std::make_unique<Impl>()) {
  impl_->secret = std::move(secret);
}

WebhookReceiver::~WebhookReceiver() {
  stop();
}

Status WebhookReceiver::start() {
  if (impl_->thread.joinable()) return fail(ErrorCode::internal, "webhook receiver started twice");
  boost::system::error_code error;
  const tcp::endpoint any_port(asio::ip::make_address_v4("127.0.0.1"), 0);
  impl_->acceptor.open(any_port.protocol(), error);
  if (!error) impl_->acceptor.bind(any_port, error);
  if (!error) impl_->acceptor.listen(kMaxConnections, error);
  if (error) return fail(ErrorCode::unavailable, "webhook receiver: " + error.message());
  impl_->port = impl_->acceptor.local_endpoint().port();
  asio::co_spawn(impl_->io, impl_->accept(), asio::detached);
  sigset_t all, before;  // signals are the main thread's business
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([this] { impl_->io.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void WebhookReceiver::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->io.stop();
  impl_->thread.join();
}

std::string WebhookReceiver::url() const {
  return fmt::format("http://127.0.0.1:{}/hook", impl_->port);
}

std::vector<WebhookDelivery> WebhookReceiver::deliveries() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->deliveries;
}

std::int64_t WebhookReceiver::refused() const {
  return impl_->refused;
}

}  // namespace hitless::demo
