#include "adapters/traffic/pg_wire.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "adapters/traffic/pg_auth.hpp"
#include "adapters/traffic/resolve.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless::traffic {
namespace asio = boost::asio;
namespace {

using Socket = asio::generic::stream_protocol::socket;

constexpr std::size_t max_message_bytes = 1u << 20;
constexpr std::size_t max_answer_bytes = 4u << 20;
constexpr int max_login_messages = 200;
constexpr int nonce_bytes = 18;
constexpr std::int32_t protocol_3 = 196608;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

enum Auth : std::int32_t { ok = 0, plain = 3, md5 = 5, sasl = 10, sasl_more = 11, sasl_end = 12 };

struct Message {
  char type = 0;
  std::string body;
};

void put_int32(std::string& to, std::int64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>((value >> shift) & 0xff);
}

// Reads numbers and texts out of a body; what is not there makes it bad, for good.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}
  [[nodiscard]] bool bad() const { return bad_; }
  std::string_view take(std::size_t count) {
    if (count > rest_.size()) bad_ = true;
    if (bad_) return {};
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }
  std::int32_t number(std::size_t width) {
    std::uint32_t value = 0;
    for (const char c : take(width)) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int32_t>(value);
  }
  std::string_view text() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) bad_ = true;
    if (bad_) return {};
    const std::string_view part = take(end);
    take(1);
    return part;
  }
  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
  bool bad_ = false;
};

// The M field of an ErrorResponse.
std::string error_text(std::string_view body) {
  Reader reader(body);
  std::string message = "an error without a message";
  while (!reader.bad()) {
    const std::string_view kind = reader.take(1);
    if (kind.empty() || kind[0] == '\0') break;
    const std::string_view value = reader.text();
    if (kind[0] == 'M') message = std::string(value);
  }
  return escape_for_terminal(truncate_utf8(redact(message), 300));
}

std::string framed(char type, std::string_view body) {
  std::string message(1, type);
  put_int32(message, static_cast<std::int64_t>(body.size()) + 4);
  message += body;
  return message;
}

std::string startup(const PgLogin& login) {
  std::string body;
  put_int32(body, protocol_3);
  for (const std::string& word :
       {std::string("user"), login.user, std::string("database"), login.database,
        std::string("application_name"), std::string("hitless")}) {
    body += word;
    body += '\0';
  }
  body += '\0';
  std::string message;
  put_int32(message, static_cast<std::int64_t>(body.size()) + 4);
  return message + body;
}

tl::unexpected<Error> nonsense() {
  return fail(ErrorCode::failed, "what answers there does not speak the PostgreSQL protocol");
}

}  // namespace

struct PgConnection::Impl {
  Impl(asio::any_io_executor executor, PgLogin to)
      : socket(std::move(executor)), login(std::move(to)) {}

  Task<Status> connect();
  Task<Status> send(std::string message);
  Task<Result<Message>> receive();
  Task<Status> log_in();
  Task<Status> answer(std::string_view challenge, std::optional<Scram>* scram);
  Task<Result<PgRows>> ask(std::string sql);
  Status keep(const Message& message, PgRows* rows, std::size_t* size) const;

  Socket socket;
  PgLogin login;
  std::string id = random_hex(8);
  bool usable = false;
};

Task<Status> PgConnection::Impl::connect() {
  const std::string where = to_string(login.address);
  Result<StreamEndpoint> endpoint =
      StreamEndpoint(asio::local::stream_protocol::endpoint(login.address.path));
  if (!login.address.is_unix) endpoint = co_await resolve(login.address, 2000);
  if (!endpoint) co_return tl::unexpected(endpoint.error());
  const auto [refused] = co_await socket.async_connect(*endpoint, as_result);
  if (refused) {
    co_return fail(ErrorCode::unavailable, "cannot connect: " + refused.message(), where,
                   "is it running, and listening there?");
  }
  co_return Status{};
}

Task<Status> PgConnection::Impl::send(std::string message) {
  const auto [broken, sent] = co_await asio::async_write(socket, asio::buffer(message), as_result);
  if (broken) co_return fail(ErrorCode::transport_lost, "sending broke off: " + broken.message());
  co_return Status{};
}

Task<Result<Message>> PgConnection::Impl::receive() {
  std::string head(5, '\0');
  const auto [broken, got] = co_await asio::async_read(socket, asio::buffer(head), as_result);
  if (broken) {
    co_return fail(ErrorCode::transport_lost, "the connection broke off: " + broken.message());
  }
  Message message;
  message.type = head[0];
  const std::int64_t size = Reader(std::string_view(head).substr(1)).number(4);
  if (size < 4 || static_cast<std::size_t>(size) > max_message_bytes) co_return nonsense();
  message.body.resize(static_cast<std::size_t>(size) - 4);
  const auto [cut, more] = co_await asio::async_read(socket, asio::buffer(message.body), as_result);
  if (cut) co_return fail(ErrorCode::transport_lost, "the answer broke off: " + cut.message());
  co_return message;
}

Task<Status> PgConnection::Impl::answer(std::string_view challenge, std::optional<Scram>* scram) {
  Reader reader(challenge);
  const std::int32_t kind = reader.number(4);
  std::string reply;
  switch (kind) {
    case Auth::ok:
      co_return Status{};
    case Auth::plain:
      if (!login.address.is_unix) {
        co_return fail(ErrorCode::refused, "it wants the password in plain text over a network", {},
                       "set auth_type = scram-sha-256, or use its UNIX socket");
      }
      reply = login.password + '\0';
      break;
    case Auth::md5:
      reply = md5_answer(login.user, login.password, reader.take(4)) + '\0';
      break;
    case Auth::sasl: {
      bool known = false;
      for (std::string_view name = reader.text(); !name.empty(); name = reader.text())
        known |= name == "SCRAM-SHA-256";
      if (!known) break;
      scram->emplace(login.password, base64(random_hex(nonce_bytes)));
      const std::string first = (*scram)->first();
      reply = std::string("SCRAM-SHA-256") + '\0';
      put_int32(reply, static_cast<std::int64_t>(first.size()));
      reply += first;
      break;
    }
    case Auth::sasl_more: {
      if (!*scram) co_return nonsense();
      auto last = (*scram)->last(reader.rest());
      if (!last) co_return tl::unexpected(last.error());
      reply = std::move(*last);
      break;
    }
    case Auth::sasl_end:
      if (*scram && (*scram)->server_is_right(reader.rest())) co_return Status{};
      co_return fail(ErrorCode::refused, "the server does not know the password itself");
    default:
      break;
  }
  if (reader.bad()) co_return nonsense();
  if (reply.empty()) {
    co_return fail(
        ErrorCode::refused,
        "it wants a kind of log-in that hitless does not know (" + std::to_string(kind) + ")", {},
        "use trust, peer, md5 or scram-sha-256");
  }
  co_return co_await send(framed('p', reply));
}

Task<Status> PgConnection::Impl::log_in() {
  if (Status ok = co_await connect(); !ok) co_return ok;
  if (Status ok = co_await send(startup(login)); !ok) co_return ok;
  std::optional<Scram> scram;
  for (int i = 0; i < max_login_messages; ++i) {
    auto message = co_await receive();
    if (!message) co_return tl::unexpected(message.error());
    switch (message->type) {
      case 'R':
        if (Status ok = co_await answer(message->body, &scram); !ok) co_return ok;
        break;
      case 'E':
        co_return fail(ErrorCode::refused,
                       "log-in as " + login.user + ": " + error_text(message->body));
      case 'Z':
        usable = true;
        co_return Status{};
      case 'S':
      case 'K':
      case 'N':
        break;
      default:
        co_return nonsense();
    }
  }
  co_return nonsense();
}

// Columns and rows. Anything else that may come along (notices, parameters) says nothing to us.
Status PgConnection::Impl::keep(const Message& message, PgRows* rows, std::size_t* size) const {
  constexpr std::size_t column_tail = 18;  // table, column, type, size, modifier, format
  *size += message.body.size() + 5;
  if (*size > max_answer_bytes) {
    return fail(ErrorCode::failed,
                "the answer is longer than " + std::to_string(max_answer_bytes) + " bytes");
  }
  Reader reader(message.body);
  if (message.type == 'T') {
    const std::int32_t count = reader.number(2);
    rows->columns.clear();
    for (std::int32_t i = 0; i < count && !reader.bad(); ++i) {
      rows->columns.emplace_back(reader.text());
      reader.take(column_tail);
    }
  } else if (message.type == 'D') {
    const std::int32_t count = reader.number(2);
    std::vector<std::string> row;
    for (std::int32_t i = 0; i < count && !reader.bad(); ++i) {
      const std::int32_t width = reader.number(4);
      row.emplace_back(width < 0 ? std::string_view{}
                                 : reader.take(static_cast<std::size_t>(width)));
    }
    rows->rows.push_back(std::move(row));
  } else if (message.type == 'C') {
    rows->tag = std::string(reader.text());
  }
  if (reader.bad()) return nonsense();
  return {};
}

Task<Result<PgRows>> PgConnection::Impl::ask(std::string sql) {
  if (sql.find('\0') != std::string::npos) co_return fail(ErrorCode::internal, "NUL in a query");
  if (Status ok = co_await send(framed('Q', sql + '\0')); !ok) co_return tl::unexpected(ok.error());
  PgRows rows;
  std::string refusal;
  std::size_t size = 0;
  for (;;) {  // ends at the deadline, if at nothing else
    auto message = co_await receive();
    if (!message && !refusal.empty()) co_return fail(ErrorCode::refused, refusal);
    if (!message) co_return tl::unexpected(message.error());
    if (message->type == 'E') refusal = error_text(message->body);
    if (message->type == 'Z') break;
    if (Status ok = keep(*message, &rows, &size); !ok) co_return tl::unexpected(ok.error());
  }
  usable = true;
  if (!refusal.empty()) co_return fail(ErrorCode::refused, refusal);
  co_return rows;
}

std::string PgRows::get(std::size_t row, std::string_view column) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == column && row < rows.size() && i < rows[row].size()) return rows[row][i];
  }
  return {};
}

PgConnection::PgConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PgConnection::~PgConnection() = default;

bool PgConnection::usable() const {
  return impl_->usable;
}
const std::string& PgConnection::id() const {
  return impl_->id;
}

namespace {

template <class T>
Task<Result<T>> as_value(Task<Status> task, T value) {
  Status done = co_await std::move(task);
  if (!done) co_return tl::unexpected(done.error());
  co_return std::move(value);
}

}  // namespace

Task<Result<std::unique_ptr<PgConnection>>> PgConnection::open(PgLogin login,
                                                               DurationMs deadline_ms) {
  const std::string where = to_string(login.address);
  auto impl = std::make_unique<Impl>(co_await asio::this_coro::executor, std::move(login));
  Impl* at = impl.get();
  auto done = co_await with_timeout<bool>(as_value(at->log_in(), true), deadline_ms, "the log-in");
  if (!done) {
    Error error = done.error();
    if (error.where.empty()) error.where = where;
    co_return tl::unexpected(std::move(error));
  }
  co_return std::unique_ptr<PgConnection>(new PgConnection(std::move(impl)));
}

Task<Result<PgRows>> PgConnection::query(std::string sql, DurationMs deadline_ms) {
  if (!impl_->usable) co_return fail(ErrorCode::transport_lost, "the connection is closed");
  impl_->usable = false;  // until its answer has come whole
  auto rows = co_await with_timeout<PgRows>(impl_->ask(std::move(sql)), deadline_ms, "the query");
  if (!impl_->usable) {
    boost::system::error_code ignored;
    impl_->socket.close(ignored);
  }
  co_return rows;
}

}  // namespace hitless::traffic
