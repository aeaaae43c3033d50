// The driver against the fake of AWS (tests/fakes/aws), which verifies every signature and moves
// real requests through a real HAProxy.
#include "adapters/traffic/elbv2.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "adapters/traffic/elbv2_members.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "fake_aws.hpp"
#include "runtime/http.hpp"
#include "tiny_server.hpp"

namespace hitless {
namespace {

using core::AdminState;
using core::InstanceId;
using core::LbCheck;
using testing::HasSubstr;
using tests::TinyServer;
using traffic::await;
using traffic::eventually;

const InstanceId kOne{"web@web01"}, kTwo{"web@web02"};
constexpr const char* kId1 = "i-0aaaaaaaaaaaaaaa1";
constexpr const char* kId2 = "i-0aaaaaaaaaaaaaaa2";

TinyServer::Handler says(const std::string& name) {
  return [name](const std::string&, const std::string&) {
    return TinyServer::Answer{200, name, "", false, false};
  };
}

int free_port() {
  const TinyServer probe(says(""));
  return probe.port();
}

class FakeAws {
 public:
  explicit FakeAws(const std::string& more = "") {
    std::string config = R"({"region":"eu-west-1","account":"123456789012","keys":{"AKIDT":"shh"},
      "instances":[{"id":"$1","ip":"127.0.0.1","name":"web01","tags":{"Role":"a"}},
                   {"id":"$2","ip":"127.0.0.1","name":"web02","tags":{"Role":"b"}}],
      "load_balancers":[{"name":"web","type":"application","port":$L,"default_group":"web-tg"}],
      "target_groups":[{"name":"web-tg","protocol":"HTTP","port":$A,"type":"instance","lb":"web",
        "attributes":{"deregistration_delay.timeout_seconds":"1"},
        "targets":[["$1",$A],["$2",$B]]},
        {"name":"idle-tg","protocol":"HTTP","port":$A,"type":"instance","targets":[["$1",$A]]},
        {"name":"other-tg","protocol":"TCP","port":$A,"type":"instance","lb":"web",
         "attributes":{"stickiness.enabled":"true","deregistration_delay.timeout_seconds":"120"},
         "targets":[["$1",$A]]},
        {"name":"ip-tg","protocol":"HTTP","port":$A,"type":"ip","lb":"web",
         "attributes":{"slow_start.duration_seconds":"45"},
         "targets":[["127.0.0.1",$A,"all"],["127.0.0.1",$B,"all"]]}])" +
                         more + "}";
    aws_.emplace(tests::filled(config, {{"$1", kId1},
                                        {"$2", kId2},
                                        {"$L", std::to_string(lb_port)},
                                        {"$A", std::to_string(a.port())},
                                        {"$B", std::to_string(b.port())}}));
    url = aws_->url();
    wait_until_healthy();
  }

  void faults(const std::string& json) const { aws_->faults(json); }
  [[nodiscard]] std::string calls() const { return aws_->calls(); }
  [[nodiscard]] int count(const std::string& action) const {
    const std::string text = calls();
    int n = 0;
    for (std::size_t at = 0; (at = text.find("\"" + action + "\", {", at)) != std::string::npos;
         ++at)
      ++n;
    return n;
  }
  // What the load balancer answers, asked so many times.
  [[nodiscard]] std::set<std::string> answers(int n = 10) const {
    std::set<std::string> got;
    for (int i = 0; i < n; ++i) {
      auto answer = await<Result<HttpResponse>>([&] {
        HttpRequest request;
        request.url = "http://127.0.0.1:" + std::to_string(lb_port) + "/";
        return http_request(std::move(request));
      });
      got.insert(answer ? answer->body.substr(0, 9) : "none");
    }
    return got;
  }

  [[nodiscard]] Elbv2Pool pool(const std::string& group = "web-tg") const {
    Elbv2Pool pool;
    pool.lb = "alb";
    pool.group = group;
    pool.account = tests::fake_aws_account(url);
    pool.targets = {{kOne, kId1, "web01", "127.0.0.1", a.port(), ""},
                    {kTwo, kId2, "web02", "127.0.0.1", b.port(), ""}};
    pool.poll_ms = 100;
    return pool;
  }

  TinyServer a{says("a")}, b{says("b")};
  int lb_port = free_port();
  std::string url;

 private:
  void wait_until_healthy() const {
    const auto driver = make_elbv2(pool());
    const bool up = eventually([&] {
      driver->expire();
      for (const core::TargetReport& report :
           await<std::vector<core::TargetReport>>([&] { return driver->read(); }))
        if (report.check != LbCheck::pass) return false;
      return true;
    });
    if (!up) throw std::runtime_error("the fake's targets do not become healthy");
  }

  std::optional<tests::FakeAwsProcess> aws_;
};

core::TargetReport read_one(ports::Traffic& driver, const InstanceId& id) {
  driver.expire();
  for (core::TargetReport& report :
       await<std::vector<core::TargetReport>>([&] { return driver.read(); }))
    if (report.instance == id) return report;
  return {};
}

Status drain(ports::Traffic& driver, const InstanceId& id) {
  return await<Status>([&] { return driver.drain(id); });
}
Status rejoin(ports::Traffic& driver, const InstanceId& id) {
  return await<Status>([&] { return driver.rejoin(id); });
}

TEST(Elbv2, DrainsForRealAndComesBackAsTheSameTarget) {
  FakeAws aws;
  const auto driver = make_elbv2(aws.pool());
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::ready);
  EXPECT_EQ(aws.answers(), (std::set<std::string>{"a", "b"}));

  ASSERT_TRUE(drain(*driver, kTwo));
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::drain);
  EXPECT_EQ(read_one(*driver, kOne).admin, AdminState::ready);
  EXPECT_TRUE(eventually([&] { return aws.answers() == std::set<std::string>{"a"}; }));
  ASSERT_TRUE(drain(*driver, kTwo)) << "twice means the same";
  EXPECT_EQ(aws.count("DeregisterTargets"), 1);

  ASSERT_TRUE(eventually(
      [&] { return read_one(*driver, kTwo).note.find("not registered") != std::string::npos; }));
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::drain) << "gone is out, not absent";
  ASSERT_TRUE(rejoin(*driver, kTwo));
  EXPECT_THAT(aws.calls(),
              HasSubstr("\"Targets.member.1.Port\": \"" + std::to_string(aws.b.port()) + "\""));
  EXPECT_TRUE(eventually([&] { return read_one(*driver, kTwo).check == LbCheck::pass; }));
  EXPECT_EQ(aws.answers(), (std::set<std::string>{"a", "b"}));
}

TEST(Elbv2, AFreshDriverAfterACrashPutsItBack) {
  FakeAws aws;
  {
    const auto dead = make_elbv2(aws.pool());
    ASSERT_TRUE(drain(*dead, kTwo));
  }
  const auto driver = make_elbv2(aws.pool());
  ASSERT_TRUE(eventually(
      [&] { return read_one(*driver, kTwo).note.find("not registered") != std::string::npos; }));
  ASSERT_TRUE(rejoin(*driver, kTwo));
  EXPECT_TRUE(eventually([&] { return aws.answers() == std::set<std::string>{"a", "b"}; }));
}

TEST(Elbv2, ALostReplyAndStaleReadsAreNoDoubt) {
  FakeAws aws;
  const auto driver = make_elbv2(aws.pool());
  aws.faults(R"({"lose_reply":1,"stale_reads":2})");
  ASSERT_TRUE(drain(*driver, kTwo)) << "told again, read back until it is so";
  EXPECT_EQ(aws.count("DeregisterTargets"), 2);
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::drain);
}

TEST(Elbv2, ADrainThatWouldMakeAwsFailOpenIsRefused) {
  FakeAws aws;
  const auto driver = make_elbv2(aws.pool());
  ASSERT_TRUE(drain(*driver, kTwo));
  const Status refused = drain(*driver, kOne);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("fails open"));
  EXPECT_EQ(read_one(*driver, kOne).admin, AdminState::ready) << "nothing was told";
}

TEST(Elbv2, AskedAtMostOncePerPollAndTroubleIsUnknownNotUnhealthy) {
  FakeAws aws;
  Elbv2Pool pool = aws.pool();
  pool.poll_ms = 400;
  const auto driver = make_elbv2(std::move(pool));
  const int before = aws.count("DescribeTargetHealth");
  const auto read = [&] {
    return await<std::vector<core::TargetReport>>([&] { return driver->read(); }).front();
  };
  const DurationMs begun = steady_now_ms();
  while (steady_now_ms() - begun < 1'000) EXPECT_EQ(read().admin, AdminState::ready);
  EXPECT_LE(aws.count("DescribeTargetHealth") - before, 5);

  // An answer stands for a few polls when the next ones fail; then nothing is known.
  aws.faults(R"({"fail":["DescribeTargetHealth","HealthUnavailable",500,1000]})");
  EXPECT_EQ(read().admin, AdminState::ready);
  EXPECT_TRUE(eventually([&] { return read().admin == AdminState::unknown; }));
  EXPECT_THAT(read().note, HasSubstr("HealthUnavailable"));
  EXPECT_EQ(read().check, LbCheck::unknown);
  aws.faults(R"({"fail":["",""," ",0]})");
  EXPECT_TRUE(eventually([&] { return read().check == LbCheck::pass; }));
}

TEST(Elbv2, WhatThePlanIsTold) {
  FakeAws aws;
  const auto driver = make_elbv2(aws.pool());
  const auto capabilities =
      await<Result<ports::TrafficCapabilities>>([&] { return driver->capabilities(); });
  ASSERT_TRUE(capabilities) << describe(capabilities.error());
  EXPECT_FALSE(capabilities->counts_work);
  EXPECT_EQ(capabilities->settle_ms, 20'000);
  std::string remarks;
  for (const std::string& remark : capabilities->remarks) remarks += remark + "\n";
  EXPECT_THAT(remarks, HasSubstr("settles for 20s"));
  EXPECT_THAT(remarks, HasSubstr("1s after deregistering"));
  EXPECT_THAT(remarks, HasSubstr("watchdog cannot"));
  EXPECT_THAT(remarks, HasSubstr("web@web01 is also in target group other-tg"));
  const auto network = make_elbv2(aws.pool("other-tg"));
  EXPECT_EQ(
      await<Result<ports::TrafficCapabilities>>([&] { return network->capabilities(); })->settle_ms,
      180'000);
}

std::string remarks_of(ports::Traffic& driver) {
  const auto can = await<Result<ports::TrafficCapabilities>>([&] { return driver.capabilities(); });
  if (!can) return "refused: " + describe(can.error());
  std::string all;
  for (const std::string& remark : can->remarks) all += remark + "\n";
  return all;
}

TEST(Elbv2, WhatThePlanIsToldOfANetworkLoadBalancer) {
  FakeAws aws;
  Elbv2Pool pool = aws.pool("other-tg");
  pool.targets.resize(1);
  const auto driver = make_elbv2(pool);
  const std::string remarks = remarks_of(*driver);
  EXPECT_THAT(remarks, HasSubstr("NLB: settles for 3m"));
  EXPECT_THAT(remarks,
              HasSubstr("connections left after 2m00s stay open (connection termination is "));
  EXPECT_THAT(remarks, HasSubstr("source IP stickiness"));
  EXPECT_TRUE(await<Result<ports::TrafficCapabilities>>([&] {
                return driver->capabilities();
              })->sticky_leak);
}

TEST(Elbv2, TargetsThatAreAddresses) {
  FakeAws aws;
  Elbv2Pool pool = aws.pool("ip-tg");
  pool.targets = {{kOne, "", "web01", "127.0.0.1", aws.a.port(), "all"},
                  {kTwo, "127.0.0.1", "web02", "x", aws.b.port(), "all"}};
  const auto driver = make_elbv2(pool);
  ASSERT_TRUE(eventually([&] { return read_one(*driver, kTwo).check == LbCheck::pass; }));
  EXPECT_THAT(remarks_of(*driver), HasSubstr("slow start: a target gets its full share 45s"));
  EXPECT_EQ(aws.count("DescribeAutoScalingInstances"), 0) << "no EC2 instances";
  ASSERT_TRUE(drain(*driver, kTwo));
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::drain);
  EXPECT_EQ(read_one(*driver, kOne).admin, AdminState::ready) << "the same address, another port";
  ASSERT_TRUE(rejoin(*driver, kTwo));
  EXPECT_THAT(aws.calls(), HasSubstr("\"Targets.member.1.AvailabilityZone\": \"all\""));
  EXPECT_TRUE(eventually([&] { return read_one(*driver, kTwo).check == LbCheck::pass; }));
}

TEST(Elbv2, ATargetThatIsGoneMeanwhileIsOut) {
  FakeAws aws;
  const auto driver = make_elbv2(aws.pool());
  aws.faults(R"({"gone_meanwhile":1})");
  const Status drained = drain(*driver, kTwo);
  EXPECT_TRUE(drained) << describe(drained.error());
  EXPECT_EQ(read_one(*driver, kTwo).admin, AdminState::drain);
  EXPECT_EQ(aws.count("DeregisterTargets"), 1);
}

TEST(Elbv2, NothingLeavesThatAnAutoScalingGroupWouldReplace) {
  FakeAws aws(R"(,"scaling_groups":{"web-asg":{"type":"ELB","instances":["$2"]}})");
  const auto driver = make_elbv2(aws.pool());
  EXPECT_THAT(remarks_of(*driver), HasSubstr("refused: "));
  EXPECT_THAT(remarks_of(*driver), HasSubstr("web@web02: it is in Auto Scaling group web-asg"));
  EXPECT_THAT(remarks_of(*driver), HasSubstr("suspend ReplaceUnhealthy"));
  const Status refused = drain(*driver, kTwo);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_EQ(aws.count("DeregisterTargets"), 0);
  aws.faults(R"({"scaling":{"web-asg":{"state":"Standby"}}})");
  EXPECT_THAT(remarks_of(*driver), testing::Not(HasSubstr("Auto Scaling")));
  aws.faults(R"({"scaling":{"web-asg":{"type":"EC2"}}})");
  EXPECT_THAT(remarks_of(*driver), testing::Not(HasSubstr("Auto Scaling")));
  aws.faults(R"({"scaling":{"web-asg":{"suspended":["ReplaceUnhealthy"]}}})");
  EXPECT_THAT(remarks_of(*driver), testing::Not(HasSubstr("Auto Scaling")));
  EXPECT_TRUE(drain(*driver, kTwo));
}

// Many may not ask, and roll out all the same.
TEST(Elbv2, WithoutThePermissionToAskForAutoScalingThePlanSaysSo) {
  FakeAws aws(R"(,"scaling_groups":{"web-asg":{"type":"ELB","instances":["$2"]}})");
  const auto driver = make_elbv2(aws.pool());
  aws.faults(R"({"fail":["DescribeAutoScalingInstances","AccessDenied",403,1000]})");
  EXPECT_THAT(remarks_of(*driver), testing::ContainsRegex("leaves is not known .*AccessDenied"));
  EXPECT_TRUE(drain(*driver, kTwo));
  const int asked = aws.count("DescribeAutoScalingInstances");
  EXPECT_TRUE(rejoin(*driver, kTwo));
  EXPECT_TRUE(drain(*driver, kTwo));
  EXPECT_EQ(aws.count("DescribeAutoScalingInstances"), asked) << "nobody waits for it twice";
}

TEST(Elbv2, MistakesOfTheConfigurationAreTold) {
  FakeAws aws;
  Elbv2Pool pool = aws.pool("idle-tg");
  pool.targets.resize(1);
  const auto idle = make_elbv2(pool);
  EXPECT_TRUE(eventually([&] { return read_one(*idle, kOne).admin == AdminState::absent; }));
  EXPECT_THAT(read_one(*idle, kOne).note, HasSubstr("Target.NotInUse"));

  const auto missing = make_elbv2(aws.pool("none-tg"));
  EXPECT_EQ(read_one(*missing, kOne).admin, AdminState::absent);
  EXPECT_THAT(read_one(*missing, kOne).note, HasSubstr("TargetGroupNotFound"));

  pool = aws.pool();
  pool.targets = {{kOne, "", "web01", "127.0.0.1", std::nullopt, ""}};
  EXPECT_THAT(read_one(*make_elbv2(pool), kOne).note, HasSubstr("2 EC2 instances have"));
  pool.targets = {{kTwo, "", "web02", "web02.example", std::nullopt, ""}};  // by its Name
  const Status wrong_port = drain(*make_elbv2(pool), kTwo);
  ASSERT_FALSE(wrong_port);
  EXPECT_THAT(wrong_port.error().what, HasSubstr("port:"));
  pool.targets = {{kTwo, "tag:Role=b", "x", "y", aws.b.port(), ""}};
  EXPECT_EQ(read_one(*make_elbv2(pool), kTwo).admin, AdminState::ready);
  pool.targets = {{kTwo, "--help", "x", "y", 1, ""}};
  EXPECT_FALSE(check_elbv2(pool));
}

// One that is out is not registered any more, and is one of the fleet all the same.
TEST(Elbv2, TheMembersOfAGroupAsHosts) {
  FakeAws aws;
  const auto members = [&](const std::vector<std::string>& known,
                           const std::string& group = "web-tg") {
    return await<Result<std::vector<elbv2::GroupMember>>>(
        [&] { return elbv2::group_members(aws.pool().account, group, known); });
  };
  const auto all = members({});
  ASSERT_TRUE(all) << describe(all.error());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(1).id, kId2);
  EXPECT_EQ(all->at(1).name, "web02");
  EXPECT_EQ(all->at(1).address, "127.0.0.1");
  const auto driver = make_elbv2(aws.pool());
  ASSERT_TRUE(drain(*driver, kTwo));
  ASSERT_TRUE(eventually([&] { return members({})->size() == 1; }));
  EXPECT_EQ(members({kId1, kId2})->size(), 2U) << "its machine is there";
  EXPECT_EQ(members({kId1, "i-0aaaaaaaaaaaaaaa9"})->size(), 1U) << "that one's is gone";
  EXPECT_FALSE(members({}, "none-tg"));
}

TEST(Elbv2, CloudWatchTotalsRiseWithWhatWasSent) {
  FakeAws aws(R"(,"metric_period_s":1,"metric_lag_s":1)");
  Elbv2Pool pool = aws.pool();
  pool.cloudwatch = true;
  pool.counter_period_ms = 1'000;
  const auto driver = make_elbv2(std::move(pool));
  EXPECT_EQ(driver->counter_lag_ms(), 5'000);
  std::optional<std::int64_t> seen;
  const bool counted = eventually([&] {
    (void)aws.answers(2);
    const auto all = await<std::vector<ports::PoolCounters>>([&] { return driver->counters(); });
    if (!all.empty() && all[0].as_of) seen = all[0].requests;
    return seen.value_or(0) > 0;
  });
  ASSERT_TRUE(counted);
  aws.faults(R"({"partial_metrics":1000})");
  EXPECT_TRUE(eventually([&] {
    const auto all = await<std::vector<ports::PoolCounters>>([&] { return driver->counters(); });
    return !all[0].requests && all[0].problem.find("PartialData") != std::string::npos;
  }));
}

}  // namespace
}  // namespace hitless
