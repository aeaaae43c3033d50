// The prober against a server in this process that misbehaves exactly k times.
#include "witness/prober.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <thread>

namespace hitless::witness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

enum class Fault {
  none,
  rst,
  close,
  rst_reused,
  close_reused,
  bad_gateway,
  short_body,
  short_chunks,
  cut_head,
  hang,
  not_http,
  not_found
};

class Server {
 public:
  explicit Server(Fault fault = Fault::none, int times = 0, int idle_close_ms = 0)
      : fault_(fault), left_(times), idle_close_ms_(idle_close_ms) {
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Server() {
    io_.stop();
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::atomic<int> requests{0}, faults{0}, idle_closed{0};
  std::multiset<std::string> post_ids;  // read after the server ended its work

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      asio::co_spawn(io_, serve(std::make_shared<tcp::socket>(std::move(socket))), asio::detached);
    }
  }

  static std::string header(const std::string& head, const std::string& name) {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
  }

  asio::awaitable<void> serve(std::shared_ptr<tcp::socket> socket) {
    std::string data;
    for (int served = 0;; ++served) {
      asio::steady_timer idle(io_);
      if (idle_close_ms_ > 0 && served > 0) {
        idle.expires_after(std::chrono::milliseconds(idle_close_ms_));
        idle.async_wait([this, socket](boost::system::error_code cancelled) {
          if (cancelled) return;
          ++idle_closed;
          socket->close();
        });
      }
      const auto n = co_await asio::async_read_until(*socket, asio::dynamic_buffer(data),
                                                     "\r\n\r\n", asio::use_awaitable);
      idle.cancel();
      const std::string head = data.substr(0, n);
      data.erase(0, n);
      if (const std::string length = header(head, "Content-Length"); !length.empty()) {
        const std::size_t want = std::stoul(length);
        if (want > data.size())
          co_await asio::async_read(*socket, asio::dynamic_buffer(data),
                                    asio::transfer_exactly(want - data.size()),
                                    asio::use_awaitable);
        data.erase(0, want);
      }
      if (const std::string id = header(head, "X-Hitless-Probe"); !id.empty()) post_ids.insert(id);
      ++requests;
      const bool close = header(head, "Connection") == "close";
      if (!co_await answer(socket, served) || close) co_return;
    }
  }

  // False when the connection is done with.
  asio::awaitable<bool> answer(std::shared_ptr<tcp::socket> socket, int served) {
    const bool reused_only = fault_ == Fault::rst_reused || fault_ == Fault::close_reused;
    std::string text = "HTTP/1.1 200 OK\r\nX-Host: web01\r\nContent-Length: 3\r\n\r\nok\n";
    bool keep = true;
    if (left_ > 0 && (!reused_only || served > 0)) {
      --left_;
      ++faults;
      switch (fault_) {
        case Fault::rst:
        case Fault::rst_reused:
          socket->set_option(asio::socket_base::linger(true, 0));
          [[fallthrough]];
        case Fault::close:
        case Fault::close_reused:
          socket->close();
          co_return false;
        case Fault::hang:
          hung_.push_back(socket);
          co_return false;
        case Fault::bad_gateway:
          text = "HTTP/1.1 502 Bad Gateway\r\nX-Host: web02\r\nContent-Length: 0\r\n\r\n";
          break;
        case Fault::not_found:
          text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
          break;
        case Fault::short_body:
          text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok\n";
          break;
        case Fault::short_chunks:
          text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n";
          break;
        case Fault::cut_head:
          text = "HTTP/1.1 200 OK\r\nContent-";
          break;
        case Fault::not_http:
          text = "hello, world\n";
          break;
        case Fault::none:
          break;
      }
      keep = fault_ == Fault::bad_gateway || fault_ == Fault::not_found;
    }
    co_await asio::async_write(*socket, asio::buffer(text), asio::use_awaitable);
    if (!keep) socket->close();
    co_return keep;
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  std::thread thread_;
  Fault fault_;
  int left_;
  int idle_close_ms_;
  std::vector<std::shared_ptr<tcp::socket>> hung_;
};

ProberConfig config_for(std::uint16_t port, std::int64_t requests, double rate = 400) {
  ProberConfig config;
  config.address = "127.0.0.1";
  config.port = port;
  config.rate_per_s = rate;
  config.max_requests = requests;
  config.paths = {{"/", 3}, {"/api", 1}};
  return config;
}

void expect_adds_up(const ProberSnapshot& s) {
  EXPECT_EQ(s.sent, s.ok + s.lost + s.answered_4xx + s.unfinished + s.in_flight);
  std::int64_t by_kind = 0;
  for (const std::int64_t n : s.by_kind) by_kind += n;
  EXPECT_EQ(by_kind, s.lost);
}

ProberSnapshot run(ProberConfig config) {
  const std::int64_t wanted = config.max_requests;
  Prober prober(std::move(config));
  const auto ok = prober.start();
  EXPECT_TRUE(ok.has_value()) << ok.error().what;
  for (int i = 0; i < 3000; ++i) {
    const ProberSnapshot s = prober.snapshot();
    expect_adds_up(s);
    if (s.sent + s.not_sent >= wanted) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const ProberSnapshot s = prober.stop();
  expect_adds_up(s);
  EXPECT_EQ(s.in_flight, 0);
  return s;
}

struct Case {
  Fault fault;
  LossKind kind;
  std::array<int, kRequestTypes> weights;
  const char* name;
};

class Losing : public testing::TestWithParam<std::tuple<Case, int>> {};

TEST_P(Losing, ExactlyThatMany) {
  const auto& [c, k] = GetParam();
  Server server(c.fault, k);
  ProberConfig config = config_for(server.port(), 150);
  config.weights = c.weights;
  config.kept_connections = 4;
  if (c.fault == Fault::hang) config.timeout_ms = 2000;
  const ProberSnapshot s = run(config);
  EXPECT_EQ(s.sent + s.not_sent, 150);
  EXPECT_EQ(server.faults, k);
  EXPECT_EQ(s.lost, k);
  EXPECT_EQ(s.lost_as(c.kind), k);
  ASSERT_EQ(s.recent_losses.size(), static_cast<std::size_t>(k));
  for (const Loss& loss : s.recent_losses) {
    EXPECT_EQ(loss.kind, c.kind);
    EXPECT_GT(c.weights[static_cast<std::size_t>(loss.type)], 0);
    EXPECT_GE(loss.at_ms, s.started_ms);
    EXPECT_FALSE(loss.detail.empty());
    if (c.fault == Fault::bad_gateway) EXPECT_EQ(loss.server, "web02");
  }
}

constexpr std::array<int, kRequestTypes> kNew = {2, 0, 1, 0}, kKept = {0, 2, 0, 1},
                                         kAll = {3, 5, 1, 1};

INSTANTIATE_TEST_SUITE_P(
    Prober, Losing,
    testing::Combine(
        testing::Values(Case{Fault::rst, LossKind::reset, kNew, "rst"},
                        Case{Fault::close, LossKind::reset, kNew, "close"},
                        Case{Fault::close_reused, LossKind::stale_close, kKept, "stale"},
                        Case{Fault::rst_reused, LossKind::stale_close, kKept, "stale_rst"},
                        Case{Fault::bad_gateway, LossKind::http_5xx, kAll, "http_502"},
                        Case{Fault::short_body, LossKind::short_body, kAll, "short_body"},
                        Case{Fault::short_chunks, LossKind::short_body, kAll, "chunks"},
                        Case{Fault::cut_head, LossKind::short_body, kAll, "head"},
                        Case{Fault::hang, LossKind::timeout, kAll, "timeout"},
                        Case{Fault::not_http, LossKind::malformed, kAll, "malformed"}),
        testing::Values(1, 2, 10)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param).name) + "_" +
             std::to_string(std::get<1>(info.param));
    });

TEST(Prober, RefusedIsCountedExactly) {
  boost::asio::io_context io;
  // Bound but not listening: nobody else can take the port while we try it.
  tcp::socket held(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  for (const int k : {1, 2, 10}) {
    const ProberSnapshot s = run(config_for(held.local_endpoint().port(), k));
    EXPECT_EQ(s.lost, k);
    EXPECT_EQ(s.lost_as(LossKind::refused), k);
  }
}

TEST(Prober, NoFalseLossWhileIdleConnectionsAreClosedByTheServer) {
  Server server(Fault::none, 0, 60);
  ProberConfig config = config_for(server.port(), 1000, 500);
  config.kept_connections =
      100;  // each is idle for about 300 ms: all are closed before their next turn
  const ProberSnapshot s = run(config);
  EXPECT_EQ(s.lost, 0) << name_of(s.recent_losses.front().kind) << s.recent_losses.front().detail;
  EXPECT_EQ(s.ok, s.sent);
  EXPECT_GT(server.idle_closed, 20);
  EXPECT_GT(s.reopened, 20);
  ASSERT_TRUE(s.p95_us.has_value());
  EXPECT_LE(*s.p50_us, *s.p99_us);
}

TEST(Prober, SendsTheMixItWasAskedForAndEachPostOnce) {
  ProberSnapshot s;
  std::multiset<std::string> ids;
  {
    Server server;
    ProberConfig config = config_for(server.port(), 400);
    s = run(config);
    EXPECT_EQ(server.requests, s.sent);
    ids = server.post_ids;
  }
  ASSERT_TRUE(s.trustworthy()) << s.not_sent_why;
  EXPECT_EQ(s.lost, 0);
  EXPECT_EQ(s.sent_by_type, (std::array<std::int64_t, kRequestTypes>{120, 200, 40, 40}));
  EXPECT_EQ(ids.size(), 80u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 80u);
}

TEST(Prober, ClientErrorsAreCountedApart) {
  Server server(Fault::not_found, 7);
  const ProberSnapshot s = run(config_for(server.port(), 50));
  EXPECT_EQ(s.answered_4xx, 7);
  EXPECT_EQ(s.lost, 0);
  EXPECT_EQ(s.ok, 43);
}

TEST(Prober, ABodyWithoutWhatIsExpectedIsLost) {
  Server server;
  ProberConfig config = config_for(server.port(), 60);
  config.weights = {1, 1, 0, 0};
  config.paths = {{"/", 2, "ok\n"}, {"/api", 1, "ok, but more"}};
  const ProberSnapshot s = run(config);
  EXPECT_EQ(s.lost, 20);
  EXPECT_EQ(s.lost_as(LossKind::wrong_body), 20);
  for (const Loss& loss : s.recent_losses) EXPECT_EQ(loss.path, "/api");
}

TEST(Prober, MarksHoldTheCountsOfTheirMoment) {
  Server server;
  Prober prober(config_for(server.port(), 200));
  ASSERT_TRUE(prober.start().has_value());
  const auto until = [&](std::int64_t sent) {
    while (prober.snapshot().sent < sent) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  until(50);
  prober.enter(Window::rollout);
  prober.phase("web@web01", core::PhaseName::acting);
  until(150);
  prober.phase("web@web01", core::PhaseName::done);
  prober.enter(Window::after);
  until(200);
  const ProberSnapshot s = prober.stop();
  ASSERT_EQ(s.marks.size(), 4u);
  auto windows = by_window(s.marks, s.now);
  EXPECT_GE(windows[Window::baseline].sent, 50);
  EXPECT_GE(windows[Window::rollout].sent, 90);
  EXPECT_EQ(
      windows[Window::baseline].sent + windows[Window::rollout].sent + windows[Window::after].sent,
      200);
  EXPECT_GE(sent_by_instance(s.marks, s.now)["web@web01"], 90);
  EXPECT_FALSE(s.id_prefix.empty());
  ASSERT_FALSE(s.series.empty());
  std::int64_t sent = 0;
  for (const SeriesPoint& point : s.series) sent += point.sent;
  EXPECT_EQ(sent, 200);
}

TEST(Prober, OurOwnLimitIsNotSentAndNotTrusted) {
  Server server(Fault::hang, 1000);
  ProberConfig config = config_for(server.port(), 60);
  config.max_in_flight = 5;
  config.timeout_ms = 60'000;
  Prober prober(config);
  ASSERT_TRUE(prober.start().has_value());
  while (prober.snapshot().sent + prober.snapshot().not_sent < 60)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const ProberSnapshot s = prober.stop(0);
  expect_adds_up(s);
  EXPECT_EQ(s.sent, 5);
  EXPECT_EQ(s.not_sent, 55);
  EXPECT_EQ(s.unfinished, 5);
  EXPECT_EQ(s.lost, 0);
  EXPECT_FALSE(s.trustworthy());
  EXPECT_NE(s.not_sent_why.find("our limit"), std::string::npos);
}

TEST(Prober, AHungServerDoesNotSlowTheNextRequest) {
  Server server(Fault::hang, 1'000'000);
  ProberConfig config = config_for(server.port(), 100);
  config.timeout_ms = 60'000;
  Prober prober(config);
  ASSERT_TRUE(prober.start().has_value());
  while (prober.snapshot().in_flight < 100)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(prober.snapshot().sent, 100);
  EXPECT_EQ(prober.stop(0).unfinished, 100);
}

TEST(Prober, RefusesWhatItCannotDo) {
  const auto refused = [](auto change) {
    ProberConfig config = config_for(80, 1);
    change(config);
    return !Prober(config).start().has_value();
  };
  EXPECT_TRUE(refused([](ProberConfig& c) { c.rate_per_s = 0; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.rate_per_s = 1e9; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.paths = {{"/a\r\nX: y", 1}}; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.paths = {}; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.host_header = "a\r\nb"; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.id_header = "A:"; }));
  EXPECT_TRUE(refused([](ProberConfig& c) { c.weights = {0, 0, 0, 0}; }));
}

}  // namespace
}  // namespace hitless::witness
