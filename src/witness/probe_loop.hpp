// What runs on the prober's thread: the clock that makes requests due, the connections, the
// deadlines. One thread, so no locks here; the Tally is the only thing shared. Private to
// src/witness.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "witness/channel.hpp"
#include "witness/response_reader.hpp"
#include "witness/shapes.hpp"
#include "witness/tally.hpp"
#include "witness/websocket.hpp"

namespace hitless::witness {

using Clock = std::chrono::steady_clock;

// A connection and, when it was upgraded, what is known of its WebSocket.
struct Link {
  explicit Link(boost::asio::io_context& io) : channel(io) {}
  Channel channel;
  std::unique_ptr<WebSocket> ws;
};
using LinkPtr = std::unique_ptr<Link>;

// Kept-alive connections of one sort; new ones are opened until there are `limit`.
struct Pool {
  std::deque<LinkPtr> idle;
  std::size_t open = 0;  // idle or in use
};

class ProbeLoop {
 public:
  ProbeLoop(ProberConfig config, boost::asio::ip::tcp::endpoint target, std::size_t max_in_flight,
            std::size_t max_lingering, SslContext tls, Tally* tally);
  void run();           // returns when stopped and nothing is in flight
  void request_stop();  // from any thread
  void give_up();       // from any thread: what is in flight ends now, as unfinished

 private:
  struct Exchange {
    const Shape* shape = nullptr;
    LinkPtr link;
    std::list<std::shared_ptr<Exchange>>::iterator place;
    Clock::time_point sent_at;
    TimeMs sent_at_ms = 0;
    std::string id;
    Pool* pool = nullptr;   // the link came from, or may go to, these idle ones
    bool reused = false;    // an earlier request went over this connection
    bool expired = false;   // the deadline closed it
    bool cut_idle = false;  // a WebSocket that ended without a close frame, unused
    bool tls_failed = false;
    bool echoed = false, wrong_echo = false, ws_malformed = false;
    boost::system::error_code error;  // what ended it, when something did
    std::string detail;               // with tls_failed, ws_malformed
    ResponseReader reader;
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  boost::asio::awaitable<void> keep_time();
  void make_due(Clock::time_point now);
  void arrive(Clock::time_point due);
  void expire(Clock::time_point now);
  boost::asio::awaitable<void> exchange(ExchangePtr x);
  boost::asio::awaitable<bool> connect(ExchangePtr x);
  boost::asio::awaitable<bool> handshake(ExchangePtr x);
  boost::asio::awaitable<bool> send(ExchangePtr x, std::string text);
  boost::asio::awaitable<void> receive(ExchangePtr x);
  boost::asio::awaitable<void> upgrade(ExchangePtr x);
  boost::asio::awaitable<void> echo(ExchangePtr x);
  // The next bytes of the answer, in buffer_; empty: it ended, and x->error says how.
  boost::asio::awaitable<std::string_view> next_bytes(ExchangePtr x);
  boost::asio::awaitable<bool> wait_for(ExchangePtr x, Channel::Step step);
  LinkPtr take_idle(Exchange* x);
  bool fit_for_use(Link& link, Exchange* x);
  void judge(const Exchange& x);
  bool judge_websocket(const Exchange& x);
  void judge_broken(const Exchange& x);
  void lose(const Exchange& x, LossKind kind, std::string detail);
  void release(Exchange& x);

  ProberConfig config_;
  boost::asio::ip::tcp::endpoint target_;
  std::size_t max_in_flight_, max_lingering_;
  Tally* tally_;
  boost::asio::io_context io_;
  boost::asio::steady_timer timer_;
  std::vector<Shape> shapes_;
  std::string id_prefix_;
  std::vector<char> buffer_;          // shared by all reads: each is taken in before the next
  std::list<ExchangePtr> in_flight_;  // in the order of their deadlines
  SslContext tls_;
  Pool http_, ws_;
  std::deque<std::pair<Clock::time_point, LinkPtr>> lingering_;
  std::int64_t arrivals_ = 0;
  Clock::time_point start_, last_tick_, patient_until_;
  bool stopping_ = false;
  bool gave_up_ = false;
};

}  // namespace hitless::witness
