// Load balancers of several kinds: each has its own keys, and a key of one kind is wrong at
// another.
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "fleet/fleet_test_support.hpp"
#include "fleet/lb_kinds.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

std::string fleet_with(const std::string& lbs, const std::string& pools,
                       const std::string& more = "    port: 80\n") {
  return "version: 1\nhosts: { a: { address: 10.0.0.1 }, b: { address: 10.0.0.2 }, lb1: {} }\n"
         "load_balancers:\n" +
         lbs + "services:\n  web:\n    kind: systemd\n    unit: web.service\n    hosts: [a, b]\n" +
         more + "    health: { tcp: \"{address}:80\" }\n    pools: " + pools + "\n";
}

const std::string kHaproxy =
    "  edge: { kind: haproxy, nodes: [ { name: lb-1, socket: \"tcp:127.0.0.1:9999\" } ] }\n";
const std::string kCommand =
    "  f5: { kind: command, drain: [f5, off, \"{pool}/{member}\"], rejoin: [f5, on, \"{member}\"],"
    " state: [f5, show, \"{node}\", \"{address}\"], nodes: [ { name: n1, host: lb1 }, { name: n2 } "
    "] }\n";

TEST(LbKinds, OneInstanceMayBeInPoolsOfSeveralKinds) {
  const auto result = load_text(
      fleet_with(kHaproxy + kCommand,
                 "[ { lb: edge, backend: be }, { lb: f5, pool: main, member: \"{address}\" } ]"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const Service& web = *result.fleet->service("web");
  ASSERT_EQ(web.instances[1].targets.size(), 2U);
  EXPECT_EQ(web.instances[1].targets[0].pool, "be");
  EXPECT_EQ(web.instances[1].targets[0].member, "b");
  EXPECT_EQ(web.instances[1].targets[1].pool, "main");
  EXPECT_EQ(web.instances[1].targets[1].member, "10.0.0.2");
  const LoadBalancer& f5 = result.fleet->load_balancers.at("f5");
  EXPECT_EQ(f5.kind, LbKind::command);
  EXPECT_EQ(f5.nodes[0].host, "lb1");
  EXPECT_FALSE(f5.nodes[1].host);
  const auto& options = std::get<CommandLb>(f5.options);
  EXPECT_EQ(options.drain, (std::vector<std::string>{"f5", "off", "{pool}/{member}"}));
  EXPECT_EQ(options.timeout_ms, 10'000);
  EXPECT_TRUE(options.count.empty());
}

TEST(LbKinds, KeysOfAnotherKindAreErrors) {
  const auto lb = load_text(fleet_with(
      "  edge: { kind: haproxy, drain: [x], nodes: [ { name: l, socket: \"tcp:1.2.3.4:9\" } ] }\n",
      "[ { lb: edge, backend: be } ]"));
  ASSERT_NE(find(lb, "HL0114"), nullptr) << codes_of(lb);
  EXPECT_THAT(render(lb.diagnostics, false), HasSubstr("only for command"));
  const auto pool = load_text(fleet_with(kCommand, "[ { lb: f5, pool: m, server: x } ]"));
  ASSERT_NE(find(pool, "HL0104"), nullptr) << codes_of(pool);
  EXPECT_THAT(render(pool.diagnostics, false), HasSubstr("did you mean `member`?"));
  const auto node =
      load_text(fleet_with("  f5: { kind: command, drain: [a], rejoin: [a], state: [a], nodes: [ { "
                           "name: n, socket: \"tcp:1:2\" } ] }\n",
                           "[ { lb: f5, pool: m } ]"));
  EXPECT_NE(find(node, "HL0104"), nullptr) << codes_of(node);
}

TEST(LbKinds, MissingKeysAreThoseOfThePoolsOwnKind) {
  const auto haproxy = load_text(fleet_with(kHaproxy, "[ { lb: edge } ]"));
  ASSERT_NE(find(haproxy, "HL0102"), nullptr);
  EXPECT_THAT(render(haproxy.diagnostics, false), HasSubstr("lacks the key `backend`"));
  const auto command = load_text(fleet_with(kCommand, "[ { lb: f5 } ]"));
  ASSERT_NE(find(command, "HL0102"), nullptr);
  EXPECT_THAT(render(command.diagnostics, false), HasSubstr("lacks the key `pool`"));
}

TEST(LbKinds, AMemberMustDifferPerInstance) {
  const auto result = load_text(fleet_with(kCommand, "[ { lb: f5, pool: m, member: web } ]"));
  ASSERT_NE(find(result, "HL0208"), nullptr) << codes_of(result);
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("would both be member `web`"));
}

TEST(LbKinds, ATimeoutBeyondTheEnginesOwnIsRefused) {
  const auto result = load_text(
      fleet_with("  f5: { kind: command, drain: [a], rejoin: [a], state: [a], timeout: 40s,"
                 " nodes: [ { name: n } ] }\n",
                 "[ { lb: f5, pool: m } ]"));
  EXPECT_NE(find(result, "HL0108"), nullptr) << codes_of(result);
}

TEST(LbKinds, NginxAndTouchFileHaveTheirOwnNames) {
  const auto result = load_text(fleet_with(
      "  n: { kind: nginx, upstreams: /etc/nginx/conf.d/up.conf, nodes: [ { name: l, host: lb1 } ] "
      "}\n"
      "  f: { kind: touch_file, settle: 5s }\n",
      "[ { lb: n, upstream: web, drained_when: no_sockets }, { lb: f, file: /run/web/online } ]"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const auto& targets = result.fleet->service("web")->instances[1].targets;
  EXPECT_EQ(targets[0].pool, "web");
  EXPECT_EQ(targets[0].member, "10.0.0.2:80");
  EXPECT_EQ(targets[0].extras.at("drained_when"), "no_sockets");
  EXPECT_EQ(targets[1].pool, "f");
  EXPECT_EQ(targets[1].member, "/run/web/online") << "the same on every host";
  const auto& nginx = std::get<NginxLb>(result.fleet->load_balancers.at("n").options);
  EXPECT_EQ(nginx.pid_file, "/run/nginx.pid");
}

TEST(LbKinds, ATouchFileNeedsAPortAndATimeToBeNoticed) {
  const std::string files = "  f: { kind: touch_file, settle: 5s }\n";
  const auto portless = load_text(fleet_with(files, "[ { lb: f, file: /run/online } ]", ""));
  EXPECT_NE(find(portless, "HL0220"), nullptr) << codes_of(portless);
  const auto none =
      load_text(fleet_with("  f: { kind: touch_file }\n", "[ { lb: f, file: /run/o } ]"));
  EXPECT_NE(find(none, "HL0102"), nullptr) << codes_of(none);
  const auto zero = load_text(
      fleet_with("  f: { kind: touch_file, settle: 0s }\n", "[ { lb: f, file: /run/o } ]"));
  EXPECT_NE(find(zero, "HL0108"), nullptr) << codes_of(zero);
}

TEST(LbKinds, KindsWithAnApiOrAFileHaveTheirOwnKeys) {
  const auto result = load_text(fleet_with(
      "  e: { kind: envoy, endpoints: /etc/envoy/eds.json, panic_threshold: 20%, nodes: "
      "[ { name: n, "
      "host: lb1 } ] }\n"
      "  p: { kind: nginx_plus, user: me, password: \"${env:X}\", nodes: [ { name: n, url: "
      "\"http://127.0.0.1:1/api/8/\" } ] }\n"
      "  t: { kind: traefik, file: /etc/traefik/web.yml, nodes: [ { name: n } ] }\n"
      "  c: { kind: consul, settle: 5s }\n"
      "  i: { kind: ipvs, nodes: [ { name: n, host: lb1 } ] }\n",
      "[ { lb: e, cluster: web }, { lb: p, upstream: web }, { lb: t, service: web }, { "
      "lb: c, service: "
      "web }, { lb: i, virtual_service: \"tcp:10.0.0.9:80\" } ]"));
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  const auto& lbs = result.fleet->load_balancers;
  EXPECT_EQ(std::get<EnvoyLb>(lbs.at("e").options).panic_percent, 20);
  EXPECT_EQ(lbs.at("e").nodes[0].url, "http://127.0.0.1:9901");
  EXPECT_EQ(lbs.at("p").nodes[0].url, "http://127.0.0.1:1/api/8");
  EXPECT_EQ(std::get<NginxPlusLb>(lbs.at("p").options).user, "me");
  EXPECT_EQ(std::get<ConsulLb>(lbs.at("c").options).url, "http://127.0.0.1:8500");
  EXPECT_EQ(std::get<IpvsLb>(lbs.at("i").options).binary, "/usr/sbin/ipvsadm");
  const auto& targets = result.fleet->service("web")->instances[1].targets;
  EXPECT_EQ(targets[0].member, "10.0.0.2:80");
  EXPECT_EQ(targets[2].member, "http://10.0.0.2:80");
  EXPECT_EQ(targets[3].member, "web") << "the same on every host";
  EXPECT_EQ(targets[4].pool, "tcp:10.0.0.9:80");

  const auto toml = load_text(
      fleet_with("  t: { kind: traefik, file: /etc/traefik/web.toml, nodes: [ { name: n } ] }\n",
                 "[ { lb: t, service: web } ]"));
  EXPECT_NE(find(toml, "HL0232"), nullptr) << codes_of(toml);
  const auto slow = load_text(fleet_with("  c: { kind: consul, settle: 5s, timeout: 9s }\n",
                                         "[ { lb: c, service: web } ]"));
  EXPECT_NE(find(slow, "HL0108"), nullptr) << codes_of(slow);
}

TEST(LbKinds, EveryKindHasAnEntryAndTheSchemaABranch) {
  const auto schema = boost::json::parse(json_schema()).as_object();
  const auto& definitions = schema.at("definitions").as_object();
  const auto& branches = definitions.at("load_balancer").as_object().at("oneOf").as_array();
  EXPECT_EQ(branches.size(), lb_kind_entries().size());
  for (const LbKindEntry& entry : lb_kind_entries()) {
    EXPECT_EQ(&entry_of(entry.kind), find_lb_kind(entry.name));
    for (const Key& key : entry.pool_keys())
      EXPECT_TRUE(
          definitions.at("pool").as_object().at("properties").as_object().contains(key.name))
          << key.name;
  }
  EXPECT_EQ(definitions.at("pool").as_object().at("required").as_array().size(), 1U) << "only lb";
}

}  // namespace
}  // namespace hitless::fleet
