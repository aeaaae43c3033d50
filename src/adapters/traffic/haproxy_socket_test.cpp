// A socket that answers with what no HAProxy would: all of it is unknown, in bounded time and
// memory.
#include "adapters/traffic/haproxy_socket.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"

namespace hitless::traffic {
namespace {

// Accepts on a UNIX socket and writes `reply` (again and again when `endless`), then closes or
// hangs.
class FakeSocket {
 public:
  struct Behaviour {
    std::string reply;
    bool endless = false, hang = false;
  };
  explicit FakeSocket(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 16) != 0) {
      throw std::runtime_error("fake socket");
    }
    thread_ = std::thread([this] { run(); });
  }
  ~FakeSocket() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  FakeSocket(const FakeSocket&) = delete;
  FakeSocket& operator=(const FakeSocket&) = delete;
  [[nodiscard]] std::string path() const { return dir_.path() + "/fake.sock"; }

 private:
  void run() {
    std::vector<int> hanging;
    while (!stop_) {
      pollfd wait{listener_, POLLIN, 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      char request[4096];
      (void)!::read(fd, request, sizeof request);
      do {
        if (::send(fd, behaviour_.reply.data(), behaviour_.reply.size(), MSG_NOSIGNAL) <= 0) break;
      } while (behaviour_.endless && !stop_);
      if (behaviour_.hang) {
        hanging.push_back(fd);
      } else {
        ::close(fd);
      }
    }
    for (const int fd : hanging) ::close(fd);
  }

  TempDir dir_;
  Behaviour behaviour_;
  int listener_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

Result<std::string> ask(const std::string& path, ExchangeLimits limits = {}) {
  SocketAddress address;
  address.path = path;
  return await<Result<std::string>>([&] { return exchange(address, {"show info"}, limits); });
}

TEST(HaproxySocket, CapsTheReply) {
  FakeSocket fake({.reply = std::string(65536, 'x'), .endless = true});
  ExchangeLimits limits;
  limits.max_reply_bytes = 1u << 20;
  limits.deadline_ms = 20'000;
  const auto reply = ask(fake.path(), limits);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::failed) << describe(reply.error());
}

TEST(HaproxySocket, GivesUpAtTheDeadline) {
  FakeSocket fake({.reply = "Name: HAProxy\n", .hang = true});
  ExchangeLimits limits;
  limits.deadline_ms = 50;
  const auto reply = ask(fake.path(), limits);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::timed_out);
  EXPECT_EQ(reply.error().where, fake.path());
}

TEST(HaproxySocket, SaysWhatIsWrongWithAMissingOne) {
  const auto reply = ask("/tmp/hitless-no-such.sock");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
  EXPECT_NE(reply.error().help.find("stats socket"), std::string::npos);
}

TEST(HaproxySocket, SendsNoSecondCommand) {
  SocketAddress address;
  address.path = "/tmp/hitless-no-such.sock";
  for (const char* evil : {"show info;shutdown", "show info\nquit", ""}) {
    const auto reply = await<Result<std::string>>([&] { return exchange(address, {evil}, {}); });
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::internal) << "it must not even connect";
  }
}

TEST(HaproxySocket, GarbageIsUnknownForEveryTarget) {
  const std::string cut_table =
      "Pid: 7\n\n# pxname,svname,status,scur,qcur,check_status,\nbe,s1,UP,0";
  for (const std::string& garbage : {std::string("\x1b[2J\xff\xfe garbage\n\n\n\n"), std::string(),
                                     cut_table, std::string("Unknown command\n\n")}) {
    FakeSocket fake({.reply = garbage});
    HaproxyPool pool;
    pool.backend = "be";
    pool.nodes.push_back({"lb-1", "unix:" + fake.path(), "", {}, {}});
    pool.servers = {{core::InstanceId{"web@a"}, "s1"}, {core::InstanceId{"web@b"}, "s2"}};
    auto driver = make_haproxy(pool);
    const auto reports = await<std::vector<core::TargetReport>>([&] { return driver->read(); });
    ASSERT_EQ(reports.size(), 2u);
    for (const auto& report : reports) {
      EXPECT_EQ(report.admin, core::AdminState::unknown);
      EXPECT_FALSE(report.in_flight);
      EXPECT_FALSE(report.note.empty());
      EXPECT_EQ(report.note.find('\x1b'), std::string::npos);
    }
    EXPECT_FALSE(await<Status>([&] { return driver->drain(core::InstanceId{"web@a"}); }));
  }
}

// HAProxy up to 2.4; a later one always has one process.
TEST(HaproxySocket, SeveralProcessesBehindOneSocketAreRefused) {
  FakeSocket fake({.reply = "Pid: 7\nNbproc: 4\nProcess_num: 1\n\n# x\n\n1\n# be_id\n\n"});
  HaproxyPool pool;
  pool.backend = "be";
  pool.nodes.push_back({"lb-1", "unix:" + fake.path(), "", {}, {}});
  pool.servers = {{core::InstanceId{"web@a"}, "s1"}};
  auto driver = make_haproxy(pool);
  const auto reports = await<std::vector<core::TargetReport>>([&] { return driver->read(); });
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].admin, core::AdminState::unknown);
  EXPECT_NE(reports[0].note.find("4 processes (nbproc)"), std::string::npos) << reports[0].note;
  const auto can =
      await<Result<ports::TrafficCapabilities>>([&] { return driver->capabilities(); });
  ASSERT_FALSE(can);
  EXPECT_EQ(can.error().code, ErrorCode::refused);
  EXPECT_FALSE(await<Status>([&] { return driver->drain(core::InstanceId{"web@a"}); }));
}

}  // namespace
}  // namespace hitless::traffic
