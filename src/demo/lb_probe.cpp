#include "demo/lb_probe.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.hpp"
#include "runtime/child.hpp"

namespace hitless::demo {

namespace {

constexpr std::size_t kMaxReplyBytes = 1u << 20;

}  // namespace

std::string ask_lb(const std::string& admin_socket, const std::string& command) {
  const std::string line = command + "\n";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (admin_socket.size() >= sizeof address.sun_path) return {};
  admin_socket.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return {};
  std::string reply;
  char chunk[4096];
  while (reply.size() < kMaxReplyBytes) {
    const ssize_t n = ::recv(fd.get(), chunk, sizeof chunk, 0);
    if (n <= 0) break;
    reply.append(chunk, static_cast<std::size_t>(n));
  }
  return reply;
}

std::size_t servers_passing(const std::string& admin_socket, const std::string& backend) {
  std::size_t passing = 0;
  // 4: servers only.
  for (const std::string& line :
       split(ask_lb(admin_socket, "show stat " + backend + " 4 -1"), '\n')) {
    const bool up = line.find(",UP,") != std::string::npos;
    if (up && line.find(",L7OK,") != std::string::npos) ++passing;
  }
  return passing;
}

}  // namespace hitless::demo
