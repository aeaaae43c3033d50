#include "mcp/http.hpp"

#include <boost/json/serialize.hpp>
#include <deque>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxQueued = 1'000;  // messages before an answer; more are dropped
constexpr DurationMs kPulseMs = 15'000;    // so that proxies do not take a stream for dead

// "127.0.0.1:8080", "[::1]", "localhost" without the port.
std::string_view host_of(std::string_view text) {
  if (text.starts_with('[')) return text.substr(0, text.find(']') + 1);
  return text.substr(0, text.find(':'));
}

bool is_this_machine(std::string_view authority) {
  const std::string_view host = host_of(authority);
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

bool is_own_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return is_this_machine(origin.substr(scheme.size()));
  return false;
}

// Takes as long for a nearly right token as for a wrong one.
bool is_token(const std::string* given, const std::string& token) {
  constexpr std::string_view kBearer = "Bearer ";
  if (given == nullptr || !given->starts_with(kBearer)) return false;
  return sha256_hex(given->substr(kBearer.size())) == sha256_hex(token);
}

bool accepts_both(const std::string& accept) {
  if (accept.find("*/*") != std::string::npos) return true;
  return accept.find("application/json") != std::string::npos &&
         accept.find("text/event-stream") != std::string::npos;
}

std::string_view why(int status) {
  switch (status) {
    case 401:
      return "the bearer token is missing or wrong";
    case 403:
      return "Host or Origin is not this machine";
    case 404:
      return "nothing is here";
    case 405:
      return "only POST, and DELETE of a session";
    case 406:
      return "Accept has to name application/json and text/event-stream";
    default:
      break;
  }
  return "the body has to be application/json";
}

HttpHeaders headers_of(int status, const std::string& session) {
  HttpHeaders headers{{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  if (status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 405) headers.emplace_back("Allow", "POST, DELETE");
  if (!session.empty()) headers.emplace_back("MCP-Session-Id", session);
  return headers;
}

Task<void> refuse(HttpExchange* exchange, int status) {
  const RpcError error{kInvalidRequest, std::string(why(status))};
  co_await exchange->answer(status, headers_of(status, {}), json::serialize(error_message(error)));
}

std::string event(const json::object& message) {
  return "event: message\ndata: " + json::serialize(message) + "\n\n";
}

// One POST: the server works, and what it says meanwhile goes out as it comes.
struct Post {
  Server* server = nullptr;
  HttpExchange* exchange = nullptr;
  std::deque<json::object> queue;
  Signal news;
  std::optional<Reply> reply;
};

Task<void> work(Post* post, Headers headers) {
  Send send = [post](json::object message) {
    if (post->queue.size() >= kMaxQueued) return;
    post->queue.push_back(std::move(message));
    post->news.notify();
  };
  std::exception_ptr error;
  try {
    post->reply = co_await post->server->handle(post->exchange->asked().body, std::move(headers),
                                                nullptr, std::move(send), post->exchange->gone());
  } catch (...) {
    error = std::current_exception();
    post->reply = Reply{500, {}, {}};
  }
  post->news.notify();
  if (error) std::rethrow_exception(error);
}

Task<void> send_reply(Post* post, bool streaming) {
  const Reply& reply = *post->reply;
  const std::string text = reply.body.empty() ? std::string() : json::serialize(reply.body);
  if (!streaming) {
    HttpHeaders headers = headers_of(reply.status, reply.session);
    if (text.empty()) headers.erase(headers.begin());  // no type of nothing
    (void)co_await post->exchange->answer(reply.status, std::move(headers), text);
    co_return;
  }
  (void)co_await post->exchange->chunk(event(reply.body));
  (void)co_await post->exchange->end();
}

Task<void> tell(Post* post) {
  bool streaming = false;
  for (;;) {
    while (!post->queue.empty()) {
      if (!streaming)
        (void)co_await post->exchange->begin(
            200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
      streaming = true;
      const std::string text = event(post->queue.front());
      post->queue.pop_front();
      if (!co_await post->exchange->chunk(text)) post->exchange->gone()->notify();
    }
    if (post->reply) break;
    if (!co_await post->news.wait_for(kPulseMs) && streaming)
      (void)co_await post->exchange->chunk(": still here\n\n");
  }
  co_await send_reply(post, streaming);
}

Headers protocol_headers(const HttpAsked& asked) {
  return {asked.headers};
}

Task<void> handle(Server* server, const HttpOptions* options, HttpExchange* exchange) {
  const HttpAsked& asked = exchange->asked();
  if (const int status = gate_of(asked, *options); status != 0) {
    co_await refuse(exchange, status);
    co_return;
  }
  if (asked.method == "DELETE") {
    const std::string* session = asked.header("mcp-session-id");
    const int status = session == nullptr ? 400 : server->close_session(*session) ? 204 : 404;
    co_await exchange->answer(status, {}, {});
    co_return;
  }
  Post post;
  post.server = server;
  post.exchange = exchange;
  std::vector<Task<void>> tasks;
  tasks.push_back(work(&post, protocol_headers(asked)));
  tasks.push_back(tell(&post));
  co_await join_all(std::move(tasks));
}

}  // namespace

int gate_of(const HttpAsked& asked, const HttpOptions& options) {
  const std::string* host = asked.header("host");
  if (host == nullptr || asked.count("host") != 1 || !is_this_machine(*host)) return 403;
  const std::string* origin = asked.header("origin");
  if (origin != nullptr && !is_own_origin(*origin)) return 403;
  if (!options.token.empty() && !is_token(asked.header("authorization"), options.token)) return 401;
  if (asked.target != options.path) return 404;
  if (asked.method == "DELETE" && asked.header("mcp-session-id") != nullptr) return 0;
  if (asked.method != "POST") return 405;
  const std::string* type = asked.header("content-type");
  if (type == nullptr || !type->starts_with("application/json")) return 415;
  const std::string* accept = asked.header("accept");
  return accept != nullptr && !accepts_both(*accept) ? 406 : 0;
}

Task<Result<std::unique_ptr<HttpServer>>> serve_http(Server* server, HttpOptions options) {
  if (options.address != "127.0.0.1" && options.address != "::1")
    co_return fail(ErrorCode::invalid,
                   "only 127.0.0.1 and ::1 are listened on: there is no TLS here", options.address,
                   "put an SSH tunnel or a TLS proxy before it");
  HttpServerLimits limits;
  limits.max_body_bytes = kMaxMessageBytes;
  const std::string address = options.address;
  const int port = options.port;
  auto kept = std::make_shared<HttpOptions>(std::move(options));
  co_return co_await HttpServer::start(
      address, port, limits,
      [server, kept](HttpExchange* exchange) { return handle(server, kept.get(), exchange); });
}

}  // namespace hitless::mcp
