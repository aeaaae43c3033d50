#include "runtime/http.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace hitless {
namespace {
namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto as_codes = asio::as_tuple(asio::use_awaitable);

// Answers each request with the same bytes; counts connections and keeps what it was sent.
struct Server {
  std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nok";
  DurationMs delay_ms = 0;
  bool close_after = false;
  int connections = 0;
  std::string received;
};

template <class Socket>
Task<void> serve_one(std::shared_ptr<Server> server, std::shared_ptr<Socket> socket) {
  std::string buffer;
  while (true) {
    const auto [code, n] = co_await asio::async_read_until(*socket, asio::dynamic_buffer(buffer),
                                                           "\r\n\r\n", as_codes);
    if (code) co_return;
    server->received += buffer;
    buffer.clear();
    if (server->delay_ms > 0) co_await sleep_for(server->delay_ms);
    co_await asio::async_write(*socket, asio::buffer(server->answer), as_codes);
    if (server->close_after) co_return;
  }
}

template <class Protocol>
Task<void> accept_all(std::shared_ptr<Server> server,
                      std::shared_ptr<typename Protocol::acceptor> acceptor) {
  while (true) {
    auto socket = std::make_shared<typename Protocol::socket>(
        co_await acceptor->async_accept(asio::use_awaitable));
    ++server->connections;
    co_await detach(serve_one(server, socket));
  }
}

struct Running {
  std::shared_ptr<Server> server;
  int port = 0;
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port) + path;
  }
};

Task<Running> start_server(Server settings) {
  auto executor = co_await asio::this_coro::executor;
  auto server = std::make_shared<Server>(std::move(settings));
  auto acceptor =
      std::make_shared<tcp::acceptor>(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const int port = acceptor->local_endpoint().port();
  co_await detach(accept_all<tcp>(server, acceptor));
  co_return Running{server, port};
}

HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout_ms = 30'000;
  return request;
}

TEST(Http, AnswersWithStatusHeadersBodyAndLatency) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    auto request = get(running.url("/x?y=1"));
    request.headers = {"X-One: 1", "X-Empty:"};
    const auto response = co_await http_request(request);
    EXPECT_TRUE(response) << response.error().what;
    if (!response) co_return;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "ok");
    EXPECT_GT(response->latency_us, 0);
    const std::pair<std::string, std::string> want{"x-a", "b"};
    EXPECT_NE(std::ranges::find(response->headers, want), response->headers.end());
    EXPECT_NE(running.server->received.find("GET /x?y=1 HTTP/1.1\r\n"), std::string::npos);
    EXPECT_NE(running.server->received.find("X-One: 1\r\n"), std::string::npos);
    EXPECT_NE(running.server->received.find("X-Empty:\r\n"), std::string::npos);
  });
}

TEST(Http, PostSendsTheBodyAsItIs) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    auto request = get(running.url());
    request.method = "POST";
    request.body = "a=1&b";
    const auto response = co_await http_request(request);
    EXPECT_TRUE(response);
    EXPECT_NE(running.server->received.find("Content-Length: 5\r\n"), std::string::npos);
    EXPECT_EQ(running.server->received.find("Content-Type"), std::string::npos);
    EXPECT_EQ(running.server->received.find("Expect"), std::string::npos);
  });
}

TEST(Http, PartsComeAsTheyComeAndCanBreakItOff) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    auto request = get(running.url());
    std::string seen;
    request.on_part = [&seen](std::string_view part) {
      seen += part;
      return true;
    };
    const auto whole = co_await http_request(request);
    EXPECT_TRUE(whole && whole->body == "ok");
    EXPECT_EQ(seen, "ok");
    request.on_part = [](std::string_view) { return false; };
    const auto broken_off = co_await http_request(request);
    EXPECT_FALSE(broken_off);
  });
}

TEST(Http, HeadHasNoBodyAndRedirectsAreNotFollowed) {
  run_until_done([]() -> Task<void> {
    Server settings;
    settings.answer =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    const auto running = co_await start_server(settings);
    auto request = get(running.url());
    request.method = "HEAD";
    const auto head = co_await http_request(request);
    EXPECT_EQ(head ? head->status : 0, 302);
    const auto redirect = co_await http_request(get(running.url()));
    EXPECT_EQ(redirect ? redirect->status : 0, 302);
  });
}

TEST(Http, FreshConnectionsAreNotReusedAndOthersAre) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    auto request = get(running.url());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(co_await http_request(request));
    EXPECT_EQ(running.server->connections, 3);
    request.fresh_connection = false;
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(co_await http_request(request));
    EXPECT_EQ(running.server->connections, 4);
  });
}

TEST(Http, SlowAnswerTimesOutAndConnectFailureIsUnavailable) {
  run_until_done([]() -> Task<void> {
    Server settings;
    settings.delay_ms = 60'000;
    const auto running = co_await start_server(settings);
    auto request = get(running.url());
    request.timeout_ms = 200;
    const auto slow = co_await http_request(request);
    EXPECT_FALSE(slow);
    EXPECT_EQ(slow.error().code, ErrorCode::timed_out);
    const auto nobody = co_await http_request(get("http://127.0.0.1:1/secret-path"));
    EXPECT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, ErrorCode::unavailable);
    EXPECT_EQ(nobody.error().where, "http://127.0.0.1:1") << "paths of webhooks are secrets";
  });
}

TEST(Http, ConnectionBrokenOffIsTransportLost) {
  run_until_done([]() -> Task<void> {
    Server short_body;
    short_body.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    short_body.close_after = true;
    const auto cut = co_await start_server(short_body);
    const auto response = co_await http_request(get(cut.url()));
    EXPECT_FALSE(response) << "a 200 whose body is cut is not an answer";
    if (!response) EXPECT_EQ(response.error().code, ErrorCode::transport_lost);
    Server mute;
    mute.answer.clear();
    mute.close_after = true;
    const auto silent = co_await start_server(mute);
    const auto nothing = co_await http_request(get(silent.url()));
    EXPECT_FALSE(nothing);
    if (!nothing) EXPECT_EQ(nothing.error().code, ErrorCode::transport_lost);
  });
}

TEST(Http, BodyIsCappedAndMarked) {
  run_until_done([]() -> Task<void> {
    Server settings;
    settings.answer =
        "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + std::string(3'000'000, 'x');
    const auto running = co_await start_server(settings);
    auto request = get(running.url());
    request.max_body_bytes = 10;
    const auto response = co_await http_request(request);
    EXPECT_TRUE(response);
    if (!response) co_return;
    EXPECT_EQ(response->body, "xxxxxxxxxx");
    EXPECT_TRUE(response->truncated);
  });
}

TEST(Http, TooManyHeadersFail) {
  run_until_done([]() -> Task<void> {
    Server settings;
    settings.answer = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 1000; ++i) settings.answer += "A: b\r\n";
    settings.answer += "\r\n";
    const auto running = co_await start_server(settings);
    const auto response = co_await http_request(get(running.url()));
    EXPECT_FALSE(response);
    if (!response) EXPECT_EQ(response.error().code, ErrorCode::failed);
  });
}

TEST(Http, ConnectToReachesOneInstanceUnderTheServicesName) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    auto request = get("http://shop.example.org/");
    request.connect_to = "127.0.0.1:" + std::to_string(running.port);
    const auto response = co_await http_request(request);
    EXPECT_TRUE(response) << response.error().what;
    EXPECT_NE(running.server->received.find("Host: shop.example.org\r\n"), std::string::npos);
  });
}

TEST(Http, UnixSocket) {
  const std::string path = "/tmp/hitless-http-test-" + std::to_string(::getpid()) + ".sock";
  run_until_done([&]() -> Task<void> {
    using Unix = asio::local::stream_protocol;
    auto server = std::make_shared<Server>();
    auto acceptor = std::make_shared<Unix::acceptor>(co_await asio::this_coro::executor, path);
    co_await detach(accept_all<Unix>(server, acceptor));
    auto request = get("http://localhost/");
    request.unix_socket = path;
    const auto response = co_await http_request(request);
    EXPECT_EQ(response ? response->body : response.error().what, "ok");
  });
  ::unlink(path.c_str());
}

TEST(Http, HostileRequestsAreRefused) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    for (const std::string header : {"A: b\r\nEvil: 1", "A: b\n", "no colon", ": x", "A b: c"}) {
      auto request = get(running.url());
      request.headers = {header};
      const auto response = co_await http_request(request);
      EXPECT_EQ(response ? ErrorCode::internal : response.error().code, ErrorCode::invalid)
          << header;
    }
    for (const std::string url :
         {"", "file:///etc/passwd", "http://a b/", "gopher://x/", "http://x/\r\nA:b"}) {
      const auto response = co_await http_request(get(url));
      EXPECT_EQ(response ? ErrorCode::internal : response.error().code, ErrorCode::invalid) << url;
    }
    auto request = get(running.url());
    request.method = "GET /x HTTP/1.1\r\nA";
    EXPECT_FALSE(co_await http_request(request));
    EXPECT_EQ(running.server->connections, 0);
  });
}

TEST(Http, TheEnvironmentsProxyIsIgnored) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    EXPECT_TRUE(co_await http_request(get(running.url())));
    auto request = get(running.url());
    request.use_proxy = true;
    const auto proxied = co_await http_request(request);
    EXPECT_FALSE(proxied);
  });
  ::unsetenv("http_proxy");
}

TEST(Http, CancelledRequestsAndTeardownLeaveNothing) {
  run_until_done([]() -> Task<void> {
    Server settings;
    settings.delay_ms = 60'000;
    const auto running = co_await start_server(settings);
    auto one = [](HttpRequest request) -> Task<void> { co_await http_request(request); };
    const bool in_time = co_await finish_within(one(get(running.url())), 100);
    EXPECT_FALSE(in_time);
    co_await detach(one(get(running.url())));  // still under way when the context ends
    while (running.server->connections < 2) co_await sleep_for(5);
  });
}

TEST(Http, ManyAtOnce) {
  run_until_done([]() -> Task<void> {
    const auto running = co_await start_server({});
    int good = 0;
    auto one = [&good](HttpRequest request) -> Task<void> {
      const auto response = co_await http_request(request);
      if (response && response->body == "ok") ++good;
    };
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(one(get(running.url())));
    co_await join_all(std::move(tasks));
    EXPECT_EQ(good, 100);
  });
}

// A mail server that speaks just enough; `reply` answers RCPT.
Task<void> smtp_once(std::shared_ptr<tcp::acceptor> acceptor, std::shared_ptr<std::string> seen,
                     std::string rcpt_reply) {
  auto socket = co_await acceptor->async_accept(asio::use_awaitable);
  std::string greeting = "220 hi\r\n";
  co_await asio::async_write(socket, asio::buffer(greeting), as_codes);
  std::string buffer;
  bool in_data = false;
  while (true) {
    const auto [code, n] =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n", as_codes);
    if (code) co_return;
    const std::string line = buffer.substr(0, n);
    buffer.erase(0, n);
    *seen += line;
    std::string reply = "250 ok\r\n";
    if (in_data && line != ".\r\n") continue;
    if (line == ".\r\n") co_await sleep_for(20);  // curl blocks here; the event loop must not
    in_data = false;
    if (line.starts_with("RCPT")) reply = rcpt_reply;
    if (line.starts_with("DATA")) in_data = true;
    if (in_data) reply = "354 go\r\n";
    if (line.starts_with("QUIT")) reply = "221 bye\r\n";
    co_await asio::async_write(socket, asio::buffer(reply), as_codes);
  }
}

Task<Status> mail_to(std::string rcpt_reply, std::shared_ptr<std::string> seen, bool require_tls) {
  auto acceptor = std::make_shared<tcp::acceptor>(
      co_await asio::this_coro::executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const int port = acceptor->local_endpoint().port();
  co_await detach(smtp_once(acceptor, seen, std::move(rcpt_reply)));
  SmtpMessage message;
  message.url = "smtp://127.0.0.1:" + std::to_string(port);
  message.from = "hitless@example.org";
  message.to = {"ops@example.org"};
  message.require_tls = require_tls;
  message.payload = "Subject: x\r\n\r\n.dot\r\nend\r\n";
  co_return co_await send_mail(message);
}

TEST(Mail, IsDeliveredWholeAndDotStuffed) {
  auto seen = std::make_shared<std::string>();
  run_until_done([&]() -> Task<void> {
    const auto status = co_await mail_to("250 ok\r\n", seen, false);
    EXPECT_TRUE(status) << status.error().what;
  });
  EXPECT_NE(seen->find("MAIL FROM:<hitless@example.org>"), std::string::npos) << *seen;
  EXPECT_NE(seen->find("RCPT TO:<ops@example.org>"), std::string::npos);
  EXPECT_NE(seen->find("\r\n..dot\r\nend\r\n.\r\n"), std::string::npos) << *seen;
}

TEST(Mail, FinalRefusalIsToldFromATemporaryOne) {
  auto seen = std::make_shared<std::string>();
  run_until_done([&]() -> Task<void> {
    const auto final_no = co_await mail_to("550 no such user\r\n", seen, false);
    EXPECT_EQ(final_no ? ErrorCode::internal : final_no.error().code, ErrorCode::refused);
    const auto later = co_await mail_to("451 try later\r\n", seen, false);
    EXPECT_FALSE(later);
    if (!later) EXPECT_NE(later.error().code, ErrorCode::refused);
  });
}

TEST(Mail, NothingIsSentWithoutTlsWhereItIsRequired) {
  auto seen = std::make_shared<std::string>();
  run_until_done([&]() -> Task<void> {
    const auto status = co_await mail_to("250 ok\r\n", seen, true);
    EXPECT_FALSE(status);
  });
  EXPECT_EQ(seen->find("MAIL FROM"), std::string::npos);
}

}  // namespace
}  // namespace hitless
