#include "witness/probe_loop.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::witness {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kAwaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kReadsInARow = 16;  // then the others get a turn
constexpr auto kMaxTick = std::chrono::milliseconds(50);
// An arrival that is later than this was missed (we slept): sending it now would be a burst.
constexpr auto kMaxLag = std::chrono::seconds(1);
// The server closes a "Connection: close" first within this time, so that the port's TIME_WAIT is
// on its side and 2,000 connections a second do not use up our ports.
constexpr auto kLinger = std::chrono::milliseconds(50);

std::int64_t us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

bool is_kept(RequestType type) {
  return type == RequestType::get_kept || type == RequestType::post_kept;
}

bool is_post(RequestType type) {
  return type == RequestType::post_new || type == RequestType::post_kept;
}

// Errors that say something about this machine's limits, not about the service.
bool our_own_limit(const error_code& e) {
  namespace errc = boost::system::errc;
  return e == errc::too_many_files_open || e == errc::too_many_files_open_in_system ||
         e == errc::address_not_available || e == errc::no_buffer_space ||
         e == errc::not_enough_memory || e == errc::resource_unavailable_try_again;
}

void run_alone(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);  // a bug: run() throws and the program ends
}

}  // namespace

std::vector<Shape> shapes_of(const ProberConfig& config) {
  std::string host = config.host_header;
  if (host.empty()) {
    const bool v6 = config.address.find(':') != std::string::npos;
    host = fmt::format("{}{}{}:{}", v6 ? "[" : "", config.address, v6 ? "]" : "", config.port);
  }
  std::vector<Shape> shapes;
  for (std::size_t t = 0; t < kRequestTypes; ++t) {
    for (const ProbePath& path : config.paths) {
      const auto type = static_cast<RequestType>(t);
      Shape shape{.type = type, .path = path.path, .head = {}, .tail = {}};
      shape.weight = std::int64_t{config.weights[t]} * path.weight;
      if (shape.weight == 0) continue;
      shape.head = fmt::format(
          "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hitless-prober\r\nAccept: */*\r\nConnection: "
          "{}\r\n",
          is_post(type) ? "POST" : "GET", path.path, host, is_kept(type) ? "keep-alive" : "close");
      if (is_post(type)) {
        shape.head +=
            fmt::format("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n{}: ",
                        config.post_body_bytes, config.id_header);
        shape.tail = "\r\n\r\n" + std::string(config.post_body_bytes, 'x');
      } else {
        shape.tail = "\r\n";
      }
      shapes.push_back(std::move(shape));
    }
  }
  return shapes;
}

ProbeLoop::ProbeLoop(ProberConfig config, asio::ip::tcp::endpoint target, std::size_t max_in_flight,
                     std::size_t max_lingering, Tally* tally)
    : config_(std::move(config)),
      target_(target),
      max_in_flight_(max_in_flight),
      max_lingering_(max_lingering),
      tally_(tally),
      io_(1),
      timer_(io_),
      shapes_(shapes_of(config_)),
      id_prefix_(random_hex(6)),
      buffer_(kReadBytes) {}

void ProbeLoop::run() {
  asio::co_spawn(io_, keep_time(), run_alone);
  io_.run();
  idle_.clear();
  lingering_.clear();
}

void ProbeLoop::request_stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    timer_.cancel();
  });
}

void ProbeLoop::give_up() {
  asio::post(io_, [this] {
    stopping_ = gave_up_ = true;
    for (const ExchangePtr& x : in_flight_) {
      error_code ignored;
      if (x->socket) x->socket->close(ignored);
    }
    timer_.cancel();
  });
}

asio::awaitable<void> ProbeLoop::keep_time() {
  start_ = Clock::now();
  while (!stopping_ || !in_flight_.empty()) {
    const auto now = Clock::now();
    if (!stopping_) make_due(now);
    expire(now);
    const std::chrono::duration<double> next(static_cast<double>(arrivals_) / config_.rate_per_s);
    const auto due = start_ + std::chrono::duration_cast<Clock::duration>(next);
    timer_.expires_at(stopping_ ? now + kMaxTick / 5 : std::min(due, now + kMaxTick));
    co_await timer_.async_wait(kAwaitable);
  }
}

void ProbeLoop::make_due(Clock::time_point now) {
  std::int64_t missed = 0;
  for (;;) {
    const std::chrono::duration<double> offset(static_cast<double>(arrivals_) / config_.rate_per_s);
    const auto due = start_ + std::chrono::duration_cast<Clock::duration>(offset);
    if (due > now) break;
    if (config_.max_requests > 0 && arrivals_ >= config_.max_requests) {
      stopping_ = true;
      break;
    }
    ++arrivals_;
    if (now - due > kMaxLag) {
      ++missed;
    } else {
      arrive(due);
    }
  }
  if (missed > 0) tally_->not_sent(missed, "this process did not run for more than a second");
}

Shape& ProbeLoop::next_shape() {
  std::int64_t total = 0;
  Shape* best = &shapes_.front();
  for (Shape& shape : shapes_) {
    shape.credit += shape.weight;
    total += shape.weight;
    if (shape.credit > best->credit) best = &shape;
  }
  best->credit -= total;
  return *best;
}

void ProbeLoop::arrive(Clock::time_point due) {
  Shape& shape = next_shape();
  if (in_flight_.size() >= max_in_flight_) {
    tally_->not_sent(1, fmt::format("{} requests in flight, our limit", max_in_flight_));
    return;
  }
  auto x = std::make_shared<Exchange>();
  x->shape = &shape;
  x->kept = is_kept(shape.type);
  x->reader = ResponseReader(config_.server_header);
  if (is_post(shape.type)) x->id = fmt::format("{}-{}", id_prefix_, arrivals_);
  x->sent_at = Clock::now();
  x->sent_at_ms = wall_now_ms();
  x->place = in_flight_.insert(in_flight_.end(), x);
  tally_->sent(shape.type, x->sent_at_ms, us_between(due, x->sent_at));
  asio::co_spawn(io_, exchange(std::move(x)), run_alone);
}

void ProbeLoop::expire(Clock::time_point now) {
  const auto limit = now - std::chrono::milliseconds(config_.timeout_ms);
  for (const ExchangePtr& x : in_flight_) {
    if (x->sent_at > limit) break;
    x->expired = true;
    error_code ignored;
    if (x->socket) x->socket->close(ignored);
  }
  while (!lingering_.empty() && lingering_.front().first <= now) lingering_.pop_front();
}

std::unique_ptr<ProbeLoop::Socket> ProbeLoop::take_idle() {
  // New ones are opened first, until there are as many as asked for.
  while (kept_open_ >= config_.kept_connections && !idle_.empty()) {
    std::unique_ptr<Socket> socket = std::move(idle_.front());
    idle_.pop_front();
    char byte = 0;
    const ssize_t n = ::recv(socket->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return socket;
    // Closed, or bytes that nobody asked for (HAProxy's 408): a client sees it before it sends.
    --kept_open_;
    tally_->reopened();
  }
  return nullptr;
}

asio::awaitable<void> ProbeLoop::exchange(ExchangePtr x) {
  if (x->kept) x->socket = take_idle();
  x->reused = x->socket != nullptr;
  const bool connected = x->reused || co_await connect(x);
  if (connected && co_await send(x)) co_await receive(x);
  in_flight_.erase(x->place);
  judge(*x);
  release(*x);
  if (stopping_ && in_flight_.empty()) timer_.cancel();
}

asio::awaitable<bool> ProbeLoop::connect(ExchangePtr x) {
  x->socket = std::make_unique<Socket>(io_);
  if (x->kept) ++kept_open_;
  x->socket->open(target_.protocol(), x->error);
  if (x->error) co_return false;
  auto [error] = co_await x->socket->async_connect(target_, kAwaitable);
  x->error = error;
  if (error) co_return false;
  x->socket->set_option(asio::ip::tcp::no_delay(true), x->error);
  x->error.clear();
  co_return true;
}

// True when an answer may be read, also when the request could not be written to its end: the
// server may have said why (503, 408) before it closed.
asio::awaitable<bool> ProbeLoop::send(ExchangePtr x) {
  const std::string request = x->shape->head + x->id + x->shape->tail;
  auto [error, written] = co_await asio::async_write(*x->socket, asio::buffer(request), kAwaitable);
  x->error = error;
  co_return x->socket->is_open();
}

asio::awaitable<void> ProbeLoop::receive(ExchangePtr x) {
  for (int reads = 1; x->socket->is_open(); ++reads) {
    const ssize_t n =
        ::recv(x->socket->native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n > 0) {
      const auto state = x->reader.feed({buffer_.data(), static_cast<std::size_t>(n)});
      if (state != ResponseReader::State::reading) co_return;
      if (reads % kReadsInARow == 0) co_await asio::post(io_, asio::use_awaitable);
      continue;
    }
    if (n == 0) {
      x->reader.finish();
      if (!x->error) x->error = asio::error::eof;
      co_return;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      x->error = error_code(errno, boost::system::system_category());
      co_return;
    }
    auto [error] = co_await x->socket->async_wait(Socket::wait_read, kAwaitable);
    if (error) {
      x->error = error;
      co_return;
    }
  }
}

void ProbeLoop::judge(const Exchange& x) {
  using State = ResponseReader::State;
  const ResponseReader& answer = x.reader;
  if (answer.state() == State::complete && answer.status() < 500) {
    tally_->answered(answer.status(), wall_now_ms(), us_between(x.sent_at, Clock::now()));
  } else if (answer.status() >= 500) {
    lose(x, LossKind::http_5xx, fmt::format("HTTP {}", answer.status()));
  } else if (answer.state() == State::malformed) {
    lose(x, LossKind::malformed, answer.why());
  } else if (x.expired) {
    const char* what = !answer.any_byte() ? "no answer" : "no whole answer";
    lose(x, LossKind::timeout, fmt::format("{} in {}", what, format_duration(config_.timeout_ms)));
  } else if (gave_up_) {
    tally_->unfinished();
  } else if (answer.any_byte()) {
    lose(x, LossKind::short_body,
         fmt::format("broke off after {} bytes of body: {}", answer.body_bytes(),
                     x.error.message()));
  } else if (x.reused) {
    lose(x, LossKind::stale_close, "closed without an answer: " + x.error.message());
  } else if (our_own_limit(x.error)) {
    tally_->withdrawn(x.shape->type, x.error.message());
  } else if (x.error == asio::error::eof || x.error == asio::error::connection_reset ||
             x.error == asio::error::broken_pipe) {
    lose(x, LossKind::reset, "closed without an answer: " + x.error.message());
  } else if (x.error == asio::error::timed_out) {
    lose(x, LossKind::timeout, "no connection: " + x.error.message());
  } else {
    lose(x, LossKind::refused, "no connection: " + x.error.message());
  }
}

void ProbeLoop::lose(const Exchange& x, LossKind kind, std::string detail) {
  Loss loss;
  loss.at_ms = x.sent_at_ms;
  loss.kind = kind;
  loss.type = x.shape->type;
  loss.status = x.reader.status();
  loss.after_us = us_between(x.sent_at, Clock::now());
  loss.path = x.shape->path;
  loss.server = escape_for_terminal(x.reader.server());
  loss.id = x.id;
  loss.detail = escape_for_terminal(detail);
  tally_->lost(std::move(loss), wall_now_ms());
}

void ProbeLoop::release(Exchange& x) {
  const bool open = x.socket && x.socket->is_open();
  if (x.kept) {
    if (open && x.reader.reusable() && !stopping_ && idle_.size() < config_.kept_connections) {
      idle_.push_back(std::move(x.socket));
      return;
    }
    --kept_open_;
  }
  if (!open || x.reader.state() != ResponseReader::State::complete || stopping_) {
    x.socket.reset();
    return;
  }
  if (lingering_.size() >= max_lingering_) lingering_.pop_front();
  lingering_.emplace_back(Clock::now() + kLinger, std::move(x.socket));
}

}  // namespace hitless::witness
