// Impossible policies, references and collisions, and the comparison with haproxy.cfg.
#include <gmock/gmock.h>

#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

std::string three(const std::string& policy,
                  const std::string& health = "{ tcp: \"{address}:80\" }") {
  return "version: 1\nhosts: { a: {}, b: {}, c: {} }\nservices:\n  w:\n    kind: systemd\n    "
         "unit: w.service\n"
         "    hosts: [a, b, c]\n    health: " +
         health + "\n    policy: " + policy + "\n";
}

TEST(Policy, AFloorThatLetsNobodyOut) {
  const auto result = load_text(three("{ floor: 3 }"));
  EXPECT_EQ(codes_of(result), "HL0301@9:22");
  EXPECT_THAT(render(result.diagnostics, false),
              HasSubstr("floor 3 of 3: no instance may ever be taken out"));
  EXPECT_EQ(codes_of(load_text(three("{ floor: 100% }"))), "HL0301@9:22");
  EXPECT_EQ(codes_of(load_text(three("{ floor: 67% }"))), "HL0301@9:22") << "67% of 3 rounds up";
  EXPECT_EQ(load_text(three("{ floor: 66% }")).fleet->service("w")->policy.floor, 2);
}

TEST(Policy, PercentagesRoundUpAndExactOnesStay) {
  std::string hosts, names;
  for (char c = 'a'; c <= 'j'; ++c) {
    hosts += std::string(1, c) + "1: {}, ";
    names += std::string(1, c) + "1, ";
  }
  const auto floor_of = [&](const std::string& floor) {
    const auto result = load_text("version: 1\nhosts: { " + hosts +
                                  " }\nservices:\n  w: { kind: systemd, unit: w.service, hosts: [" +
                                  names + "], policy: { floor: " + floor + " } }\n");
    return result.fleet ? result.fleet->service("w")->policy.floor : -1;
  };
  EXPECT_EQ(floor_of("70%"), 7);
  EXPECT_EQ(floor_of("71%"), 8);
  EXPECT_EQ(floor_of("1%"), 1);
}

TEST(Policy, AtOnceAndCanary) {
  EXPECT_EQ(codes_of(load_text(three("{ floor: 2, at_once: 2 }"))), "HL0303@9:34");
  EXPECT_EQ(load_text(three("{ floor: 1 }")).fleet->service("w")->policy.at_once, 2);
  EXPECT_EQ(codes_of(load_text(three("{ canary: d }"))), "HL0307@9:23");
  EXPECT_EQ(codes_of(load_text(three("{ canary: 4 }"))), "HL0307@9:23");
  EXPECT_EQ(load_text(three("{ canary: none }")).fleet->service("w")->policy.canaries.size(), 0U);
  EXPECT_EQ(load_text(three("{}")).fleet->service("w")->policy.canaries,
            std::vector<std::string>{"a"});
}

TEST(Policy, NoFloorIsAWarningAndStillLoads) {
  const auto result = load_text(three("{ floor: 0 }"));
  EXPECT_EQ(codes_of(result), "HL0302w@9:22");
  ASSERT_TRUE(result.fleet);
  EXPECT_EQ(result.fleet->service("w")->policy.at_once, 3);
}

TEST(Policy, DeadlinesThatCannotBeMet) {
  EXPECT_EQ(codes_of(load_text(three("{ verify: { deadline: 5s } }",
                                     "{ tcp: \"{address}:80\", rise: 6, interval: 1s }"))),
            "HL0304@9:35");
  EXPECT_EQ(codes_of(load_text(three("{ verify: { stability: 60s } }"))), "HL0305@9:36");
  EXPECT_EQ(codes_of(load_text(three("{ drain: { deadline: 1s, settle: 2s } }"))), "HL0305@9:34");
  EXPECT_EQ(codes_of(load_text(three("{ verify: { grace: 2m } }"))), "HL0308w@9:32");
}

// ---- references ---------------------------------------------------------------------------------
TEST(References, UndefinedNamesGetASuggestion) {
  const auto result = load_text(R"(version: 1
hosts: { web01: {}, web02: {} }
load_balancers: { edge: { kind: haproxy, nodes: [ { name: n1, socket: "unix:/x", host: web1 } ] } }
services:
  w:
    kind: systemd
    unit: w.service
    hosts: [web01, wbe02, web01, group:web]
    ports: { web1: 80 }
    health: { tcp: "{address}:{port}" }
    pools: [ { lb: egde, backend: be } ]
)");
  EXPECT_EQ(codes_of(result),
            "HL0201@3:88 HL0201@8:20 HL0204@8:27 HL0203@8:34 HL0209@9:14 HL0211@10:20 HL0202@11:20")
      << render(result.diagnostics, false);
  const std::string text = render(result.diagnostics, false);
  EXPECT_THAT(text, HasSubstr("did you mean `web02`?"));
  EXPECT_THAT(text, HasSubstr("did you mean `edge`?"));
}

TEST(References, CollisionsOfPortsServersAndFiles) {
  const Folder folder;
  folder.write("x.conf", "x");
  const auto result = folder.load(R"(version: 1
hosts: { a: { connect: local }, b: { connect: local } }
load_balancers: { edge: { kind: haproxy, nodes: [ { name: n1, socket: "tcp:h:1" }, { name: n1, socket: "tcp:h:2", host: a } ] } }
services:
  w:
    kind: systemd
    unit: w.service
    hosts: [a, b]
    port: 80
    health: { tcp: "{address}:{port}" }
    pools: [ { lb: edge, backend: be, server: w } ]
    config: [ { source: x.conf, dest: /etc/x.conf }, { source: "{host}.conf", dest: "/etc/{host}.conf" } ]
)");
  EXPECT_EQ(codes_of(result),
            "HL0210@3:92 HL0212w@3:121 HL0207@9:11 HL0208@11:47 HL0206@12:39 HL0205@12:64")
      << render(result.diagnostics, false);
}

TEST(References, InstancesThatShareAnAddressAreFineWithTheirOwnPorts) {
  EXPECT_EQ(codes_of(load_text(
                "version: 1\nhosts: { a: { connect: local }, b: { connect: local } }\nservices:\n"
                "  w: { kind: systemd, unit: w.service, hosts: [a, b], ports: { a: 1, b: 2 }, "
                "health: { tcp: \"{address}:{port}\" } }\n")),
            "");
}

// ---- haproxy.cfg --------------------------------------------------------------------------------
class WithHaproxy : public testing::Test {
 protected:
  LoadResult load(const std::string& cfg, const std::string& service_lines) const {
    folder_.write("haproxy.cfg", cfg);
    return folder_.load(
        "version: 1\nhosts: { web01: { address: 10.0.0.1 }, web02: { address: 10.0.0.2 } "
        "}\nload_balancers:\n"
        "  edge: { kind: haproxy, config: haproxy.cfg, nodes: [ { name: lb, socket: "
        "\"unix:/run/a.sock\" } ] }\nservices:\n"
        "  w:\n    kind: systemd\n    unit: w.service\n    hosts: [web01, web02]\n    port: 80\n   "
        " health: { tcp: \"{address}:{port}\" }\n" +
        service_lines);
  }
  Folder folder_;
  const std::string good_ =
      "global\n stats socket /run/a.sock level admin\ndefaults\n timeout server 30s\n"
      " default-server check inter 1s rise 2\nbackend be_web\n server web01 10.0.0.1:80\n server "
      "web02 10.0.0.2:80\n";
  const std::string pool_ = "    pools: [ { lb: edge, backend: be_web } ]\n";
};

TEST_F(WithHaproxy, AgreementIsSilent) {
  EXPECT_EQ(codes_of(load(good_, pool_)), "");
}

TEST_F(WithHaproxy, UnknownBackendAndServer) {
  auto result = load(good_, "    pools: [ { lb: edge, backend: be_wbe } ]\n");
  EXPECT_EQ(codes_of(result), "HL0401@12:35");
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("did you mean `be_web`?"));
  result = load(good_, "    pools: [ { lb: edge, backend: be_web, server: \"{host}x\" } ]\n");
  EXPECT_THAT(codes_of(result), testing::StrEq("HL0402@12:51"));
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("did you mean `web01`?"));
}

TEST_F(WithHaproxy, OtherAddressPortOrNoCheck) {
  auto cfg = good_;
  cfg.replace(cfg.find("10.0.0.2:80"), 11, "10.0.0.9:80");
  EXPECT_EQ(codes_of(load(cfg, pool_)), "HL0403w@12:14");
  cfg.replace(cfg.find("10.0.0.9:80"), 11, "10.0.0.2:81");
  EXPECT_EQ(codes_of(load(cfg, pool_)), "HL0403@12:14");
  cfg.replace(cfg.find("10.0.0.2:81"), 11, "10.0.0.2:80 no-check");
  EXPECT_EQ(codes_of(load(cfg, pool_)), "HL0404w@12:35");
}

TEST_F(WithHaproxy, DeadlinesShorterThanItsOwn) {
  auto result = load(good_, pool_ + "    policy: { drain: { deadline: 10s } }\n");
  EXPECT_EQ(codes_of(result), "HL0306@13:34");
  EXPECT_THAT(render(result.diagnostics, false),
              HasSubstr("drain.deadline 10s is shorter than the 30s that be_web gives a request"));
  EXPECT_EQ(codes_of(load(good_,
                          pool_ + "    policy: { drain: { deadline: 10s, on_deadline: wait } }\n")),
            "");
  EXPECT_THAT(codes_of(load(good_, pool_ + "    policy: { rejoin: { deadline: 1s } }\n")),
              HasSubstr("HL0309@13:35"));
  EXPECT_EQ(codes_of(load(good_ + " timeout tunnel 1h\n", pool_)), "HL0306w@6:3");
}

TEST_F(WithHaproxy, AServerStateFileIsNamed) {
  auto cfg = good_;
  cfg.insert(cfg.find("backend be_web"), " load-server-state-from-file global\n");
  const auto result = load(cfg, pool_);
  EXPECT_THAT(codes_of(result), HasSubstr("HL0407w@4:"));
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("may bring back old addresses"));
  cfg.replace(cfg.find("file global"), 11, "file none");
  EXPECT_EQ(codes_of(load(cfg, pool_)), "");
}

TEST_F(WithHaproxy, SocketLevelAndMissingFile) {
  auto cfg = good_;
  cfg.replace(cfg.find(" level admin"), 12, "");
  EXPECT_THAT(codes_of(load(cfg, pool_)), HasSubstr("HL0406@"));
  cfg.replace(cfg.find(" stats socket /run/a.sock"), 25, "");
  EXPECT_THAT(codes_of(load(cfg, pool_)), HasSubstr("HL0406w@4:"));
  std::filesystem::remove(folder_.path() + "/haproxy.cfg");
  EXPECT_THAT(
      codes_of(folder_.load("version: 1\nload_balancers:\n  e: { kind: haproxy, config: none.cfg, "
                            "nodes: [ { name: l, socket: \"tcp:h:1\" } ] }\nservices: {}\n")),
      HasSubstr("HL0405@3:31"));
}

}  // namespace
}  // namespace hitless::fleet
