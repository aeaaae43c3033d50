// Kind command: the output contract, and the driver with real commands over a folder of files.
#include "adapters/traffic/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/host/host.hpp"
#include "adapters/traffic/command_output.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::InstanceId;
using core::LbCheck;
using testing::HasSubstr;

TEST(CommandOutput, AWholeLineIsRead) {
  const auto state =
      parse_command_state("drain check=pass in_flight=3 idle=1 requests=10 errors=0 epoch=w1\n");
  ASSERT_TRUE(state) << describe(state.error());
  EXPECT_EQ(state->admin, AdminState::drain);
  EXPECT_EQ(state->check, LbCheck::pass);
  EXPECT_EQ(state->in_flight, 3);
  EXPECT_EQ(state->requests, 10);
  EXPECT_EQ(state->epoch, "w1");
  EXPECT_EQ(parse_command_state("ready")->check, LbCheck::none) << "no check is said";
}

TEST(CommandOutput, AnythingElseIsRefused) {
  for (const char* bad : {"",
                          "\n",
                          "up",
                          "READY",
                          "ready\nready\n",
                          "ready\n\n",
                          " ready",
                          "ready ",
                          "ready  check=pass",
                          "ready check",
                          "ready check=ok",
                          "ready in_flight=",
                          "ready in_flight=-1",
                          "ready in_flight=1s",
                          "ready in_flight=+1",
                          "ready in_flight=1 in_flight=1",
                          "ready color=red",
                          "ready epoch=",
                          "ready in_flight=99999999999999999999",
                          "ready\tcheck=pass",
                          "ready\x1b[31m",
                          "ready \xc3\xa4=1"}) {
    EXPECT_FALSE(parse_command_state(bad)) << bad;
  }
  EXPECT_FALSE(parse_command_state("ready epoch=" + std::string(600, 'x')));
  for (const char* bad : {"", "x", "-1", "1 ", " 1", "1\n2", "0x1", "1.0"})
    EXPECT_FALSE(parse_command_count(bad)) << bad;
  EXPECT_EQ(*parse_command_count("7\n"), 7);
  EXPECT_THAT(describe(parse_command_state("up").error()), HasSubstr("ready, drain, maint"));
}

// The "load balancer" is a file per member whose text is what `state` prints.
class Command : public testing::Test {
 protected:
  Command() {
    set("a", "ready check=pass in_flight=0 requests=1 errors=0");
    set("b", "ready check=pass in_flight=0 requests=2 errors=0");
  }
  void set(const std::string& member, const std::string& line) const {
    std::ofstream(dir_.path() + "/" + member) << line << "\n";
  }
  [[nodiscard]] std::string text(const std::string& member) const {
    std::ostringstream all;
    all << std::ifstream(dir_.path() + "/" + member).rdbuf();
    return all.str();
  }
  [[nodiscard]] CommandMember member(const std::string& name) const {
    const std::string file = dir_.path() + "/" + name;
    CommandMember made;
    made.instance = InstanceId{"web@" + name};
    made.member = name;
    made.drain = {"sed", "-i", "s/^ready/drain/", file};
    made.rejoin = {"sed", "-i", "s/^drain/ready/", file};
    made.state = {"cat", file};
    return made;
  }
  [[nodiscard]] CommandPool pool() const {
    CommandPool made;
    made.lb = "f5";
    made.pool = "main";
    made.nodes = {{"n1", host_.get(), {member("a"), member("b")}}};
    made.timeout_ms = 400;
    return made;
  }
  // On a driver of its own, as after a crash.
  template <class T>
  T with(const CommandPool& pool, std::function<Task<T>(ports::Traffic*)> ask) {
    return await<T>([&]() -> Task<T> {
      host_ = host::make_local_host("here", "127.0.0.1");
      CommandPool fresh = pool;
      for (CommandNode& node : fresh.nodes) node.host = host_.get();
      for (InstanceSockets& sockets : fresh.sockets) sockets.host = host_.get();
      auto driver = make_command_traffic(std::move(fresh));
      T result = co_await ask(driver.get());
      driver.reset();
      host_.reset();
      co_return result;
    });
  }
  std::vector<core::TargetReport> read(const CommandPool& from) {
    return with<std::vector<core::TargetReport>>(from, [](auto* d) { return d->read(); });
  }
  Status drain(const CommandPool& from, const char* id = "web@a") {
    return with<Status>(from, [id](auto* d) { return d->drain(InstanceId{id}); });
  }
  Status rejoin(const CommandPool& from) {
    return with<Status>(from, [](auto* d) { return d->rejoin(InstanceId{"web@a"}); });
  }

  TempDir dir_;
  std::unique_ptr<ports::Host> host_;
};

TEST_F(Command, DrainsReadsBackAndPutsBack) {
  ASSERT_TRUE(drain(pool()));
  EXPECT_THAT(text("a"), HasSubstr("drain"));
  const auto reports = read(pool());
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].admin, AdminState::drain);
  EXPECT_EQ(reports[0].in_flight, 0);
  EXPECT_EQ(reports[1].admin, AdminState::ready);
  EXPECT_TRUE(drain(pool())) << "again";
  ASSERT_TRUE(rejoin(pool()));
  EXPECT_EQ(read(pool())[0].admin, AdminState::ready);
}

TEST_F(Command, ExitCodeZeroIsNotBelieved) {
  CommandPool lying = pool();
  lying.nodes[0].members[0].drain = {"true"};
  const Status told = drain(lying);
  ASSERT_FALSE(told);
  EXPECT_THAT(describe(told.error()), HasSubstr("in name only"));
}

TEST_F(Command, WhatSomebodyElseTookOutStaysOut) {
  set("a", "maint check=pass in_flight=0");
  EXPECT_TRUE(drain(pool())) << "it is out";
  EXPECT_THAT(text("a"), HasSubstr("maint"));
  const Status back = rejoin(pool());
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::refused);
  EXPECT_THAT(text("a"), HasSubstr("maint"));
}

TEST_F(Command, AFailingCheckKeepsItOut) {
  set("a", "drain check=fail in_flight=0");
  EXPECT_EQ(rejoin(pool()).error().code, ErrorCode::refused);
}

TEST_F(Command, UnexpectedOutputIsUnknownAndOnlyForThatMember) {
  for (const char* garbage : {"", "up", "ready\nready", "ready in_flight=many"}) {
    set("a", garbage);
    const auto reports = read(pool());
    ASSERT_EQ(reports.size(), 2U);
    for (const core::TargetReport& report : reports) {
      const bool bad = report.instance.value == "web@a";
      EXPECT_EQ(report.admin, bad ? AdminState::unknown : AdminState::ready) << garbage;
      EXPECT_EQ(report.in_flight.has_value(), !bad);
      EXPECT_EQ(report.note.empty(), !bad);
    }
  }
}

TEST_F(Command, ACommandThatFailsOrHangsIsUnknownAndItsTextIsRedacted) {
  CommandPool failing = pool();
  failing.nodes[0].members[0].state = {"sh", "-c", "echo password=hunter2 >&2; exit 3"};
  failing.nodes[0].members[1].state = {"sleep", "20"};
  const auto reports = read(failing);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].admin, AdminState::unknown);
  EXPECT_THAT(reports[0].note, HasSubstr("exit code 3"));
  EXPECT_THAT(reports[0].note, testing::Not(HasSubstr("hunter2")));
  EXPECT_EQ(reports[1].admin, AdminState::unknown);
}

TEST_F(Command, TheCountCommandWinsAndABadCountIsUnknown) {
  CommandPool counting = pool();
  for (CommandMember& member : counting.nodes[0].members) member.count = {"echo", "5"};
  EXPECT_EQ(read(counting)[0].in_flight, 5);
  counting.nodes[0].members[0].count = {"echo", "five"};
  const auto reports = read(counting);
  for (const core::TargetReport& report : reports)
    if (report.instance.value == "web@a") {
      EXPECT_EQ(report.admin, AdminState::unknown);
      EXPECT_EQ(report.in_flight, std::nullopt);
    }
}

TEST_F(Command, WithoutAnyCountItIsUnknownNeverZero) {
  set("a", "drain");
  set("b", "ready");
  const auto reports = read(pool());
  EXPECT_EQ(reports[0].admin, AdminState::drain);
  EXPECT_EQ(reports[0].in_flight, std::nullopt);
  EXPECT_THAT(reports[0].note, HasSubstr("nothing counts"));
}

TEST_F(Command, CloseIsRefusedInRotationAndWithoutACommand) {
  const auto close = [&](const CommandPool& from) {
    return with<Status>(from, [](auto* d) { return d->close_remaining(InstanceId{"web@a"}); });
  };
  EXPECT_EQ(close(pool()).error().code, ErrorCode::refused);
  CommandPool closing = pool();
  closing.nodes[0].members[0].close = {"sh", "-c", "echo closed >" + dir_.path() + "/closed"};
  EXPECT_EQ(close(closing).error().code, ErrorCode::refused) << "in rotation";
  ASSERT_TRUE(drain(closing));
  EXPECT_TRUE(close(closing));
  EXPECT_EQ(text("closed"), "closed\n");
}

TEST_F(Command, AnInstanceThatIsNotInThePoolIsNotFound) {
  EXPECT_EQ(drain(pool(), "web@zz").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace hitless::traffic
