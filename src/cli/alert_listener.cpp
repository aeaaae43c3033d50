#include "cli/alert_listener.hpp"

#include "cli/listen_address.hpp"

namespace hitless::cli {
namespace {

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
  auto options =
      listen_at(where, kAlertTokenVariable, "hitless watch --triggers --listen 127.0.0.1:9099");
  if (options) options->path = "/alertmanager";
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
