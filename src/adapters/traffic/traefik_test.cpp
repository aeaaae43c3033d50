// Traefik's file edited line by line, and its traps on a fake of its API. What every driver must
// do: tests/conformance.
#include "adapters/traffic/traefik.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/traffic/traefik_file.hpp"
#include "adapters/traffic/traefik_reply.hpp"
#include "fake_lb.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;

// As people write it: comments, a weight, another service with the same server, CRLF nowhere.
const std::string kFile =
    "# edge\nhttp:\n  routers:\n    web: { rule: \"Host(`x`)\", service: web }\n"
    "  services:\n    api:\n      loadBalancer:\n        servers:\n        - url: "
    "http://10.0.0.1:80\n"
    "    web:\n      loadBalancer:\n        # two of them\n        servers:\n"
    "        - url: \"http://10.0.0.1:80\" # the first\n          weight: 2\n\n"
    "        - weight: 1\n          url: 'http://10.0.0.2:80'\n        sticky:\n          cookie: "
    "{}\n"
    "tcp: {}\n";

TEST(TraefikFile, ADrainIsTakenBackToTheLetter) {
  for (const std::string url : {"http://10.0.0.1:80", "http://10.0.0.2:80"}) {
    const auto before = find_traefik_server(kFile, "web", url);
    ASSERT_TRUE(before) << describe(before.error());
    EXPECT_TRUE(before->in && !before->drained);
    const auto drained = drain_traefik_server(kFile, "web", url);
    ASSERT_TRUE(drained) << describe(drained.error());
    const auto after = find_traefik_server(*drained, "web", url);
    EXPECT_TRUE(after && !after->in && after->drained) << *drained;
    EXPECT_TRUE(find_traefik_server(*drained, "api", "http://10.0.0.1:80")->in) << *drained;
    EXPECT_EQ(restore_traefik_server(*drained, "web", url).value_or(""), kFile);
  }
  const auto one = drain_traefik_server(kFile, "web", "http://10.0.0.1:80");
  EXPECT_THAT(*one,
              HasSubstr("        #drained-by-hitless - url: \"http://10.0.0.1:80\" # the first\n"
                        "          #drained-by-hitless weight: 2\n"));
  EXPECT_EQ(drain_traefik_server(*one, "web", "http://10.0.0.2:80").error().code,
            ErrorCode::refused)
      << "the last one";
}

// Somebody deployed the server anew beside what we had commented out.
TEST(TraefikFile, ADrainTakesTheLineOfAnOldOneAway) {
  const std::string url = "http://10.0.0.1:80";
  std::string text = drain_traefik_server(kFile, "web", url).value_or("");
  const std::string first = "        - url: 'http://10.0.0.1:80' # anew\n";
  text.insert(text.find("        - weight: 1\n"), first);
  const auto both = find_traefik_server(text, "web", url);
  ASSERT_TRUE(both && both->in && both->drained);
  const auto drained = drain_traefik_server(text, "web", url);
  ASSERT_TRUE(drained) << describe(drained.error());
  const auto after = find_traefik_server(*drained, "web", url);
  ASSERT_TRUE(after) << describe(after.error());
  EXPECT_TRUE(!after->in && after->drained);
  EXPECT_THAT(*drained, testing::Not(HasSubstr("# the first")));
  const auto back = restore_traefik_server(*drained, "web", url);
  EXPECT_THAT(back.value_or(""), HasSubstr(first));
  EXPECT_THAT(back.value_or(""), testing::Not(HasSubstr("drained-by-hitless")));
}

TEST(TraefikFile, WhatIsNotUnderstoodIsRefusedAndNotGuessed) {
  const auto error = [](const std::string& text) {
    const auto found = find_traefik_server(text, "web", "http://a:1");
    return found ? std::string("understood") : describe(found.error());
  };
  const std::string head = "http:\n  services:\n    web:\n      loadBalancer:\n";
  EXPECT_THAT(error(head + "        servers: [{url: \"http://a:1\"}]\n"), HasSubstr("block style"));
  EXPECT_THAT(error(head + "        servers:\n          - {url: \"http://a:1\"}\n"),
              HasSubstr("cannot be edited"));
  EXPECT_THAT(error(head + "\t  servers:\n"), HasSubstr("tabs"));
  EXPECT_THAT(error("http: {services: {}}\n"), HasSubstr("block style"));
  EXPECT_THAT(error("tcp:\n  services:\n    web:\n"), HasSubstr("no `http`"));
  EXPECT_THAT(
      error(head + "        servers:\n          - url: http://a:1\n          - url: http://a:1\n"),
      HasSubstr("more than once"));
  EXPECT_EQ(error(head + "        servers:\n          - url: http://b:1\n"), "understood");
  EXPECT_FALSE(parse_traefik_service(R"({"weighted":{}})"));
  EXPECT_FALSE(parse_traefik_service("404 page not found"));
}

class TraefikDriver : public testing::Test {
 protected:
  TraefikDriver() {
    fake_.move_in(
        "web.yml",
        "http:\n  services:\n    web:\n      loadBalancer:\n        servers:\n"
        "          - url: \"http://127.0.0.1:3\"\n          - url: \"http://127.0.0.1:4\"\n");
    EXPECT_TRUE(eventually([&] { return driver_.read("web@a").admin == AdminState::ready; }));
  }
  tests::FakeLb fake_{"traefik", R"({"members":{"a":3,"b":4},"checks":"","file":"{dir}/web.yml"})"};
  tests::DriverUnderTest driver_{[this](ports::Host* host) {
    TraefikPool pool;
    pool.lb = "edge";
    pool.service = "web";
    pool.file = fake_.path("web.yml");
    pool.nodes = {{"lb-1", host, fake_.url()}};
    for (const auto& [name, port] : {std::pair{"a", 3}, std::pair{"b", 4}}) {
      const core::InstanceId id{std::string("web@") + name};
      pool.members.push_back({id, "http://127.0.0.1:" + std::to_string(port)});
      pool.sockets.push_back({id, host, port});
    }
    pool.taken_ms = 1'000;
    return make_traefik(std::move(pool));
  }};
};

// A bind-mounted file, or one that is not watched.
TEST_F(TraefikDriver, ADrainThatTraefikDoesNotShowIsNone) {
  fake_.deafen();
  EXPECT_THAT(driver_.drain("web@a"), HasSubstr("does not show it"));
  EXPECT_EQ(driver_.read("web@a").admin, AdminState::ready) << "the file alone is no proof";
  EXPECT_THAT(driver_.capabilities(), HasSubstr("as " + fake_.path("web.yml") + " says"));
}

TEST_F(TraefikDriver, TheLastServerStays) {
  ASSERT_EQ(driver_.drain("web@a"), "ok");
  EXPECT_THAT(driver_.drain("web@b"), HasSubstr("no server left"));
  EXPECT_EQ(driver_.read("web@b").admin, AdminState::ready);
  ASSERT_EQ(driver_.rejoin("web@a"), "ok");
}

}  // namespace
}  // namespace hitless::traffic
