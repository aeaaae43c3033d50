// nginx as a load balancer, with the real nginx: the traps that its reloads and its files hold.
#include "adapters/traffic/nginx_lb.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapters/host/host.hpp"
#include "adapters/traffic/nginx_for_tests.hpp"
#include "base/text.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::InstanceId;
using testing::HasSubstr;

// Nobody listens at the servers' ports: what is tried here needs no answers.
const std::string kUpstreams =
    "upstream web {\n  server 127.0.0.1:1;\n  server 127.0.0.1:2;\n  server 127.0.0.1:3 down;\n}\n";

class NginxLb : public testing::Test {
 protected:
  template <class T>
  T with(std::function<Task<T>(ports::Traffic*)> ask) {
    return await<T>([&]() -> Task<T> {
      auto host = host::make_local_host("lb-1", "127.0.0.1");
      NginxLbPool pool;
      pool.lb = "edge";
      pool.upstream = "web";
      pool.files = nginx_.files();
      pool.nodes = {{"lb-1", host.get()}};
      pool.sockets_suffice = sockets_suffice_;
      for (const char* port : {"1", "2", "3"})
        pool.members.push_back(
            {InstanceId{std::string("web@") + port}, std::string("127.0.0.1:") + port});
      auto driver = make_nginx_lb(std::move(pool));
      T result = co_await ask(driver.get());
      driver.reset();
      host.reset();
      co_return result;
    });
  }
  core::TargetReport read(const std::string& port = "1") {
    for (auto& report : with<std::vector<core::TargetReport>>([](auto* d) { return d->read(); }))
      if (report.instance.value == "web@" + port) return report;
    return {};
  }
  Status drain(const std::string& port = "1") {
    return with<Status>([&](auto* d) { return d->drain(InstanceId{"web@" + port}); });
  }
  Status rejoin(const std::string& port = "1") {
    return with<Status>([&](auto* d) { return d->rejoin(InstanceId{"web@" + port}); });
  }

  NginxProcess nginx_{kUpstreams};
  bool sockets_suffice_ = false;
};

TEST_F(NginxLb, TheFileIsAsItWasAfterARejoin) {
  ::chmod(nginx_.path("upstreams.conf").c_str(), 0640);
  const Status drained = drain();
  ASSERT_TRUE(drained) << describe(drained.error());
  EXPECT_THAT(nginx_.read("upstreams.conf"),
              HasSubstr("server 127.0.0.1:1 down; # drained by hitless\n"));
  EXPECT_EQ(read().admin, AdminState::drain);
  EXPECT_EQ(read("3").admin, AdminState::maint);
  ASSERT_TRUE(rejoin());
  EXPECT_EQ(nginx_.read("upstreams.conf"), kUpstreams);
  struct stat info{};
  ASSERT_EQ(::stat(nginx_.path("upstreams.conf").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_EQ(nginx_.reloads(), 2);
  for (const auto& entry : std::filesystem::directory_iterator(nginx_.path("")))
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr(".hitless-")));
}

// Configuration management keeps old times (rsync -t): it does not look pending, nginx -t is fine,
// the reload exits 0, and nginx says [emerg] and goes on as it was.
TEST_F(NginxLb, AReloadThatNginxDoesNotCarryOutIsUndone) {
  nginx_.write("nginx.conf",
               nginx_.config("  limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;\n"));
  nginx_.reload();
  nginx_.write("nginx.conf", nginx_.config("  limit_req_zone $server_name zone=z:1m rate=1r/s;\n"));
  const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ::utimensat(AT_FDCWD, nginx_.path("nginx.conf").c_str(), old, 0);
  const Status told = drain();
  ASSERT_FALSE(told);
  EXPECT_THAT(describe(told.error()), HasSubstr("did not"));
  EXPECT_THAT(describe(told.error()), HasSubstr("[emerg]"));
  EXPECT_EQ(nginx_.read("upstreams.conf"), kUpstreams) << "put back";
  EXPECT_EQ(read().admin, AdminState::ready)
      << "and with its old time, so that it is no pending edit";
}

TEST_F(NginxLb, ASyntaxErrorOfSomebodyElseStopsItBeforeAnythingIsTouched) {
  nginx_.write("nginx.conf", nginx_.config("  nonsense on;\n"));
  const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ::utimensat(AT_FDCWD, nginx_.path("nginx.conf").c_str(), old, 0);
  const Status told = drain();
  ASSERT_FALSE(told);
  EXPECT_THAT(describe(told.error()), HasSubstr("nonsense"));
  EXPECT_EQ(nginx_.read("upstreams.conf"), kUpstreams);
  EXPECT_EQ(nginx_.reloads(), 0);
  EXPECT_EQ(read().admin, AdminState::ready);
}

TEST_F(NginxLb, SomebodysPendingEditIsNeverActivated) {
  ::usleep(50'000);  // clearly younger than the workers
  nginx_.write("nginx.conf", nginx_.config("  # half done\n"));
  const Status other_file = drain();
  ASSERT_FALSE(other_file);
  EXPECT_THAT(describe(other_file.error()), HasSubstr("has not read " + nginx_.path("nginx.conf")));
  nginx_.reload();
  ASSERT_TRUE(drain()) << "they have loaded it";
  ASSERT_TRUE(rejoin());

  ::usleep(50'000);
  nginx_.edit("server 127.0.0.1:2;", "server 127.0.0.1:2 weight=9;");
  EXPECT_EQ(read().admin, AdminState::unknown) << "what nginx does is not what is written";
  const int before = nginx_.reloads();
  EXPECT_EQ(drain().error().code, ErrorCode::refused);
  EXPECT_EQ(nginx_.reloads(), before);
  EXPECT_THAT(nginx_.read("upstreams.conf"), HasSubstr("weight=9"));
}

TEST_F(NginxLb, DrainsThatWaitForOneAnotherShareAReload) {
  const Status both = with<Status>([](ports::Traffic* d) -> Task<Status> {
    Status first, second;
    const auto into = [](ports::Traffic* driver, const char* id, Status* out) -> Task<void> {
      *out = co_await driver->rejoin(InstanceId{id});
    };
    Status out = co_await d->drain(InstanceId{"web@1"});
    std::vector<Task<void>> tasks;
    tasks.push_back(into(d, "web@1", &first));
    tasks.push_back(into(d, "web@3", &second));  // not ours: refused, and only that one
    co_await join_all(std::move(tasks));
    if (!out) co_return out;
    if (!first) co_return first;
    EXPECT_EQ(second ? ErrorCode::internal : second.error().code, ErrorCode::refused);
    co_return out;
  });
  EXPECT_TRUE(both) << describe(both.error());
  EXPECT_EQ(nginx_.read("upstreams.conf"), kUpstreams);
  EXPECT_EQ(nginx_.reloads(), 2);
}

TEST_F(NginxLb, TheLastServerStays) {
  ASSERT_TRUE(drain("1"));
  const Status last = drain("2");
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, ErrorCode::refused);
  EXPECT_EQ(read("2").admin, AdminState::ready);
}

// A worker of before the reload is still reading a request: it may pick the drained server yet,
// though there is no socket to it now.
TEST_F(NginxLb, AnOldWorkerThatReadsARequestIsInFlight) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  nginx_.front().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
  ASSERT_GT(::send(fd, half.data(), half.size(), MSG_NOSIGNAL), 0);
  ::usleep(100'000);
  ASSERT_TRUE(drain());
  EXPECT_EQ(read().in_flight, 1);
  EXPECT_THAT(read().note, HasSubstr("workers of before the reload"));
  sockets_suffice_ = true;
  EXPECT_EQ(read().in_flight, 0) << "the user chose not to wait for them";
  sockets_suffice_ = false;
  ::close(fd);
  EXPECT_TRUE(eventually([&] { return read().in_flight == 0; }));
}

TEST_F(NginxLb, AStrangersPidFileIsNotSignalled) {
  nginx_.write("nginx.pid", std::to_string(::getpid()) + "\n");
  EXPECT_EQ(read().admin, AdminState::unknown);
  EXPECT_THAT(read().note, HasSubstr("is no nginx"));
  EXPECT_FALSE(drain());
  EXPECT_EQ(nginx_.reloads(), 0);
}

TEST_F(NginxLb, AServerThatIsNotThereIsAbsent) {
  EXPECT_EQ(read("1").admin, AdminState::ready);
  nginx_.edit("  server 127.0.0.1:1;\n", "");
  nginx_.reload();
  EXPECT_TRUE(eventually([&] { return read("1").admin == AdminState::absent; }));
  EXPECT_FALSE(with<Result<ports::TrafficCapabilities>>([](auto* d) { return d->capabilities(); }));
}

TEST_F(NginxLb, ThePlanIsToldWhatAReloadDoesToConnections) {
  const auto remarks = [&] {
    const auto can =
        with<Result<ports::TrafficCapabilities>>([](auto* d) { return d->capabilities(); });
    EXPECT_TRUE(can) << describe(can.error());
    std::string all;
    if (can) all = join(can->remarks, "\n");
    return all;
  };
  EXPECT_THAT(remarks(), HasSubstr("idle client connections are closed"));
  EXPECT_THAT(remarks(), testing::Not(HasSubstr("each reload cuts")));
  nginx_.write("nginx.conf", "worker_shutdown_timeout\t7s ;\n" + nginx_.config(""));
  nginx_.reload();
  EXPECT_THAT(remarks(), HasSubstr("lb-1: worker_shutdown_timeout 7s: each reload cuts"));
}

}  // namespace
}  // namespace hitless::traffic
