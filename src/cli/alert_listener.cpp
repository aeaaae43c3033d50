#include "cli/alert_listener.hpp"

#include <charconv>
#include <cstdlib>

namespace hitless::cli {
namespace {

constexpr std::size_t kMinTokenBytes = 16;

Task<void> handle(HttpExchange* exchange, const mcp::HttpOptions* options, AlertBook* book,
                  const std::function<void()>* on_news) {
  const HttpAsked& asked = exchange->asked();
  HttpHeaders headers{{"Content-Type", "text/plain"}, {"Cache-Control", "no-store"}};
  int status = mcp::gate_of(asked, *options);
  if (status == 0 && asked.method != "POST") status = 405;
  if (status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 405) headers.emplace_back("Allow", "POST");
  if (status != 0) {
    (void)co_await exchange->answer(status, std::move(headers), "refused\n");
    co_return;
  }
  const auto message = parse_alerts(asked.body);
  if (!message) {
    (void)co_await exchange->answer(400, std::move(headers), message.error().what + "\n");
    co_return;
  }
  if (book->take(*message, wall_now_ms()) > 0) (*on_news)();
  (void)co_await exchange->answer(200, std::move(headers), "taken\n");
}

}  // namespace

Result<mcp::HttpOptions> alert_options(const std::string& where) {
  mcp::HttpOptions options;
  options.path = "/alertmanager";
  const std::size_t colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? where : where.substr(colon + 1);
  if (colon != std::string::npos) options.address = where.substr(0, colon);
  if (options.address == "localhost") options.address = "127.0.0.1";
  if (options.address == "[::1]") options.address = "::1";
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc{} || end != port.data() + port.size() || options.port < 0 ||
      options.port > 65535)
    return fail(ErrorCode::invalid, "no address to listen on: " + where, {},
                "hitless watch --triggers --listen 127.0.0.1:9099");
  const char* token = std::getenv(kAlertTokenVariable);
  options.token = token == nullptr ? "" : token;
  if (options.token.size() < kMinTokenBytes)
    return fail(ErrorCode::invalid,
                std::string(kAlertTokenVariable) + " has to hold a token of 16 characters or more",
                {}, std::string("export ") + kAlertTokenVariable + "=$(openssl rand -hex 32)");
  return options;
}

Task<Result<std::unique_ptr<HttpServer>>> listen_for_alerts(mcp::HttpOptions options,
                                                            AlertBook* book,
                                                            std::function<void()> on_news) {
  if (options.address != "127.0.0.1" && options.address != "::1")
    co_return fail(ErrorCode::invalid,
                   "only 127.0.0.1 and ::1 are listened on: there is no TLS here", options.address,
                   "put an SSH tunnel or a TLS proxy before it");
  const std::string address = options.address;
  const int port = options.port;
  auto kept = std::make_shared<mcp::HttpOptions>(std::move(options));
  auto news = std::make_shared<std::function<void()>>(std::move(on_news));
  co_return co_await HttpServer::start(address, port, HttpServerLimits{},
                                       [kept, news, book](HttpExchange* exchange) {
                                         return handle(exchange, kept.get(), book, news.get());
                                       });
}

}  // namespace hitless::cli
