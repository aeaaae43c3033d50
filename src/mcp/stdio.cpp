#include "mcp/stdio.hpp"

#include <poll.h>
#include <unistd.h>

#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>

#include "runtime/readable.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;
namespace asio = boost::asio;

constexpr std::size_t kReadBytes = 64u << 10;

struct Pipe {
  Server* server = nullptr;
  int out_fd = -1;
  StdioStop* stop = nullptr;
  Session session;
  bool closed = false;
  std::map<int, std::shared_ptr<Signal>> gone;  // of each message under way
  int next = 0;
  Signal one_less;
};

// Blocking: a client that does not read has stopped the conversation itself.
void write_line(Pipe* pipe, const json::object& message) {
  const std::string line = json::serialize(message) + "\n";
  std::size_t at = 0;
  while (at < line.size() && !pipe->closed) {
    const ssize_t n = ::write(pipe->out_fd, line.data() + at, line.size() - at);
    if (n > 0) at += static_cast<std::size_t>(n);
    if (n < 0 && errno == EAGAIN) {
      pollfd ready{pipe->out_fd, POLLOUT, 0};
      (void)::poll(&ready, 1, 1'000);
    } else if (n < 0 && errno != EINTR) {
      pipe->closed = true;
    }
  }
}

Task<void> answer(std::shared_ptr<Pipe> pipe, std::string line, int number,
                  std::shared_ptr<Signal> gone) {
  Reply reply;
  try {
    reply = co_await pipe->server->handle(
        std::move(line), std::nullopt, &pipe->session,
        [pipe](json::object message) { write_line(pipe.get(), message); }, std::move(gone));
  } catch (const boost::system::system_error&) {
    // Cancelled.
  }
  if (!reply.body.empty()) write_line(pipe.get(), reply.body);
  pipe->gone.erase(number);
  pipe->one_less.notify();
}

Task<void> take_lines(std::shared_ptr<Pipe> pipe, std::string* text) {
  std::size_t at = 0;
  for (std::size_t end = text->find('\n', at); end != std::string::npos;
       end = text->find('\n', at)) {
    std::string line = text->substr(at, end - at);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    while (pipe->gone.size() >= kMaxRunning && !pipe->stop->asked())
      (void)co_await pipe->one_less.wait_for(1'000);
    if (pipe->stop->asked()) break;
    const int number = pipe->next++;
    auto gone = std::make_shared<Signal>();
    pipe->gone[number] = gone;
    co_await detach(answer(pipe, std::move(line), number, gone));
  }
  text->erase(0, at);
}

// One read; false at the end. A file is always readable, and the reactor does not take it.
Task<bool> read_some(asio::posix::stream_descriptor* in, int fd, std::string* text) {
  if (in != nullptr) {
    const auto code = co_await wait_readable(in);
    if (code == asio::error::operation_aborted) co_return false;
  } else {
    co_await sleep_for(0);  // others get their turn
  }
  std::string more(kReadBytes, '\0');
  const ssize_t n = ::read(fd, more.data(), more.size());
  if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) co_return false;
  if (n > 0) text->append(more, 0, static_cast<std::size_t>(n));
  co_return true;
}

}  // namespace

Task<void> serve_stdio(Server* server, int in_fd, int out_fd, StdioStop* stop) {
  auto pipe = std::make_shared<Pipe>();
  pipe->server = server;
  pipe->out_fd = out_fd;
  pipe->stop = stop;
  asio::posix::stream_descriptor in(co_await asio::this_coro::executor);
  boost::system::error_code code;
  const int own_fd = ::dup(in_fd);
  in.assign(own_fd, code);
  if (code && own_fd >= 0) ::close(own_fd);
  asio::posix::stream_descriptor* waitable = code ? nullptr : &in;
  // Closing in_fd would not do: what is waited on, and read, is a descriptor of our own.
  stop->on_stop([&in] {
    boost::system::error_code ignored;
    in.cancel(ignored);
  });
  const int from_fd = waitable != nullptr ? own_fd : in_fd;
  std::string text;
  while (!pipe->closed && !stop->asked() && co_await read_some(waitable, from_fd, &text)) {
    co_await take_lines(pipe, &text);
    if (text.size() <= kMaxMessageBytes) continue;
    write_line(pipe.get(), error_message({kInvalidRequest, "the message is over 1 MiB"}));
    break;  // where the next message begins cannot be known
  }
  stop->on_stop({});
  // Short answers still go out; what needs hosts is given up.
  for (int i = 0; i < 20 && !pipe->gone.empty(); ++i) (void)co_await pipe->one_less.wait_for(100);
  for (const auto& [number, gone] : pipe->gone) gone->notify();
  for (int i = 0; i < 50 && !pipe->gone.empty(); ++i) (void)co_await pipe->one_less.wait_for(100);
}

}  // namespace hitless::mcp
