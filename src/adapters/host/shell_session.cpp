#include "adapters/host/shell_session.hpp"

#include <poll.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "adapters/host/frame.hpp"
#include "adapters/host/ssh_command.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "runtime/child.hpp"
#include "runtime/readable.hpp"

namespace hitless::host {
namespace asio = boost::asio;
namespace {

constexpr auto as_codes = asio::as_tuple(asio::use_awaitable);
constexpr int nonce_bytes = 16;
constexpr std::size_t max_script_bytes = 32u << 20;  // the remote sh holds it in memory
constexpr std::size_t err_tail_bytes = 2048;
constexpr DurationMs end_grace_ms = 300;  // for the last words of an ssh that has ended
constexpr int connect_attempts = 3;
constexpr DurationMs connect_backoff_ms = 250;
constexpr DurationMs hold_off_ms = 1000;  // after a failed connect the next callers get its error

// Settles what a command may rely on, whatever the account's profile says.
constexpr const char* preamble =
    "LC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin\" "
    "SYSTEMD_PAGER= SYSTEMD_COLORS=0\nexport LC_ALL PATH SYSTEMD_PAGER SYSTEMD_COLORS\n"
    "unset CDPATH ENV\ncd /\n";

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct ShellSession::Connection {
  Connection(Child c, const asio::any_io_executor& executor)
      : child(std::move(c)),
        in(executor, child.in.release()),
        out(executor, child.out.release()),
        err(executor, child.err.release()),
        ended(executor, child.exit_event.release()) {}

  // False once it has ended or hung up, as far as can be known without asking it.
  bool alive() {
    pollfd fds[2] = {{ended.native_handle(), POLLIN, 0}, {out.native_handle(), 0, 0}};
    return ::poll(fds, 2, 0) == 0;
  }

  Child child;
  asio::posix::stream_descriptor in, out, err, ended;
};

// One command under way. Kept by each of its parts.
struct ShellSession::Exchange {
  Exchange(const std::string& nonce, std::size_t max_bytes)
      : out(nonce, max_bytes), err(nonce, max_bytes) {}
  FrameParser out, err;
  std::string err_tail;  // raw, for ssh's own messages
  int open_streams = 2;
  bool lost = false;  // the shell ended before the frame did
  Signal stream_ended;

  static Task<void> send(Connection* to, std::string script) {
    co_await asio::async_write(to->in, asio::buffer(script),
                               as_codes);  // a loss shows in the reads
  }

  static Task<void> receive(Exchange* self, Connection* connection, bool errors) {
    auto& from = errors ? connection->err : connection->out;
    auto& parser = errors ? self->err : self->out;
    auto chunk = std::make_unique<std::array<char, 65536>>();
    while (!parser.done()) {
      const auto [code, n] = co_await from.async_read_some(asio::buffer(*chunk), as_codes);
      const std::string_view bytes(chunk->data(), n);
      if (errors) {
        self->err_tail.append(bytes);
        if (self->err_tail.size() > err_tail_bytes) {
          self->err_tail.erase(0, self->err_tail.size() - err_tail_bytes);
        }
      }
      parser.feed(bytes);
      if (code) break;
    }
    --self->open_streams;
    self->stream_ended.notify();
    if (self->out.done() && self->err.done()) connection->ended.cancel();
  }

  // Without it a command that killed its shell and holds the pipes itself would keep us waiting.
  static Task<void> watch_end(Exchange* self, Connection* connection) {
    const auto code = co_await wait_readable(&connection->ended);
    if (code || (self->out.done() && self->err.done())) co_return;
    self->lost = true;
    while (self->open_streams > 0) {
      const bool ended = co_await self->stream_ended.wait_for(end_grace_ms);
      if (!ended) break;
    }
    connection->in.cancel();
    connection->out.cancel();
    connection->err.cancel();
  }
};

ShellSession::ShellSession(SessionSettings settings) : settings_(std::move(settings)) {}
ShellSession::~ShellSession() = default;

int ShellSession::pid() const {
  return pid_;
}

Error ShellSession::explain_end(bool while_connecting) const {
  const std::string words = last_ ? last_->err_tail : std::string();
  if (while_connecting && settings_.remote) return explain_ssh_failure(settings_.name, words);
  std::string shown = redact(escape_for_terminal(trim(words)));
  // After a frame began, stderr also holds the command's own output: only ssh's last line counts.
  const std::size_t line = std::string_view(trim(words)).rfind('\n');
  if (line != std::string_view::npos) {
    shown = redact(escape_for_terminal(trim(words).substr(line + 1)));
  }
  return {while_connecting ? ErrorCode::unavailable : ErrorCode::transport_lost,
          shown.empty() ? std::string("the shell ended in the middle of a command")
                        : fmt::format("the shell ended in the middle of a command ({})",
                                      truncate_utf8(shown, 300)),
          settings_.name,
          while_connecting ? "" : "look at the host: what the command did is unknown"};
}

Task<Result<ports::ExecResult>> ShellSession::exchange(SessionCommand command, std::string before) {
  const std::string nonce = random_hex(nonce_bytes);
  std::string script = before + frame_script(nonce, command.body, command.input);
  if (script.size() > max_script_bytes) {
    co_return fail(ErrorCode::invalid, "the command and its input are too large", settings_.name);
  }
  // Out of the member while in use: whatever interrupts us takes the connection down.
  auto connection = std::move(connection_);
  auto state = std::make_shared<Exchange>(nonce, command.max_output_bytes);
  last_ = state;
  std::vector<Task<void>> parts;
  parts.push_back(Exchange::send(connection.get(), std::move(script)));
  parts.push_back(Exchange::receive(state.get(), connection.get(), false));
  parts.push_back(Exchange::receive(state.get(), connection.get(), true));
  parts.push_back(Exchange::watch_end(state.get(), connection.get()));
  const bool in_time = co_await finish_within(join_all(std::move(parts)), command.deadline_ms);

  if (!state->out.done() || !state->err.done()) {
    stale_shell_ = this_shell_;
    pid_ = 0;
    if (!in_time) {
      co_return fail(ErrorCode::timed_out,
                     fmt::format("no end within {}; the shell was closed",
                                 format_duration(command.deadline_ms)),
                     settings_.name);
    }
    co_return tl::unexpected(explain_end(false));
  }
  if (state->out.exit_code() < 0 || state->out.exit_code() != state->err.exit_code()) {
    co_return fail(ErrorCode::transport_lost, "the shell's answer is garbled", settings_.name);
  }
  connection_ = std::move(connection);
  ports::ExecResult result;
  result.exit_code = state->out.exit_code();
  result.out = std::move(state->out.output());
  result.err = std::move(state->err.output());
  result.truncated = state->out.truncated() || state->err.truncated();
  co_return result;
}

Task<Status> ShellSession::connect_once(const std::vector<std::string>* argv,
                                        DurationMs deadline_ms) {
  auto child = Child::start(*argv);
  if (!child) co_return tl::unexpected(child.error());
  pid_ = child->pid();
  connection_ = std::make_unique<Connection>(std::move(*child), co_await asio::this_coro::executor);
  SessionCommand hello;
  // Says who it is, and ends what an earlier shell of ours, cut off by us, still runs.
  hello.body = "id -u; cat /proc/$$/stat 2>/dev/null; if [ -n " + quote_for_sh(stale_shell_) +
               " ]; then set -- " + stale_shell_ +
               "; if [ \"$(cut -d' ' -f22 /proc/$1/stat 2>/dev/null)\" = \"$2\" ]; then "
               "kill -s KILL -- \"-$3\" 2>/dev/null; kill -KILL \"$1\" 2>/dev/null; fi; fi; :";
  hello.deadline_ms = deadline_ms;
  hello.max_output_bytes = 4096;
  this_shell_.clear();
  const auto answer = co_await exchange(std::move(hello), preamble);
  if (!answer) {
    if (answer.error().code != ErrorCode::timed_out) co_return tl::unexpected(explain_end(true));
    co_return fail(
        ErrorCode::unavailable, fmt::format("no shell within {}", format_duration(deadline_ms)),
        settings_.name,
        settings_.remote ? "does the account give a POSIX shell, without a forced command?" : "");
  }
  const std::string_view said = trim(answer->out);
  const std::size_t line_end = std::min(said.find('\n'), said.size());
  root_ = said.substr(0, line_end) == "0";
  // "pid (sh) S ppid pgrp … starttime": digits only, because it goes into a later script.
  const auto fields = split(trim(said.substr(line_end)), ' ');
  const auto is_number = [&](std::size_t i) {
    return !fields[i].empty() && fields[i].find_first_not_of("0123456789") == std::string::npos;
  };
  if (fields.size() > 21 && is_number(0) && is_number(21) && is_number(4))
    this_shell_ = fields[0] + " " + fields[21] + " " + fields[4];
  stale_shell_.clear();
  ++generation_;
  co_return Status{};
}

Task<Status> ShellSession::connect() {
  if (steady_ms() < no_connect_before_ms_) co_return tl::unexpected(last_failure_);
  DurationMs backoff_ms = connect_backoff_ms;
  Status status;
  if (!settings_.kept_argv.empty() && !std::exchange(kept_tried_, true)) {
    status = co_await connect_once(&settings_.kept_argv, settings_.kept_deadline_ms);
    // It may be one of before that leads nowhere any more, which says nothing about the host.
    if (status || status.error().code != ErrorCode::unavailable) co_return status;
  }
  for (int attempt = 1; attempt <= connect_attempts; ++attempt) {
    const std::int64_t started_ms = steady_ms();
    status = co_await connect_once(&settings_.argv, settings_.connect_deadline_ms);
    if (status) co_return status;
    // A no is final; a timeout took its time already. Only quick failures are worth another try.
    const bool quick = steady_ms() - started_ms < 2000;
    if (status.error().code != ErrorCode::unavailable || !quick || attempt == connect_attempts)
      break;
    co_await sleep_for(backoff_ms);
    backoff_ms *= 4;
  }
  last_failure_ = status.error();
  no_connect_before_ms_ = steady_ms() + hold_off_ms;
  co_return status;
}

Task<Result<ports::ExecResult>> ShellSession::run_locked(SessionCommand command) {
  if (connection_ && !connection_->alive()) connection_.reset();
  if (!connection_) {
    const auto status = co_await connect();
    if (!status) co_return tl::unexpected(status.error());
  }
  co_return co_await exchange(std::move(command), {});
}

Task<Result<bool>> ShellSession::is_root() {
  if (pid_ != 0 && generation_ > 0) co_return root_;
  const auto guard = co_await mutex_.lock();
  if (connection_ && !connection_->alive()) connection_.reset();
  if (!connection_) {
    const auto status = co_await connect();
    if (!status) co_return tl::unexpected(status.error());
  }
  co_return root_;
}

Task<Result<ports::ExecResult>> ShellSession::run(SessionCommand command) {
  if (waiting_ >= settings_.max_waiting) {
    co_return fail(ErrorCode::refused, "too many commands wait for this host", settings_.name);
  }
  struct Waiting {
    int* count;
    explicit Waiting(int* c) : count(c) { ++*count; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { --*count; }
  };
  const Waiting counted(&waiting_);
  const auto guard = co_await mutex_.lock();
  co_return co_await run_locked(std::move(command));
}

}  // namespace hitless::host
