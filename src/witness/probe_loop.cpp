#include "witness/probe_loop.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::witness {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kAwaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::uint64_t kMaxBodyBytes = 64u << 20;
constexpr int kReadsInARow = 16;  // then the others get a turn
constexpr auto kMaxTick = std::chrono::milliseconds(50);
constexpr auto kStoodStill = 4 * kMaxTick;
constexpr auto kPatience = 2 * kMaxTick;
// An arrival that is later than this was missed (we slept): sending it now would be a burst.
constexpr auto kMaxLag = std::chrono::seconds(1);
std::int64_t us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

void run_alone(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);  // a bug: run() throws and the program ends
}

}  // namespace

ProbeLoop::ProbeLoop(ProberConfig config, asio::ip::tcp::endpoint target, std::size_t max_in_flight,
                     std::size_t max_lingering, SslContext tls, Tally* tally)
    : config_(std::move(config)),
      target_(target),
      max_in_flight_(max_in_flight),
      max_lingering_(max_lingering),
      tally_(tally),
      io_(1),
      timer_(io_),
      shapes_(shapes_of(config_)),
      id_prefix_(random_hex(6)),
      buffer_(kReadBytes),
      tls_(std::move(tls)) {
  tally_->named(id_prefix_);
}

void ProbeLoop::run() {
  asio::co_spawn(io_, keep_time(), run_alone);
  io_.run();
  http_.idle.clear();
  ws_.idle.clear();
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
      if (x->link) x->link->channel.close();
    }
    timer_.cancel();
  });
}

asio::awaitable<void> ProbeLoop::keep_time() {
  start_ = last_tick_ = Clock::now();
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

void ProbeLoop::arrive(Clock::time_point due) {
  Shape& shape = next_of(shapes_);
  if (in_flight_.size() >= max_in_flight_) {
    tally_->not_sent(1, fmt::format("{} requests in flight, our limit", max_in_flight_));
    return;
  }
  auto x = std::make_shared<Exchange>();
  x->shape = &shape;
  const bool ws = shape.type == RequestType::ws_echo;
  if (ws || is_kept(shape.type)) x->pool = ws ? &ws_ : &http_;
  x->reader = ResponseReader(config_.server_header, kMaxBodyBytes, shape.expect);
  if (ws || is_post(shape.type)) x->id = fmt::format("{}-{}", id_prefix_, arrivals_);
  x->sent_at = Clock::now();
  x->sent_at_ms = wall_now_ms();
  x->place = in_flight_.insert(in_flight_.end(), x);
  tally_->sent(shape.type, x->sent_at_ms, us_between(due, x->sent_at), arrivals_);
  asio::co_spawn(io_, exchange(std::move(x)), run_alone);
}

void ProbeLoop::expire(Clock::time_point now) {
  // We stood still (no CPU, a laptop that slept): answers that came meanwhile are read first.
  if (now - last_tick_ > kStoodStill) patient_until_ = now + kPatience;
  last_tick_ = now;
  if (now < patient_until_) return;
  const auto limit = now - std::chrono::milliseconds(config_.timeout_ms);
  for (const ExchangePtr& x : in_flight_) {
    if (x->sent_at > limit) break;
    x->expired = true;
    if (x->link) x->link->channel.close();
  }
  while (!lingering_.empty() && lingering_.front().first <= now) lingering_.pop_front();
}

bool ProbeLoop::fit_for_use(Link& link, Exchange* x) {
  if (link.channel.quiet()) return true;
  if (!link.ws) return false;  // closed, or bytes that nobody asked for (HAProxy's 408)
  // Between messages a server may ping, or say goodbye; what just ends was cut.
  std::size_t got = 0;
  for (int i = 0; i < kReadsInARow; ++i) {
    const auto step = link.channel.receive(buffer_.data(), buffer_.size(), &got);
    if (step != Channel::Step::done) {
      x->cut_idle = step == Channel::Step::ended && link.ws->state() == WebSocket::State::open;
      return !x->cut_idle && link.ws->state() == WebSocket::State::open;
    }
    link.ws->feed({buffer_.data(), got});
  }
  return false;
}

LinkPtr ProbeLoop::take_idle(Exchange* x) {
  Pool& pool = *x->pool;
  // New ones are opened first, until there are as many as asked for.
  while (pool.open >= config_.kept_connections && !pool.idle.empty() && !x->cut_idle) {
    LinkPtr link = std::move(pool.idle.front());
    pool.idle.pop_front();
    if (fit_for_use(*link, x)) return link;
    --pool.open;  // a client sees it before it sends
    if (!x->cut_idle) tally_->reopened();
  }
  return nullptr;
}

asio::awaitable<void> ProbeLoop::exchange(ExchangePtr x) {
  if (x->pool != nullptr) x->link = take_idle(x.get());
  x->reused = x->link != nullptr;
  const bool connected = x->reused || (!x->cut_idle && co_await connect(x));
  if (connected && x->shape->type == RequestType::ws_echo) {
    if (!x->reused) co_await upgrade(x);
    if (x->link->ws && x->link->ws->state() == WebSocket::State::open) co_await echo(x);
  } else if (connected && co_await send(x, x->shape->head + x->id + x->shape->tail)) {
    co_await receive(x);
  }
  in_flight_.erase(x->place);
  judge(*x);
  release(*x);
  if (stopping_ && in_flight_.empty()) timer_.cancel();
}

asio::awaitable<bool> ProbeLoop::connect(ExchangePtr x) {
  x->link = std::make_unique<Link>(io_);
  if (x->pool != nullptr) ++x->pool->open;
  auto& socket = x->link->channel.socket();
  socket.open(target_.protocol(), x->error);
  if (x->error) co_return false;
  auto [error] = co_await socket.async_connect(target_, kAwaitable);
  x->error = error;
  if (error) co_return false;
  socket.set_option(asio::ip::tcp::no_delay(true), x->error);
  x->error.clear();
  co_return !tls_ || co_await handshake(x);
}

asio::awaitable<bool> ProbeLoop::handshake(ExchangePtr x) {
  Channel& channel = x->link->channel;
  const std::string& name = config_.tls_name.empty() ? config_.address : config_.tls_name;
  if (!channel.start_tls(tls_.get(), name)) {
    x->error = asio::error::no_memory;
    co_return false;
  }
  for (;;) {
    const auto step = channel.handshake();
    if (step == Channel::Step::done) co_return true;
    if (step == Channel::Step::ended) {
      x->error = channel.error();
      x->detail = channel.tls_problem();
      x->tls_failed = !x->detail.empty();
      co_return false;
    }
    if (!co_await wait_for(x, step)) co_return false;
  }
}

asio::awaitable<bool> ProbeLoop::wait_for(ExchangePtr x, Channel::Step step) {
  using Socket = asio::ip::tcp::socket;
  const auto what = step == Channel::Step::wait_write ? Socket::wait_write : Socket::wait_read;
  auto [error] = co_await x->link->channel.socket().async_wait(what, kAwaitable);
  if (error) x->error = error;
  co_return !error;
}

// True when an answer may be read, also when the request could not be written to its end: the
// server may have said why (503, 408) before it closed.
asio::awaitable<bool> ProbeLoop::send(ExchangePtr x, std::string text) {
  Channel& channel = x->link->channel;
  for (std::string_view rest = text; channel.open();) {
    const auto step = channel.send(&rest);
    if (step == Channel::Step::done) break;
    if (step == Channel::Step::ended) {
      x->error = channel.error();
      break;
    }
    if (!co_await wait_for(x, step)) break;
  }
  co_return channel.open();
}

asio::awaitable<std::string_view> ProbeLoop::next_bytes(ExchangePtr x) {
  Channel& channel = x->link->channel;
  while (channel.open()) {
    std::size_t got = 0;
    const auto step = channel.receive(buffer_.data(), buffer_.size(), &got);
    if (step == Channel::Step::done) co_return std::string_view(buffer_.data(), got);
    if (step == Channel::Step::ended) {
      if (!x->error || channel.error() != asio::error::eof) x->error = channel.error();
      break;
    }
    if (!co_await wait_for(x, step)) break;
  }
  co_return std::string_view();
}

asio::awaitable<void> ProbeLoop::receive(ExchangePtr x) {
  for (int reads = 1;; ++reads) {
    const std::string_view bytes = co_await next_bytes(x);
    if (bytes.empty()) {
      if (x->error == asio::error::eof) x->reader.finish();
      co_return;
    }
    if (x->reader.feed(bytes) != ResponseReader::State::reading) co_return;
    if (reads % kReadsInARow == 0) co_await asio::post(io_, asio::use_awaitable);
  }
}

asio::awaitable<void> ProbeLoop::upgrade(ExchangePtr x) {
  auto ws = std::make_unique<WebSocket>();
  if (!co_await send(x, x->shape->head + ws->upgrade_headers() + x->shape->tail)) co_return;
  while (ws->state() == WebSocket::State::upgrading) {
    const std::string_view bytes = co_await next_bytes(x);
    if (bytes.empty()) co_return;
    ws->feed(bytes);
  }
  if (ws->state() == WebSocket::State::not_upgraded) {
    if (x->reader.feed(ws->take_bytes()) == ResponseReader::State::reading) co_await receive(x);
    co_return;
  }
  x->link->ws = std::move(ws);
}

asio::awaitable<void> ProbeLoop::echo(ExchangePtr x) {
  WebSocket& ws = *x->link->ws;
  std::string message;
  bool sent = co_await send(x, ws.take_owed() + WebSocket::text_frame(x->id));
  while (sent && !ws.take_message(&message)) {
    const std::string_view bytes = co_await next_bytes(x);
    if (bytes.empty()) co_return;
    if (ws.feed(bytes) != WebSocket::State::open && !ws.take_message(&message)) break;
    if (!message.empty()) break;
    if (const std::string owed = ws.take_owed(); !owed.empty()) sent = co_await send(x, owed);
  }
  x->echoed = message == x->id;
  x->wrong_echo = !message.empty() && !x->echoed;
  x->ws_malformed = ws.state() == WebSocket::State::malformed;
  if (x->ws_malformed) x->detail = ws.why();
}

}  // namespace hitless::witness
