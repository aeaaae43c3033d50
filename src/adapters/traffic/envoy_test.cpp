// Envoy's traps, on a fake of its admin interface and its file of endpoints. What every driver must
// do: tests/conformance.
#include "adapters/traffic/envoy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "adapters/traffic/envoy_reply.hpp"
#include "fake_lb.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;
using tests::envoy_endpoints;

TEST(EnvoyReply, WhatIsZeroIsLeftOutAndWhatIsMissingIsUnknown) {
  const auto cluster = parse_envoy_clusters(
      R"({"cluster_statuses":[{"name":"x"},{"name":"web","host_statuses":[{"address":{"socket_address":
      {"address":"::1","port_value":80}},"stats":[{"name":"rq_total","value":"3"},{"name":"rq_error"},
      {"type":"GAUGE","name":"rq_active"}],"health_status":{"eds_health_status":"HEALTHY",
      "failed_outlier_check":true}}]}]})",
      "web");
  ASSERT_TRUE(cluster) << describe(cluster.error());
  const EnvoyHost& host = cluster->hosts.at("[::1]:80");
  EXPECT_EQ(host.stat("rq_active"), 0);
  EXPECT_EQ(host.stat("rq_total"), 3);
  EXPECT_EQ(host.stat("cx_active"), std::nullopt);
  EXPECT_TRUE(host.failing);
  EXPECT_FALSE(host.gets_work());
  EXPECT_EQ(parse_envoy_clusters(R"({"cluster_statuses":[]})", "web").error().code,
            ErrorCode::not_found);
  for (const char* bad : {"", "[]", "{}", R"({"cluster_statuses":3})", "web::1"})
    EXPECT_FALSE(parse_envoy_clusters(bad, "web")) << bad;
  EXPECT_FALSE(parse_envoy_server(R"({"state":"LIVE"})"));
  EXPECT_FALSE(parse_envoy_stats("{}"));
}

TEST(EnvoyFile, ADrainIsTakenBackToTheLetter) {
  for (const char* before : {"", R"(,"health_status":"HEALTHY")", R"(,"healthStatus":"DEGRADED")",
                             R"(,"metadata":{"filter_metadata":{"envoy.lb":{"canary":true}}})"}) {
    const std::string text = envoy_endpoints({{80, before}, {81, ""}});
    const auto drained = edit_endpoint(text, "web", "127.0.0.1:80", false);
    ASSERT_TRUE(drained) << describe(drained.error());
    const auto seen = find_endpoint(*drained, "web", "127.0.0.1:80");
    EXPECT_TRUE(seen && seen->draining && seen->ours);
    const auto back = edit_endpoint(*drained, "web", "127.0.0.1:80", true);
    ASSERT_TRUE(back);
    EXPECT_EQ(boost::json::parse(*back), boost::json::parse(text)) << *back;
  }
  // Somebody took the status away and left our mark: put back as it was, and nothing breaks.
  const std::string marked = envoy_endpoints(
      {{80, R"(,"metadata":{"filter_metadata":{"hitless":{"before":"HEALTHY"}}})"}});
  const auto healed = edit_endpoint(marked, "web", "127.0.0.1:80", true);
  EXPECT_TRUE(healed && healed->find("HEALTHY") != std::string::npos);
  const auto theirs = find_endpoint(envoy_endpoints({{80, R"(,"health_status":"DRAINING")"}}),
                                    "web", "127.0.0.1:80");
  EXPECT_TRUE(theirs && theirs->draining && !theirs->ours);
  EXPECT_FALSE(find_endpoint(envoy_endpoints({{80, ""}, {80, ""}}), "web", "127.0.0.1:80"));
  EXPECT_FALSE(find_endpoint("resources: []", "web", "127.0.0.1:80"));
}

class EnvoyDriver : public testing::Test {
 protected:
  explicit EnvoyDriver(const std::string& checks = "")
      : fake_("envoy", R"({"members":{"1":3,"2":4,"3":5},"checks":")" + checks +
                           R"(","file":"{dir}/eds.json"})") {
    write({{kA, ""}, {kB, ""}, {kC, ""}});
  }
  void write(const std::vector<std::pair<int, std::string>>& ports) {
    fake_.move_in("eds.json", envoy_endpoints(ports));
    EXPECT_TRUE(eventually([&] { return driver_.read("web@3").note.empty(); }));
  }

  static constexpr int kA = 3, kB = 4, kC = 5;  // nobody listens there
  tests::FakeLb fake_;
  DurationMs taken_ms_ = 5'000;
  std::string file_ = fake_.path("eds.json");
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    EnvoyPool pool;
    pool.lb = "edge";
    pool.cluster = "web";
    pool.file = file_;
    pool.nodes = {{"lb-1", host, fake_.url()}};
    for (const int port : {kA, kB, kC}) {
      const core::InstanceId id{"web@" + std::to_string(port - 2)};
      pool.members.push_back({id, "127.0.0.1:" + std::to_string(port)});
      pool.sockets.push_back({id, host, port});
    }
    pool.taken_ms = taken_ms_;
    return make_envoy(std::move(pool));
  }};
};

TEST_F(EnvoyDriver, ADrainThatWouldMakeItPanicIsRefused) {
  ASSERT_EQ(driver_.drain("web@1"), "ok");
  EXPECT_THAT(driver_.drain("web@2"), HasSubstr("would panic")) << "1 of 3 is less than 50%";
  EXPECT_EQ(driver_.read("web@2").admin, AdminState::ready) << "nothing was told";
  EXPECT_EQ(driver_.read("web@1").admin, AdminState::drain);
  // Somebody else's hand brings it there: nobody knows that the drained one gets nothing.
  auto with_mark = boost::json::parse(fake_.read("eds.json"));
  fake_.move_in("eds.json", [&] {
    auto& hosts =
        with_mark.at("resources").at(0).at("endpoints").at(0).at("lb_endpoints").as_array();
    hosts[1].as_object()["health_status"] = "UNHEALTHY";
    return boost::json::serialize(with_mark);
  }());
  EXPECT_TRUE(eventually([&] { return driver_.read("web@1").admin == AdminState::unknown; }));
  EXPECT_THAT(driver_.read("web@1").note, HasSubstr("panics"));
}

class FailingEnvoy : public EnvoyDriver {  // nobody answers its checks
 protected:
  FailingEnvoy() : EnvoyDriver("/healthz") {}
};

// A check that fails says nothing of whose hand took it out.
TEST_F(FailingEnvoy, WhatSomebodyElseTookOutIsNotPutBack) {
  for (const char* status : {"UNHEALTHY", "TIMEOUT"}) {
    write({{kA, R"(,"health_status":")" + std::string(status) + "\""}, {kB, ""}, {kC, ""}});
    ASSERT_TRUE(eventually([&] {
      return fake_.ask("GET", "/clusters?format=json").find(status) != std::string::npos &&
             driver_.read("web@3").check == core::LbCheck::fail;
    }));
    EXPECT_THAT(driver_.rejoin("web@1"), HasSubstr("not ours to put back")) << status;
    EXPECT_EQ(driver_.drain("web@1"), "ok") << "it is out";
    EXPECT_THAT(fake_.read("eds.json"), testing::Not(HasSubstr("hitless"))) << "not by us";
  }
}

TEST_F(EnvoyDriver, ARejoinIsOneThatBringsWork) {
  write({{kA, R"(,"health_status":"DRAINING","metadata":{"filter_metadata":{"hitless":)"
              R"({"before":"UNHEALTHY"}}})"},
         {kB, ""},
         {kC, ""}});
  ASSERT_TRUE(eventually([&] { return driver_.read("web@1").admin == AdminState::drain; }));
  taken_ms_ = 300;
  EXPECT_THAT(driver_.rejoin("web@1"), HasSubstr("`UNHEALTHY`"));
}

TEST_F(EnvoyDriver, ADrainThatEnvoyDoesNotShowIsNone) {
  fake_.deafen();
  taken_ms_ = 500;
  const std::string said = driver_.drain("web@1");
  EXPECT_THAT(said, HasSubstr("does not show it"));
  EXPECT_EQ(driver_.read("web@1").admin, AdminState::ready) << "the file alone is no proof";
}

// Envoy sees files that are moved into place, and ours would bring in what was written before.
TEST_F(EnvoyDriver, AnEditInPlaceIsSomebodysPendingEdit) {
  std::ofstream(file_) << envoy_endpoints({{kA, ""}, {kB, ""}});
  EXPECT_THAT(driver_.drain("web@1"), HasSubstr("an edit that Envoy has not read"));
  EXPECT_EQ(driver_.read("web@1").admin, AdminState::ready);
  EXPECT_EQ(driver_.read("web@3").admin, AdminState::ready) << "Envoy still has it";
}

TEST_F(EnvoyDriver, AfterAHotRestartItsCountIsNotAll) {
  EXPECT_EQ(driver_.read("web@1").in_flight, 0);
  fake_.reload();
  ASSERT_TRUE(eventually([&] { return driver_.read("web@1").admin == AdminState::ready; }));
  file_ = "/nowhere.json";
  EXPECT_EQ(driver_.read("web@1").admin, AdminState::unknown) << "whose hand it was is not known";
  file_ = fake_.path("eds.json");
  const auto info = parse_envoy_server(fake_.ask("GET", "/server_info"));
  EXPECT_TRUE(info && info->parent_may_live());
}

TEST_F(EnvoyDriver, MistakesOfTheConfigurationAreTold) {
  EXPECT_THAT(driver_.capabilities(), HasSubstr("less than 50%"));
  write({{kA, ""}, {kC, ""}});
  EXPECT_THAT(driver_.capabilities(), HasSubstr("no 127.0.0.1:4"));
  EXPECT_EQ(driver_.read("web@2").admin, AdminState::absent);
  file_ = "/etc/envoy.yaml";
  EXPECT_THAT(driver_.drain("web@1"), HasSubstr("no .json file"));
  EXPECT_EQ(driver_.read("web@1").admin, AdminState::unknown);
}

}  // namespace
}  // namespace hitless::traffic
