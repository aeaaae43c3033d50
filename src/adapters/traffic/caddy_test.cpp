// Caddy's own ways, with the real Caddy.
#include "adapters/traffic/caddy.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>

#include <atomic>
#include <cstdio>

#include "adapters/host/host.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "base/text.hpp"
#include "daemon_child.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::InstanceId;
using testing::HasSubstr;

const InstanceId kA{"web@a"}, kB{"web@b"};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

std::string read_some(int fd) {
  char chunk[4096];
  const ssize_t n = ::read(fd, chunk, sizeof chunk);
  return n > 0 ? std::string(chunk, static_cast<std::size_t>(n)) : std::string();
}

void send_all(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// Hands each connection to `serve`, one after the other.
class Listener {
 public:
  explicit Listener(std::function<void(int fd)> serve) : serve_(std::move(serve)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_, raw, size) != 0 || ::listen(fd_, 16) != 0)
      throw std::runtime_error("cannot listen");
    ::getsockname(fd_, raw, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd))
        serve_(fd);
    });
  }
  ~Listener() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  std::function<void(int)> serve_;
  int fd_ = -1, port_ = 0;
  std::thread thread_;
};

int free_port() {
  return Listener([](int) {}).port();
}

class CaddyTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v caddy >/dev/null") != 0) GTEST_SKIP() << "caddy is not installed";
    constexpr int kTries = 3;  // somebody else may take the ports
    for (int i = 0; i < kTries && !up_; ++i) up_ = start();
    ASSERT_TRUE(up_);
  }
  bool start() {
    admin_ = free_port();
    front_ = free_port();
    std::ofstream(dir_.path() + "/caddy.json")
        << R"({"admin":{"listen":"127.0.0.1:)" << admin_
        << R"("},"apps":{"http":{"servers":{"s":{"automatic_https":{"disable":true},)"
        << R"("listen":["127.0.0.1:)" << front_
        << R"("],"routes":[{"handle":[{"@id":"web","handler":"reverse_proxy","upstreams":)"
        << list({"a", "b"}) << "}]}]}}}}}";
    caddy_.start(
        {"env", "HOME=" + dir_.path(), "XDG_CONFIG_HOME=" + dir_.path(),
         "XDG_DATA_HOME=" + dir_.path(), "caddy", "run", "--config", dir_.path() + "/caddy.json"},
        dir_.path() + "/log", SIGKILL);
    return eventually([&] {
      const int fd = connect_to(admin_);
      if (fd >= 0) ::close(fd);
      return fd >= 0;
    });
  }
  [[nodiscard]] std::string dial(const std::string& name) const {
    return "127.0.0.1:" + std::to_string(name == "a" ? upstream_.port() : 1);
  }
  [[nodiscard]] std::string list(const std::vector<std::string>& names) const {
    std::string all;
    for (const std::string& name : names)
      all += (all.empty() ? "" : ",") + ("{\"dial\":\"" + (name.size() > 1 ? name : dial(name))) +
             "\"}";
    return "[" + all + "]";
  }
  // A program of its own asks, as it is called on any thread.
  [[nodiscard]] std::string upstreams(const std::string& patch = "") const {
    std::string line = "curl -q -sS --noproxy '*' -m 10 ";
    if (!patch.empty())
      line += "-X PATCH -H Content-Type:application/json --data-binary '" + patch + "' ";
    line += "http://127.0.0.1:" + std::to_string(admin_) + "/id/web/upstreams";
    std::string answer;
    FILE* curl = ::popen(line.c_str(), "r");
    char chunk[4096];
    for (std::size_t n; (n = std::fread(chunk, 1, sizeof chunk, curl)) > 0;)
      answer.append(chunk, n);
    ::pclose(curl);
    return answer;
  }
  template <class T>
  T with(int admin_port, std::function<Task<T>(ports::Traffic*)> ask) const {
    return await<T>([&]() -> Task<T> {
      auto host = host::make_local_host("lb-1", "127.0.0.1");
      CaddyPool pool;
      pool.lb = "edge";
      pool.id = "web";
      pool.nodes = {{"lb-1", host.get(), "http://127.0.0.1:" + std::to_string(admin_port)}};
      pool.members = {{kA, dial("a")}, {kB, dial("b")}};
      auto driver = make_caddy(std::move(pool));
      T result = co_await ask(driver.get());
      driver.reset();
      host.reset();
      co_return result;
    });
  }

  // A program that takes each connection for a WebSocket's, and keeps it.
  Listener upstream_{[](int fd) {
    if (read_some(fd).empty()) return;
    send_all(fd,
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "\r\n");
    while (!read_some(fd).empty()) continue;
  }};
  TempDir dir_;
  DaemonChild caddy_;
  int admin_ = 0, front_ = 0;
  bool up_ = false;
};

// Between our look and our edit somebody else edits the same list: Caddy answers 412, and neither
// edit is lost.
TEST_F(CaddyTest, AnEditThatComesBetweenIsNotOverwritten) {
  int patches = 0, others = 1;
  std::string first_answer;
  std::atomic<int> between_port = 0;
  Listener between([&](int client) {
    const int caddy = connect_to(admin_);
    std::string asked = read_some(client);
    const bool patch = asked.starts_with("PATCH");
    if (patch && ++patches == 1 && others-- > 0) (void)upstreams(list({"a", "b", "127.0.0.1:9"}));
    // Caddy answers nobody who calls it by another name.
    const std::string ours = ":" + std::to_string(between_port.load());
    if (const auto at = asked.find("127.0.0.1" + ours); at != std::string::npos)
      asked.replace(at + 9, ours.size(), ":" + std::to_string(admin_));
    send_all(caddy, asked);
    for (pollfd both[2] = {{client, POLLIN, 0}, {caddy, POLLIN, 0}}; ::poll(both, 2, 10'000) > 0;) {
      const bool from_client = both[0].revents != 0;
      const std::string bytes = read_some(from_client ? client : caddy);
      if (bytes.empty()) break;
      if (patch && patches == 1 && !from_client) first_answer += bytes;
      send_all(from_client ? caddy : client, bytes);
    }
    ::close(caddy);
  });
  between_port = between.port();
  const Status drained = with<Status>(between.port(), [](auto* d) { return d->drain(kB); });
  ASSERT_TRUE(drained) << describe(drained.error());
  EXPECT_THAT(first_answer, HasSubstr(" 412 ")) << "there was a race";
  EXPECT_EQ(patches, 2);
  EXPECT_THAT(upstreams(), HasSubstr("127.0.0.1:9")) << "the other's edit stays";
  EXPECT_THAT(upstreams(), testing::Not(HasSubstr(dial("b") + "\"")));
}

TEST_F(CaddyTest, AWebSocketEndsWithEachChangeAndThePlanSaysSo) {
  const auto can =
      with<Result<ports::TrafficCapabilities>>(admin_, [](auto* d) { return d->capabilities(); });
  ASSERT_TRUE(can) << describe(can.error());
  EXPECT_THAT(join(can->remarks, "\n"), HasSubstr("WebSockets to any upstream are closed"));

  (void)upstreams(list({"a"}));  // it goes there, and the other one is changed
  int client = -1;
  ASSERT_TRUE(eventually([&] { return (client = connect_to(front_)) >= 0; }));
  send_all(client,
           "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  ASSERT_THAT(read_some(client), HasSubstr("101 Switching"));
  pollfd wait{client, POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 300), 0) << "it stays open";
  EXPECT_TRUE(with<Status>(admin_, [](auto* d) { return d->rejoin(kB); }));
  EXPECT_EQ(::poll(&wait, 1, 20'000), 1) << "this is the trap";
  EXPECT_EQ(read_some(client), "\x88\x02\x03\xe9") << "going away";
  ::close(client);
}

}  // namespace
}  // namespace hitless::traffic
