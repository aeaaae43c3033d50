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

#include "witness/response_reader.hpp"
#include "witness/tally.hpp"

namespace hitless::witness {

using Clock = std::chrono::steady_clock;

// One (type, path): its request text, and its credit in the smooth weighted round robin that
// interleaves the mix evenly and the same way every time.
struct Shape {
  RequestType type = RequestType::get_new;
  std::string path;
  std::string head;  // up to the id of a POST
  std::string tail;  // what follows the id
  std::int64_t weight = 0;
  std::int64_t credit = 0;
};
[[nodiscard]] std::vector<Shape> shapes_of(const ProberConfig& config);

class ProbeLoop {
 public:
  ProbeLoop(ProberConfig config, boost::asio::ip::tcp::endpoint target, std::size_t max_in_flight,
            std::size_t max_lingering, Tally* tally);
  void run();           // returns when stopped and nothing is in flight
  void request_stop();  // from any thread
  void give_up();       // from any thread: what is in flight ends now, as unfinished

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Exchange {
    const Shape* shape = nullptr;
    std::unique_ptr<Socket> socket;
    std::list<std::shared_ptr<Exchange>>::iterator place;
    Clock::time_point sent_at;
    TimeMs sent_at_ms = 0;
    std::string id;
    bool kept = false;                // it came from, or may go to, the idle ones
    bool reused = false;              // an earlier request went over this connection
    bool expired = false;             // the deadline closed it
    boost::system::error_code error;  // what ended it, when something did
    ResponseReader reader;
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  boost::asio::awaitable<void> keep_time();
  void make_due(Clock::time_point now);
  void arrive(Clock::time_point due);
  Shape& next_shape();
  void expire(Clock::time_point now);
  boost::asio::awaitable<void> exchange(ExchangePtr x);
  boost::asio::awaitable<bool> connect(ExchangePtr x);
  boost::asio::awaitable<bool> send(ExchangePtr x);
  boost::asio::awaitable<void> receive(ExchangePtr x);
  std::unique_ptr<Socket> take_idle();
  void judge(const Exchange& x);
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
  std::deque<std::unique_ptr<Socket>> idle_;
  std::deque<std::pair<Clock::time_point, std::unique_ptr<Socket>>> lingering_;
  std::size_t kept_open_ = 0;
  std::int64_t arrivals_ = 0;
  Clock::time_point start_;
  bool stopping_ = false;
  bool gave_up_ = false;
};

}  // namespace hitless::witness
