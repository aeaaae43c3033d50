#include "cli/control.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

#include "base/names.hpp"
#include "base/text.hpp"
#include "core/names.hpp"
#include "runtime/child.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

namespace asio = boost::asio;
using Unix = asio::local::stream_protocol;

constexpr auto kAwaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxLineBytes = 512;
constexpr DurationMs kRequestDeadlineMs = 2'000;
constexpr int kClientTimeoutS = 5;

// The state folder's own path may be longer than a socket address; through /proc it is short.
struct Place {
  Fd folder;
  std::string address;  // /proc/self/fd/N/R-7f3a.sock
  std::string name;
};

Result<Place> place_of(const std::string& state_dir, const std::string& rollout, bool make) {
  if (auto ok = check_identifier(rollout); !ok) return tl::unexpected(ok.error());
  const std::string folder = state_dir + "/control";
  if (make) {
    if (auto ok = make_private_dir(folder); !ok) return tl::unexpected(ok.error());
  }
  Place place;
  place.folder.reset(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (place.folder.get() < 0)
    return tl::unexpected(storage_error("cannot be opened", folder, errno));
  place.name = rollout + ".sock";
  place.address = "/proc/self/fd/" + std::to_string(place.folder.get()) + "/" + place.name;
  return place;
}

std::optional<core::OperatorWish> wish_of(std::string_view word) {
  for (const core::OperatorWish wish :
       {core::OperatorWish::stop, core::OperatorWish::abort, core::OperatorWish::pause,
        core::OperatorWish::resume, core::OperatorWish::force_drain}) {
    if (core::to_string(wish) == word) return wish;
  }
  return std::nullopt;
}

Result<Fd> connect_to(const Place& place) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, place.address.c_str(),
              std::min(place.address.size(), sizeof address.sun_path - 1));
  const timeval limit{kClientTimeoutS, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (fd.get() < 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(ErrorCode::not_found, "it does not run here now");
  }
  return fd;
}

Result<std::string> ask(const std::string& state_dir, const std::string& rollout,
                        const std::string& line) {
  auto place = place_of(state_dir, rollout, false);
  if (!place) return fail(ErrorCode::not_found, "it does not run here now");
  auto fd = connect_to(*place);
  if (!fd) return tl::unexpected<Error>(fd.error());
  const std::string request = line + "\n";
  char reply[kMaxLineBytes];
  if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return fail(ErrorCode::transport_lost, "the running rollout does not listen");
  const ssize_t n = ::recv(fd->get(), reply, sizeof reply, 0);
  if (n <= 0) return fail(ErrorCode::timed_out, "the running rollout does not answer");
  return std::string(trim(std::string_view(reply, static_cast<std::size_t>(n))));
}

}  // namespace

struct ControlServer::Impl {
  Impl(asio::any_io_executor executor, Place at, OnWish f)
      : place(std::move(at)), acceptor(executor), on_wish(std::move(f)) {}
  Place place;
  Unix::acceptor acceptor;
  OnWish on_wish;

  static Task<void> answer(std::shared_ptr<Impl> self, std::shared_ptr<Unix::socket> client) {
    std::string text;
    const auto [code, n] = co_await asio::async_read_until(
        *client, asio::dynamic_buffer(text, kMaxLineBytes), '\n', kAwaitable);
    if (code || !self->acceptor.is_open()) co_return;
    const std::string line(trim(std::string_view(text).substr(0, n)));
    const std::size_t space = line.find(' ');
    std::string reply = "what?\n";
    if (const auto wish = wish_of(std::string_view(line).substr(0, space)); wish) {
      self->on_wish(*wish, space == std::string::npos ? "" : line.substr(space + 1));
      reply = "ok\n";
    }
    co_await asio::async_write(*client, asio::buffer(reply), kAwaitable);
  }

  static Task<void> accept_all(std::shared_ptr<Impl> self) {
    while (self->acceptor.is_open()) {
      auto client = std::make_shared<Unix::socket>(self->acceptor.get_executor());
      const auto [code] = co_await self->acceptor.async_accept(*client, kAwaitable);
      if (code) break;
      // One at a time: a client that says nothing holds up the next for two seconds at most.
      (void)co_await finish_within(answer(self, client), kRequestDeadlineMs);
    }
  }
};

Task<Result<std::unique_ptr<ControlServer>>> ControlServer::start(std::string state_dir,
                                                                  std::string rollout,
                                                                  OnWish on_wish) {
  auto place = place_of(state_dir, rollout, true);
  if (!place) co_return tl::unexpected<Error>(place.error());
  ::unlinkat(place->folder.get(), place->name.c_str(), 0);  // of one that is dead: we hold its lock
  const std::string address = place->address;
  auto impl = std::make_shared<Impl>(co_await asio::this_coro::executor, std::move(*place),
                                     std::move(on_wish));
  boost::system::error_code code;
  impl->acceptor.open(Unix(), code);
  if (!code) impl->acceptor.bind(Unix::endpoint(address), code);
  if (!code) impl->acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) co_return fail(ErrorCode::storage, "no control socket: " + code.message(), state_dir);
  co_await detach(Impl::accept_all(impl));
  auto server = std::unique_ptr<ControlServer>(new ControlServer);
  server->impl_ = std::move(impl);
  co_return server;
}

ControlServer::~ControlServer() {
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  ::unlinkat(impl_->place.folder.get(), impl_->place.name.c_str(), 0);
}

Status send_wish(const std::string& state_dir, const std::string& rollout, core::OperatorWish wish,
                 const std::string& actor) {
  const auto reply = ask(state_dir, rollout,
                         std::string(core::to_string(wish)) + " " + escape_for_terminal(actor));
  if (!reply) return tl::unexpected<Error>(reply.error());
  if (*reply != "ok") return fail(ErrorCode::failed, "the running rollout refused: " + *reply);
  return {};
}

}  // namespace hitless::cli
