#include "demo/ports.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <random>

#include "runtime/child.hpp"

namespace hitless::demo {

namespace {

constexpr int kLowest = 10'240;
constexpr int kHighest = 32'000;
constexpr int kMaxTries = 2'000;

int end_of_ours() {
  int first = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first;
  return first > kLowest + 1000 ? std::min(first - 1, kHighest) : kHighest;
}

// A socket that holds the port, or none.
Fd hold(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd.get() < 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return fd;
}

}  // namespace

Result<std::vector<std::uint16_t>> free_ports(std::size_t count) {
  std::random_device seed;
  std::uniform_int_distribution<int> any(kLowest, end_of_ours());
  std::vector<std::uint16_t> ports;
  std::vector<Fd> held;  // until all are found, so that none is found twice
  for (int tries = 0; ports.size() < count; ++tries) {
    if (tries >= kMaxTries) return fail(ErrorCode::unavailable, "no free ports on 127.0.0.1");
    const auto port = static_cast<std::uint16_t>(any(seed));
    Fd fd = hold(port);
    if (fd.get() < 0) continue;
    held.push_back(std::move(fd));
    ports.push_back(port);
  }
  return ports;
}

}  // namespace hitless::demo
