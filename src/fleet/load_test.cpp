// Whole files: what a good one turns into, and that a bad one shows everything at once.
#include <gmock/gmock.h>

#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

std::string example(const char* name) {
  return std::string(HITLESS_SOURCE_DIR) + "/examples/" + name;
}

TEST(Examples, TheCommentedFleetFileLoadsWithoutAnyFinding) {
  const auto result = load_fleet(example("hitless.yaml"));
  EXPECT_EQ(render(result.diagnostics, false), "");
  ASSERT_TRUE(result.fleet);
  const Service* web = result.fleet->service("web");
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->unit, "nginx.service");
  EXPECT_EQ(web->policy.floor, 3);
  EXPECT_EQ(web->policy.at_once, 1);
  EXPECT_EQ(web->policy.canaries, std::vector<std::string>{"web01"});
  ASSERT_EQ(web->instances.size(), 4U);
  EXPECT_EQ(web->instances[2].id, "web@web03");
  EXPECT_EQ(web->instances[2].address, "10.0.0.13");
  EXPECT_EQ(web->instances[2].zone, "b");
  EXPECT_EQ(web->instances[2].targets.at(0).member, "web03");
  const auto check = resolve(*web->health, *web, web->instances[0]);
  EXPECT_EQ(check.url, "http://10.0.0.11:80/healthz");
  EXPECT_EQ(check.rise, 3);
  const auto& node = result.fleet->load_balancers.at("edge").nodes.at(0);
  EXPECT_EQ(node.socket.path, "/run/haproxy/admin.sock");
  EXPECT_EQ(node.host, "lb1");
  EXPECT_EQ(result.fleet->load_balancers.at("edge").nodes.at(1).socket.port, 9999);
}

TEST(Examples, TheAnsibleFleetFileTakesItsHostsFromTheInventory) {
  const auto result = load_fleet(example("ansible/hitless.yaml"));
  EXPECT_EQ(render(result.diagnostics, false), "");
  ASSERT_TRUE(result.fleet);
  EXPECT_EQ(result.fleet->service("web")->instances.size(), 4U);
  const Host& host = result.fleet->hosts.at("web03.example.org");
  EXPECT_EQ(host.user, "deploy");
  EXPECT_TRUE(host.sudo);
  EXPECT_EQ(host.zone, "b");
  EXPECT_EQ(result.fleet->hosts.at("db01.example.org").port, 2222);
  EXPECT_EQ(result.fleet->hosts.at("db01.example.org").address, "10.0.0.41");
  EXPECT_EQ(result.fleet->groups.at("site").size(), 5U);
}

constexpr const char* kGood = R"(version: 1
hosts:
  a: { connect: local }
  b: { connect: local }
  c: { connect: local }
load_balancers:
  edge:
    kind: haproxy
    nodes: [ { name: lb-1, socket: "unix:/tmp/admin.sock", master: "unix:/tmp/master.sock" } ]
services:
  web:
    kind: command
    hosts: [a, b, c]
    ports: { a: 8081, b: 8082, c: 8083 }
    pools: [ { lb: edge, backend: be_web } ]
    commands:
      test: [nginx, -t, -c, "{config}"]
      reload: [kill, -HUP, 123]
      restart: [./restart, "{host}", 0644]
      pid_file: /tmp/{host}.pid
      config_files: ["/tmp/{host}.conf"]
      flavor: nginx
    health: { http: "http://{address}:{port}/healthz", interval: 50ms, timeout: 1s, rise: 2 }
    policy: { at_once: auto, canary: 2, drain: { on_deadline: force }, rejoin: { max_error_ratio: 0.5% } }
notifications:
  - { kind: slack, token: "${env:T}", channel: C0123 }
  - { kind: pagerduty, routing_key: "${env:K}", url: "http://127.0.0.1:99/" }
prober: [ { url: "http://127.0.0.1:8000/" } ]
)";

TEST(Load, AnIpv6AddressBeforeAPortHasBracketsInPools) {
  const auto result = load_fleet_text(R"(version: 1
hosts:
  a: { connect: local, address: "::1" }
load_balancers:
  edge: { kind: nginx, upstreams: /etc/nginx/u.conf, nodes: [{ name: lb-1 }] }
  f5:
    kind: command
    drain: [a, "{address}"]
    rejoin: [a]
    state: [a]
    nodes: [{ name: lb-2 }]
services:
  w:
    kind: nginx
    hosts: a
    port: 80
    pools: [{ lb: edge, upstream: w }, { lb: f5, pool: p, member: "{address}" }]
    policy: { floor: 0 }
)",
                                      "hitless.yaml");
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const auto& targets = result.fleet->service("w")->instances.at(0).targets;
  EXPECT_EQ(targets.at(0).member, "[::1]:80");
  EXPECT_EQ(targets.at(1).member, "::1") << "alone it is an address";
}

TEST(Load, DefaultsComeFromTheKeyTables) {
  const auto result = load_text(kGood);
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  EXPECT_EQ(codes_of(result), "");
  const Service& web = *result.fleet->service("web");
  EXPECT_EQ(web.policy.floor, 2) << "all but one";
  EXPECT_EQ(web.policy.at_once, 1);
  EXPECT_EQ(web.policy.canaries, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(web.policy.drain.deadline_ms, 60'000);
  EXPECT_EQ(web.policy.drain.quiet_ms, 300);
  EXPECT_EQ(web.policy.drain.on_deadline, OnDeadline::force);
  EXPECT_TRUE(web.policy.drain.host_count);
  EXPECT_EQ(web.policy.verify.stability_ms, 2'000);
  EXPECT_EQ(web.policy.verify.samples, 20);
  EXPECT_DOUBLE_EQ(web.policy.verify.latency_factor, 3.0);
  EXPECT_DOUBLE_EQ(web.policy.rejoin.max_error_ratio, 0.005);
  EXPECT_EQ(web.policy.capacity_wait_ms, 60'000);
  EXPECT_TRUE(web.policy.zone_by_zone);
  EXPECT_EQ(web.health->status, 200);
  EXPECT_EQ(web.health->fall, 5);
  EXPECT_EQ(web.instances[1].port, 8082);
  EXPECT_EQ(web.instances[1].address, "127.0.0.1");
  EXPECT_EQ(web.instances[1].targets[0].member, "b");
  EXPECT_EQ(web.commands->restart, (std::vector<std::string>{"./restart", "{host}", "0644"}));
  EXPECT_EQ(web.commands->flavor, Flavor::nginx);
  EXPECT_EQ(result.fleet->notifications[1].alert_url, "http://127.0.0.1:99/v2/enqueue");
  EXPECT_EQ(result.fleet->notifications[1].name, "pagerduty");
  EXPECT_TRUE(result.fleet->notifications[0].on_failed);
  EXPECT_EQ(result.fleet->probers[0].rate, 20);
  EXPECT_EQ(result.fleet->ssh.connect_timeout_ms, 5'000);
}

TEST(Load, MarksSayWhereThingsAre) {
  const auto result = load_text(kGood);
  ASSERT_TRUE(result.fleet);
  EXPECT_EQ(result.fleet->service("web")->mark.line, 11);
  EXPECT_EQ(result.fleet->service("web")->mark.column, 3);
  EXPECT_EQ(result.fleet->host("b")->mark.line, 4);
  EXPECT_EQ(result.fleet->service("web")->pools[0].mark.line, 15);
}

TEST(Load, AllErrorsAtOnceInOrder) {
  const auto result = load_text(R"(version: 1
hosts: { a: { port: 0 }, b: { sudo: yes } }
services:
  web:
    kind: ngnix
    hosts: [a, d]
    pools: [ { lb: egde, backend: be } ]
    helth: {}
    policy: { floor: 2, drain: { deadlin: 5s, quiet: 5 } }
    policy: {}
)");
  EXPECT_FALSE(result.fleet);
  EXPECT_EQ(codes_of(result),
            "HL0108@2:21 HL0105@2:37 HL0310w@4:3 HL0107@5:11 HL0201@6:16 HL0202@7:20 HL0104@8:5 "
            "HL0301@9:22 HL0104@9:34 HL0109@9:54 HL0103@10:5");
}

TEST(Load, TheRenderedErrorLooksLikeACompilers) {
  const Folder folder;
  const auto result = folder.load(R"(version: 1
hosts: { a: {}, b: {} }
services:
  web:
    kind: nginx
    hosts: [a, b]
    health: { tcp: "{address}:80" }
    policy:
      drain:
        deadlne: 120s
)");
  ASSERT_EQ(result.diagnostics.size(), 1U);
  const std::string file = folder.path() + "/hitless.yaml";
  EXPECT_EQ(render(result.diagnostics[0], false),
            "error[HL0104]: unknown key `deadlne`\n"
            "  --> " +
                file +
                ":10:9\n"
                "   |\n"
                "10 |         deadlne: 120s\n"
                "   |         ^^^^^^^ did you mean `deadline`?\n"
                "   = note: an ignored typo would leave you on the default, 60s\n"
                "   = help: hitless explain HL0104\n");
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("\n1 error\n"));
  EXPECT_THAT(render(result.diagnostics, true), HasSubstr("\x1b[1;31merror[HL0104]\x1b[0m"));
}

TEST(Load, CaretsCountCharactersNotBytes) {
  const auto result = load_text("version: 1\nservices: { w: { \"日本\": é, kind: nope } }\n");
  const Diagnostic* d = find(result, "HL0107");
  ASSERT_NE(d, nullptr);
  EXPECT_EQ(d->column, 33);
  const std::string text = render(*d, false);
  EXPECT_THAT(text, HasSubstr("\n2 | services: { w: { \"日本\": é, kind: nope } }\n"));
  // Wide characters move the caret by two columns each.
  EXPECT_THAT(text, HasSubstr("\n  |                                   ^^^^ "));
}

TEST(Load, DiagnosticsNeverShowASecretNorAnEscapeSequence) {
  const auto result = load_text(
      "version: 1\nservices: {}\nnotifications:\n"
      "  - { kind: smtp, password: hunter2hunter2, tsl: none }\n"
      "  - { kind: webhook, url: \"https://u:hunter2hunter2@h/\", \"\\e[31m\": 1 }\n");
  ASSERT_FALSE(result.diagnostics.empty());
  const std::string text = render(result.diagnostics, false);
  EXPECT_THAT(text, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("warning[HL0501]"));
}

TEST(Load, TheDigestFollowsTheFileAndItsInventories) {
  const Folder folder;
  folder.write("inv.ini", "[g]\na\nb\n");
  const std::string text =
      "version: 1\ninventory: inv.ini\nservices:\n  s: { kind: systemd, unit: s.service, hosts: "
      "group:g }\n";
  const auto first = folder.load(text), again = folder.load(text);
  ASSERT_TRUE(first.fleet) << render(first.diagnostics, false);
  EXPECT_EQ(first.fleet->digest, again.fleet->digest);
  folder.write("inv.ini", "[g]\na\nb\nc\n");
  EXPECT_NE(folder.load(text).fleet->digest, first.fleet->digest);
}

}  // namespace
}  // namespace hitless::fleet
