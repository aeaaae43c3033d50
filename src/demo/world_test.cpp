// The demo's world with real nginx and HAProxy, and that nothing of it is left afterwards.
#include "demo/world.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "demo/lb_probe.hpp"
#include "demo/ports.hpp"
#include "runtime/http.hpp"
#include "runtime/process.hpp"
#include "runtime/task.hpp"

namespace hitless::demo {
namespace {

namespace fs = std::filesystem;

// Processes that run inside the folder, whatever they are.
std::vector<std::string> processes_in(const std::string& dir) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const std::string cwd = fs::read_symlink(it->path() / "cwd", gone).string();
    if (!gone && cwd.rfind(dir, 0) == 0) found.push_back(it->path().filename().string());
  }
  return found;
}

HttpResponse get(const std::string& url) {
  HttpResponse answer;
  run_until_done([&]() -> Task<void> {
    HttpRequest request;
    request.url = url;
    auto result = co_await http_request(request);
    if (result) answer = *result;
  });
  return answer;
}

int run(std::vector<std::string> argv) {
  int exit_code = -1;
  run_until_done([&]() -> Task<void> {
    auto result = co_await run_process(argv, {}, 20'000);
    if (result) exit_code = result->exit_code;
  });
  return exit_code;
}

int service(const DemoWorld& world, const std::string& action, const std::string& name) {
  return run({"/bin/sh", world.layout().script(), action, name});
}

std::string header(const HttpResponse& answer, const std::string& name) {
  for (const auto& [key, value] : answer.headers)
    if (key == name) return value;
  return {};
}

TEST(DemoWorld, UpServesWithoutLossAndDownLeavesNothing) {
  auto made = DemoWorld::up();
  ASSERT_TRUE(made.has_value()) << describe(made.error());
  DemoWorld& world = **made;
  const std::string dir = world.dir();
  struct stat info{};
  ASSERT_EQ(::stat(dir.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_GE(processes_in(dir).size(), 10u);  // four nginx and an HAProxy, each with a worker

  ASSERT_EQ(::stat(world.fleet_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(get(world.url() + "/").status, 200);
  EXPECT_EQ(get(world.url() + "/healthz").body, "ok\n");
  EXPECT_EQ(header(get(world.url() + "/api/x"), "x-host").substr(0, 3), "web");

  witness::Prober clients(world.clients(100));
  witness::Prober downloads(world.slow_downloads(40));
  ASSERT_TRUE(clients.start().has_value());
  ASSERT_TRUE(downloads.start().has_value());
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_GE(downloads.snapshot().in_flight, 20);
  const auto s = clients.stop();
  const auto d = downloads.stop();
  EXPECT_GE(s.sent, 100);
  EXPECT_EQ(s.ok, s.sent) << (s.recent_losses.empty() ? "" : s.recent_losses[0].detail);
  EXPECT_EQ(d.ok, d.sent) << (d.recent_losses.empty() ? "" : d.recent_losses[0].detail);

  const auto down = world.down();
  EXPECT_TRUE(down.has_value()) << describe(down.error());
  EXPECT_FALSE(fs::exists(dir));
  EXPECT_TRUE(processes_in(dir).empty());
}

TEST(DemoWorld, ConfigsDoWhatTheySay) {
  auto made = DemoWorld::up();
  ASSERT_TRUE(made.has_value()) << describe(made.error());
  DemoWorld& world = **made;
  const std::string live = world.live_config("web01");
  const std::string url = fmt::format("http://127.0.0.1:{}", world.layout().host_ports[0]);
  const auto install = [&](ConfigSource which) {
    EXPECT_TRUE(world.offer(which).has_value());
    fs::copy_file(world.next_config("web01"), live, fs::copy_options::overwrite_existing);
    EXPECT_EQ(service(world, "test", "web01"), 0) << name_of(which);
  };
  const auto status_becomes = [&](const std::string& path, int status) {
    for (int i = 0; i < 200; ++i) {
      if (get(url + path).status == status) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    return false;
  };
  install(ConfigSource::sabotaged);
  EXPECT_EQ(service(world, "reload", "web01"), 0);
  EXPECT_TRUE(status_becomes("/healthz", 502));
  EXPECT_TRUE(status_becomes("/", 502));

  install(ConfigSource::good);
  const std::string pid_file = world.layout().home("web01") + "/nginx.pid";
  EXPECT_EQ(service(world, "restart", "web01"), 0);
  EXPECT_TRUE(status_becomes("/healthz", 200));
  EXPECT_EQ(service(world, "status", "web01"), 0);
  EXPECT_EQ(service(world, "stop", "web01"), 0);
  EXPECT_NE(service(world, "status", "web01"), 0);
  EXPECT_NE(service(world, "reload", "web01"), 0);
  EXPECT_EQ(service(world, "start", "web01"), 0);
  EXPECT_TRUE(status_becomes("/", 200));
  EXPECT_TRUE(fs::exists(pid_file));
}

// The demo is honest only if its counting client sees a careless restart.
TEST(DemoWorld, ARestartIsSeenWithoutADrainAndNotSeenWithOne) {
  auto made = DemoWorld::up();
  ASSERT_TRUE(made.has_value()) << describe(made.error());
  DemoWorld& world = **made;
  const std::string socket = world.layout().admin_socket();
  witness::Prober clients(world.clients(200));
  witness::Prober downloads(world.slow_downloads(40));
  ASSERT_TRUE(clients.start().has_value());
  ASSERT_TRUE(downloads.start().has_value());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));

  const auto in_flight = [&] {  // column scur
    return split(ask_lb(socket, "show stat be_web 4 -1"), '\n').at(1);
  };
  for (int i = 0; i < 600 && std::stoi(split(in_flight(), ',').at(4)) <= 5; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(ask_lb(socket, "set server be_web/web01 state drain"), "\n");
  std::vector<std::string> samples;
  for (int i = 0; i < 200; ++i) {
    samples.push_back(split(in_flight(), ',').at(4));
    if (samples.back() == "0") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(samples.back(), "0");
  EXPECT_GT(std::stoi(samples.front()), 0);
  EXPECT_EQ(service(world, "restart", "web01"), 0);
  for (int i = 0; i < 200 && in_flight().find(",L7OK,") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(ask_lb(socket, "set server be_web/web01 state ready"), "\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto careful = clients.snapshot();
  EXPECT_EQ(careful.lost, 0) << careful.recent_losses.front().detail;
  EXPECT_EQ(downloads.snapshot().lost, 0);

  EXPECT_EQ(service(world, "restart", "web02"), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto careless = clients.stop();
  EXPECT_GT(careless.lost, 0);
  EXPECT_EQ(careless.sent, careless.ok + careless.lost);
}

TEST(DemoWorld, Kill9OfItsOwnerLeavesNothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t owner = ::fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    auto made = DemoWorld::up();
    if (!made) ::_exit(1);
    // In mid-restart too: an instance that was started by somebody else's child.
    (void)service(**made, "restart", "web02");
    const std::string dir = (*made)->dir();
    (void)!::write(ends[1], dir.data(), dir.size());
    for (;;) ::pause();
  }
  ::close(ends[1]);
  char text[512] = {};
  const ssize_t n = ::read(ends[0], text, sizeof text - 1);
  ::close(ends[0]);
  const std::string dir(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  if (!dir.empty()) EXPECT_GE(processes_in(dir).size(), 10u);
  ::kill(owner, SIGKILL);
  int status = 0;
  ::waitpid(owner, &status, 0);
  ASSERT_FALSE(dir.empty()) << "the world did not come up";
  for (int i = 0; i < 300 && (fs::exists(dir) || !processes_in(dir).empty()); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(fs::exists(dir));
  EXPECT_TRUE(processes_in(dir).empty());
}

// A rollout of the demo, left alone by a kill -9 of the demo, would make the folder again.
TEST(DemoWorld, AHitlessThatWorksInTheFolderGoesToo) {
  auto made = DemoWorld::up();
  ASSERT_TRUE(made.has_value()) << describe(made.error());
  const std::string dir = (*made)->dir();
  const std::string program = fs::temp_directory_path() / ("hitless-sleeper-" + random_hex(6));
  fs::copy_file("/bin/sleep", program);
  const auto start = [&](const std::string& state) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("HITLESS_STATE_DIR", state.c_str(), 1);
      ::execl(program.c_str(), program.c_str(), "60", nullptr);
      ::_exit(1);
    }
    return child;
  };
  const pid_t ours = start(dir + "/state"), other = start(dir + "/state-of-someone-else");
  for (const pid_t child : {ours, other}) {
    std::error_code gone;
    const fs::path link = fmt::format("/proc/{}/exe", child);
    for (int i = 0; i < 200 && fs::read_symlink(link, gone) != program; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE((*made)->down().has_value());
  int status = 0;
  EXPECT_EQ(::waitpid(ours, &status, WNOHANG), ours);
  EXPECT_EQ(::waitpid(other, &status, WNOHANG), 0);
  for (const pid_t child : {ours, other}) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
  }
  fs::remove(program);
}

TEST(DemoWorld, AShellThatLooksIntoTheFolderLives) {
  auto made = DemoWorld::up();
  ASSERT_TRUE(made.has_value()) << describe(made.error());
  const std::string dir = (*made)->dir();
  int ends[2];  // the visitor waits for our end, so it does not outlive this test
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t visitor = ::fork();
  ASSERT_GE(visitor, 0);
  if (visitor == 0) {
    ::dup2(ends[0], 0);
    if (::chdir((dir + "/web01").c_str()) != 0) ::_exit(1);
    ::execlp("sh", "sh", "-c", "read line", nullptr);
    ::_exit(1);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE((*made)->down().has_value());
  int status = 0;
  EXPECT_EQ(::waitpid(visitor, &status, WNOHANG), 0);
  ::close(ends[1]);
  ::waitpid(visitor, &status, 0);
  ::close(ends[0]);
  EXPECT_FALSE(fs::exists(dir));
}

TEST(FreePorts, AreDifferentAndNotForOutgoingConnections) {
  const auto ports = free_ports(50);
  ASSERT_TRUE(ports.has_value());
  EXPECT_EQ(std::set<std::uint16_t>(ports->begin(), ports->end()).size(), 50u);
  for (const std::uint16_t port : *ports) EXPECT_LT(port, 32'768);
}

TEST(PlainPath, RefusesWhatWouldNeedQuoting) {
  EXPECT_TRUE(plain_path("/tmp/a-b_c.D+1=@x"));
  for (const char* bad :
       {"", "tmp", "/a b", "/a'b", "/a*", "/a[b]", "/a;b", "/a\nb", "/a$b", "/\xc3\xa4"})
    EXPECT_FALSE(plain_path(bad)) << bad;
}

class Receiver : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(receiver.start().has_value()); }

  int post(const std::string& key, TimeMs at_ms, const std::string& body,
           const std::string& sent_body) {
    int status = 0;
    run_until_done([&]() -> Task<void> {
      const std::string timestamp = std::to_string(at_ms / 1000);
      HttpRequest request;
      request.method = "POST";
      request.url = receiver.url();
      request.body = sent_body;
      request.headers = {"Content-Type: application/json", "webhook-id: R-1/failed",
                         "webhook-timestamp: " + timestamp,
                         "webhook-signature: v1,AAAA v1," +
                             hmac_sha256_base64(key, "R-1/failed." + timestamp + "." + body)};
      auto result = co_await http_request(request);
      if (result) status = result->status;
    });
    return status;
  }
  WebhookReceiver receiver{"geheim"};
};

TEST_F(Receiver, KeepsWhatIsSignedWell) {
  const std::string big(300'000, 'a');
  EXPECT_EQ(post("geheim", wall_now_ms(), big, big), 200);
  ASSERT_EQ(receiver.deliveries().size(), 1u);
  EXPECT_EQ(receiver.deliveries()[0].id, "R-1/failed");
  EXPECT_EQ(receiver.deliveries()[0].body, big);
}

TEST_F(Receiver, RefusesForgedAlteredAndOld) {
  EXPECT_EQ(post("other", wall_now_ms(), "{}", "{}"), 401);
  EXPECT_EQ(post("geheim", wall_now_ms(), "{}", "{ }"), 401);
  EXPECT_EQ(post("geheim", wall_now_ms() - 600'000, "{}", "{}"), 401);
  EXPECT_EQ(get(receiver.url()).status, 405);
  EXPECT_TRUE(receiver.deliveries().empty());
  EXPECT_EQ(receiver.refused(), 4);
}

}  // namespace
}  // namespace hitless::demo
