// A machine at the far end of the user's OpenSSH client. UNIX sockets there are reached through one
// more ssh for each, which lives as long as this object; its end of the socket is in a private
// folder.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <cstring>

#include "adapters/host/host.hpp"
#include "adapters/host/shell_host.hpp"
#include "adapters/host/ssh_command.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "runtime/child.hpp"

namespace hitless::host {
namespace asio = boost::asio;
namespace {

constexpr int max_forwards = 16;
constexpr DurationMs forward_poll_ms = 20;
constexpr DurationMs forward_margin_ms = 10'000;  // login, beyond the connect timeout
constexpr std::size_t max_words_bytes = 2048;

// What the forwarding ssh writes is read, or it would block one day; the last of it is kept.
struct Words {
  explicit Words(asio::posix::stream_descriptor d) : from(std::move(d)) {}
  asio::posix::stream_descriptor from;
  std::string text;
  bool ended = false;
};

Task<void> listen_to(std::shared_ptr<Words> words) {
  std::array<char, 1024> chunk;
  while (!words->ended) {
    const auto [code, n] = co_await words->from.async_read_some(
        asio::buffer(chunk), asio::as_tuple(asio::use_awaitable));
    words->text.append(chunk.data(), n);
    if (words->text.size() > max_words_bytes) {
      words->text.erase(0, words->text.size() - max_words_bytes);
    }
    if (code) words->ended = true;
  }
}

// Whether something listens there.
bool accepts(const std::string& path) {
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (fd.get() < 0 || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

struct Forward {
  explicit Forward(Child c) : child(std::move(c)) {}
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;
  ~Forward() {
    child.kill_group();
    ::unlink(socket.c_str());
    ::rmdir(folder.c_str());
  }
  Child child;
  std::string folder, socket;
  std::shared_ptr<Words> words;
};

Result<std::string> make_private_folder() {
  char path[] = "/tmp/hitless-fw-XXXXXX";  // short: a socket's path has 107 bytes at most
  if (::mkdtemp(path) == nullptr) {
    return fail(ErrorCode::unavailable, fmt::format("no folder in /tmp: {}", std::strerror(errno)));
  }
  return std::string(path);
}

class SshHost final : public ShellHost {
 public:
  SshHost(SshConfig config, SessionSettings settings, std::vector<std::string> plain_argv,
          std::string address)
      : ShellHost(std::move(settings), std::move(plain_argv), std::move(address), config.sudo),
        config_(std::move(config)) {}

  Task<Result<std::string>> forward_unix(std::string path) override {
    const auto checked = check_absolute_path(path);
    if (!checked) co_return tl::unexpected(checked.error());
    if (path.find_first_of(":\n\r \t\"'\\%$") != std::string::npos) {
      co_return refuse("ssh cannot forward a socket with such a path: " +
                       escape_for_terminal(path));
    }
    const auto guard = co_await forwarding_.lock();
    const auto known = forwards_.find(path);
    if (known != forwards_.end()) {
      if (!known->second->child.try_reap()) co_return known->second->socket;
      forwards_.erase(known);
    }
    if (forwards_.size() >= max_forwards) co_return refuse("too many forwarded sockets");
    auto made = co_await make_forward(path);
    if (!made) co_return tl::unexpected(made.error());
    const std::string socket = (*made)->socket;
    forwards_.emplace(path, std::move(*made));
    co_return socket;
  }

 private:
  Task<Result<std::unique_ptr<Forward>>> make_forward(std::string path) {
    const auto folder = make_private_folder();
    if (!folder) co_return tl::unexpected(folder.error());
    const std::string socket = *folder + "/s";
    auto child = Child::start(ssh_forward_argv(config_, socket, path));
    if (!child) {
      ::rmdir(folder->c_str());
      co_return tl::unexpected(child.error());
    }
    auto forward = std::make_unique<Forward>(std::move(*child));
    forward->folder = *folder;
    forward->socket = socket;
    forward->words = std::make_shared<Words>(asio::posix::stream_descriptor(
        co_await asio::this_coro::executor, forward->child.err.release()));
    co_await detach(listen_to(forward->words));
    const DurationMs limit_ms = config_.connect_timeout_s * 1000 + forward_margin_ms;
    for (DurationMs waited_ms = 0; waited_ms < limit_ms; waited_ms += forward_poll_ms) {
      if (accepts(socket)) co_return std::move(forward);
      if (forward->words->ended) {
        co_return tl::unexpected(explain_ssh_failure(name(), forward->words->text));
      }
      co_await sleep_for(forward_poll_ms);
    }
    co_return fail(ErrorCode::unavailable,
                   fmt::format("no forwarding of {} within {}", escape_for_terminal(path),
                               format_duration(limit_ms)),
                   name());
  }

  SshConfig config_;
  AsyncMutex forwarding_;
  std::map<std::string, std::unique_ptr<Forward>> forwards_;
};

}  // namespace

Result<std::unique_ptr<ports::Host>> make_ssh_host(SshConfig config) {
  const auto checked = check_ssh_config(config);
  if (!checked) return tl::unexpected(checked.error());
  SessionSettings settings;
  settings.name = config.name;
  settings.argv = ssh_shell_argv(config, config.sudo);
  if (const auto folder = config.keep_s > 0 ? kept_connections_folder(config) : std::nullopt)
    settings.kept_argv = ssh_kept_shell_argv(config, config.sudo, *folder);
  std::vector<std::string> plain_argv = ssh_shell_argv(config, false);
  settings.remote = true;
  settings.connect_deadline_ms = config.connect_timeout_s * 1000 + 10'000;
  settings.kept_deadline_ms = config.connect_timeout_s * 1000 + 2'000;
  std::string address = config.address;
  if (address.empty()) address = config.ssh_name.empty() ? config.name : config.ssh_name;
  return std::make_unique<SshHost>(std::move(config), std::move(settings), std::move(plain_argv),
                                   std::move(address));
}

}  // namespace hitless::host
