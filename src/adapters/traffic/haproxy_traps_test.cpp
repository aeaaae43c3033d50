// What HAProxy does beside its servers' drains, with a real one: agent checks, health checks that
// are slow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "base/text.hpp"
#include "tiny_server.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::LbCheck;
using testing::Contains;
using testing::HasSubstr;
using tests::TinyServer;

const core::InstanceId web_a{"web@a"};

// HAProxy's agent protocol: whoever connects gets a line, and that is all.
class Agent {
 public:
  explicit Agent(std::string word) : word_(std::move(word)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, raw, size) != 0 || ::listen(listener_, 16) != 0)
      throw std::runtime_error("agent: cannot listen");
    ::getsockname(listener_, raw, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Agent() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  [[nodiscard]] int port() const { return port_; }
  // Returns when it was said twice: HAProxy has taken the first then.
  void say(const std::string& word) {
    {
      const std::lock_guard lock(mutex_);
      word_ = word;
      said_ = 0;
    }
    EXPECT_TRUE(eventually([&] { return said_ >= 2; }));
  }

 private:
  void serve() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd)) {
      const std::lock_guard lock(mutex_);
      const std::string line = word_ + "\n";
      if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) > 0) ++said_;
    }
  }

  int listener_ = -1, port_ = 0;
  std::mutex mutex_;
  std::string word_;
  std::atomic<int> said_ = 0;
  std::thread thread_;
};

class HaproxyTraps : public testing::Test {
 protected:
  void start(const std::string& server_words) {
    lb_ = std::make_unique<HaproxyProcess>(
        "  timeout check 30s\nfrontend f\n  bind unix@{dir}/front.sock\n  default_backend be\n"
        "backend be\n  option httpchk GET /healthz\n  server s1 127.0.0.1:" +
        std::to_string(server_.port()) + " check inter 100ms fall 2 rise 2 " + server_words + "\n");
    connect_driver();
    ASSERT_TRUE(eventually([&] { return read().check == LbCheck::pass; }));
  }
  void connect_driver() {
    HaproxyPool pool;
    pool.lb = "lb";
    pool.nodes.push_back({"lb-1", lb_->admin(), lb_->master(), {}, {}});
    pool.backend = "be";
    pool.servers = {{web_a, "s1"}};
    driver_ = make_haproxy(std::move(pool));
  }
  void TearDown() override {
    server_.release();
    lb_.reset();
  }
  core::TargetReport read() {
    auto all = await<std::vector<core::TargetReport>>([&] { return driver_->read(); });
    return all.empty() ? core::TargetReport{} : all.front();
  }
  bool comes_to(AdminState state) {
    return eventually([&] { return read().admin == state; });
  }
  std::vector<int> check_ports() {
    return await<std::vector<int>>([&] { return driver_->check_ports(web_a); });
  }
  // The ports from which connections come to the server, as its own host sees them.
  [[nodiscard]] std::vector<int> peers() const {
    const std::string command =
        "ss -Htn state established '( sport = :" + std::to_string(server_.port()) + " )'";
    std::vector<int> ports;
    FILE* lines = ::popen(command.c_str(), "r");
    char line[256];
    while (lines != nullptr && std::fgets(line, sizeof line, lines) != nullptr) {
      const std::string text{trim(line)};
      ports.push_back(std::atoi(text.c_str() + text.rfind(':') + 1));
    }
    if (lines != nullptr) ::pclose(lines);
    return ports;
  }

  std::atomic<bool> slow_ = false;
  TinyServer server_{[this](const std::string& path, const std::string&) {
    TinyServer::Answer answer;
    answer.hold = path == "/slow" || (path == "/healthz" && slow_);
    return answer;
  }};
  std::unique_ptr<HaproxyProcess> lb_;
  std::unique_ptr<ports::Traffic> driver_;
};

TEST_F(HaproxyTraps, ABackupServerIsNotBlamedForGettingNoWork) {
  start("backup");
  EXPECT_EQ(read().admin, AdminState::ready);
  EXPECT_TRUE(read().standby) << "no floor counts it";
  EXPECT_FALSE(read().requests) << "none of them would be no sign";
  EXPECT_TRUE(read().errors);
  const auto can =
      await<Result<ports::TrafficCapabilities>>([&] { return driver_->capabilities(); });
  ASSERT_TRUE(can) << describe(can.error());
  EXPECT_THAT(can->remarks, Contains(HasSubstr("backup server")));
}

TEST_F(HaproxyTraps, AnAgentUndoesADrainAndThatIsSeen) {
  Agent agent("up");
  start("agent-check agent-addr 127.0.0.1 agent-inter 100ms agent-port " +
        std::to_string(agent.port()));
  const auto can =
      await<Result<ports::TrafficCapabilities>>([&] { return driver_->capabilities(); });
  ASSERT_TRUE(can) << describe(can.error());
  EXPECT_THAT(can->remarks, Contains(HasSubstr("agent-check")));

  const auto drain = [&] { return await<Status>([&] { return driver_->drain(web_a); }); };
  ASSERT_TRUE(drain());
  agent.say("up");
  EXPECT_EQ(read().admin, AdminState::drain) << "`up` is about health and leaves a drain alone";
  EXPECT_THAT(read().note, HasSubstr("agent"));
  agent.say("ready");
  EXPECT_TRUE(comes_to(AdminState::ready)) << "and `ready` does not: it must not read as out";
  agent.say("up");
  EXPECT_TRUE(drain()) << "it can be set again";
  EXPECT_EQ(read().admin, AdminState::drain);
}

TEST_F(HaproxyTraps, WhatAnAgentTookOutIsTheAgents) {
  Agent agent("up");
  start("agent-check agent-addr 127.0.0.1 agent-inter 100ms agent-port " +
        std::to_string(agent.port()));
  const auto rejoin = [&] { return await<Status>([&] { return driver_->rejoin(web_a); }); };
  agent.say("drain");
  EXPECT_TRUE(comes_to(AdminState::drain));
  EXPECT_THAT(read().note, HasSubstr("alone undoes its own"));
  (void)rejoin();
  agent.say("drain");
  EXPECT_TRUE(comes_to(AdminState::drain)) << "it is out again, and that is what is read";
  agent.say("maint");
  EXPECT_TRUE(comes_to(AdminState::maint));
  EXPECT_FALSE(rejoin()) << "somebody else's maint is not lifted";
  EXPECT_EQ(read().admin, AdminState::maint);
}

TEST_F(HaproxyTraps, ASlowCheckIsNamedByItsPortAndWorkIsNot) {
  start("");
  ASSERT_TRUE(await<Status>([&] { return driver_->drain(web_a); }));
  slow_ = true;
  ASSERT_TRUE(eventually([&] { return server_.held() == 1; }));
  ASSERT_EQ(peers().size(), 1U);
  EXPECT_EQ(check_ports(), peers()) << "the port that its host sees";
  EXPECT_EQ(read().in_flight, 0);
  const int check = check_ports().at(0);

  // A client around the load balancer.
  const int around = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
  ASSERT_EQ(::connect(around, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(eventually([&] { return peers().size() == 2; }));
  EXPECT_EQ(check_ports(), std::vector<int>{check});
  ::close(around);

  // And one through it.
  ASSERT_NE(lb_->ask("set server be/s1 state ready"), "no answer");
  const Client client(lb_->path("front.sock"), "/slow");
  ASSERT_TRUE(eventually([&] { return server_.held() == 2; }));
  EXPECT_EQ(peers().size(), 2U);
  EXPECT_EQ(check_ports(), std::vector<int>{check});
}

// A check of this kind looks like any other connection: that nothing else is there tells it.
TEST_F(HaproxyTraps, ACheckThatHaproxyDoesNotNameIsToldByItsCounts) {
  slow_ = true;
  lb_ = std::make_unique<HaproxyProcess>(
      "  mode tcp\n  timeout check 30s\nfrontend f\n  bind unix@{dir}/front.sock\n"
      "  default_backend be\nbackend be\n  option tcp-check\n"
      "  tcp-check send GET\\ /healthz\\ HTTP/1.0\\r\\n\\r\\n\n  tcp-check expect string 200\n"
      "  server s1 127.0.0.1:" +
      std::to_string(server_.port()) + " check inter 100ms\n");
  connect_driver();
  ASSERT_TRUE(eventually([&] { return server_.held() == 1; }));
  ASSERT_EQ(peers().size(), 1U);
  EXPECT_EQ(check_ports(), peers());
  const Client client(lb_->path("front.sock"), "/slow");
  ASSERT_TRUE(eventually([&] { return server_.held() == 2; }));
  EXPECT_EQ(read().in_flight, 1);
  EXPECT_EQ(check_ports(), std::vector<int>{}) << "which of the two it is cannot be told";
}

// That the drain survives is what it is for; that an edited port does not take effect is the trap.
// `check` names such a file (HL0407).
TEST_F(HaproxyTraps, AServerStateFileKeepsADrainAndAnOldPort) {
  lb_ = std::make_unique<HaproxyProcess>(
      "  load-server-state-from-file global\nbackend be\n  server s1 127.0.0.1:4001 weight 10\n"
      "global\n  server-state-file {dir}/state\n");
  connect_driver();
  ASSERT_TRUE(await<Status>([&] { return driver_->drain(web_a); }));
  std::ofstream(lb_->path("state")) << lb_->ask("show servers state");
  std::string config;
  {
    std::ostringstream text;
    text << std::ifstream(lb_->path("haproxy.cfg")).rdbuf();
    config = text.str();
  }
  const std::string edited = "127.0.0.1:4002 weight 20";
  config.replace(config.find("127.0.0.1:4001 weight 10"), edited.size(), edited);
  std::ofstream(lb_->path("haproxy.cfg")) << config;
  lb_->reload();
  EXPECT_EQ(read().admin, AdminState::drain);
  const std::string now = lb_->ask("show servers state be");
  EXPECT_THAT(now, HasSubstr(" 20 20 ")) << "the new weight";
  EXPECT_THAT(now, HasSubstr(" 4001 ")) << "and the old port";
}

}  // namespace
}  // namespace hitless::traffic
