// Inventories that are asked for: the output of a command and a Consul catalogue, good and bad.
#include "fleet/fleet_test_support.hpp"

namespace hitless::fleet {
namespace {

constexpr const char* kFleet = R"(version: 1
inventory_command: [ansible-inventory, -i, hosts.ini, --list]
services:
  web: { kind: nginx, hosts: ["group:web"], port: 80, health: { tcp: "{address}:80" }, policy: { floor: 1 } }
)";
constexpr const char* kConsul = R"(version: 1
consul: { url: "http://127.0.0.1:8500/", services: [web] }
services:
  web: { kind: nginx, hosts: ["group:web"], port: 80, health: { tcp: "{address}:80" }, policy: { floor: 1 } }
)";
// As ansible-inventory 2.14 prints it.
constexpr const char* kList = R"({
    "_meta": { "hostvars": { "web01": { "ansible_host": "10.0.0.11", "ansible_user": "deploy" },
                             "web02": { "ansible_host": "10.0.0.12", "nested": {"a": [1]} } } },
    "all": { "children": [ "ungrouped", "web" ] },
    "web": { "hosts": [ "web01", "web02" ] }
})";

Outside says(Result<std::string> text) {
  Outside outside;
  outside.run = [text](const std::vector<std::string>& argv) {
    EXPECT_EQ(argv, (std::vector<std::string>{"ansible-inventory", "-i", "hosts.ini", "--list"}));
    return text;
  };
  outside.get = [text](const std::string& url, const std::string& token) {
    EXPECT_EQ(url, "http://127.0.0.1:8500/v1/catalog/service/web");
    EXPECT_EQ(token, "");
    return text;
  };
  return outside;
}

constexpr const char* kAws = R"(version: 1
aws: { target_groups: ["arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/6d0e"], region: eu-west-1 }
services:
  web: { kind: nginx, hosts: ["group:web"], port: 80, health: { tcp: "{address}:80" }, policy: { floor: 1 } }
)";

TEST(InventoryOutside, TargetGroupsOfAws) {
  std::string said = "web01 10.0.0.11\nweb02 10.0.0.12\n";
  Outside outside;
  outside.target_group = [&](const TargetGroupQuestion& question) {
    EXPECT_EQ(question.region, "eu-west-1");
    EXPECT_EQ(question.profile, "");
    return Result<std::string>(said);
  };
  const LoadResult result = load_fleet_text(kAws, "hitless.yaml", outside);
  ASSERT_TRUE(result.fleet) << render(result.diagnostics, false);
  EXPECT_EQ(result.fleet->host("web02")->address, "10.0.0.12");
  EXPECT_EQ(result.fleet->service("web")->instances.size(), 2U);
  said = "web01 10.0.0.11\n";
  EXPECT_NE(load_fleet_text(kAws, "hitless.yaml", outside).fleet->digest, result.fleet->digest);
  for (const char* bad : {"", "web01\n", "web01 -oProxyCommand=x\n", "-x 10.0.0.1\n"}) {
    said = bad;
    const LoadResult refused = load_fleet_text(kAws, "hitless.yaml", outside);
    EXPECT_FALSE(refused.fleet) << bad;
    EXPECT_NE(find(refused, "HL0606"), nullptr) << codes_of(refused);
  }
  EXPECT_FALSE(load_fleet_text(kAws, "hitless.yaml", {}).fleet) << "nobody is asked from here";
}

TEST(InventoryOutside, TheListOfAnsibleInventory) {
  const LoadResult result = load_fleet_text(kFleet, "hitless.yaml", says(std::string(kList)));
  ASSERT_TRUE(result.fleet) << codes_of(result);
  EXPECT_EQ(result.fleet->host("web01")->address, "10.0.0.11");
  EXPECT_EQ(result.fleet->host("web01")->user, "deploy");
  EXPECT_EQ(result.fleet->service("web")->instances.size(), 2U);
}

TEST(InventoryOutside, AnotherAnswerIsAnotherFleet) {
  const LoadResult one = load_fleet_text(kFleet, "hitless.yaml", says(std::string(kList)));
  const LoadResult two = load_fleet_text(kFleet, "hitless.yaml", says(std::string(kList) + "\n"));
  ASSERT_TRUE(one.fleet && two.fleet);
  EXPECT_NE(one.fleet->digest, two.fleet->digest);
}

TEST(InventoryOutside, ACommandThatFailsIsAnErrorWithItsPlace) {
  const LoadResult result = load_fleet_text(
      kFleet, "hitless.yaml", says(fail(ErrorCode::failed, "ended with exit 4: no such file")));
  EXPECT_FALSE(result.fleet);
  const Diagnostic* d = find(result, "HL0606");
  ASSERT_NE(d, nullptr) << codes_of(result);
  EXPECT_EQ(d->line, 2);
  EXPECT_NE(d->message.find("exit 4"), std::string::npos);
}

TEST(InventoryOutside, OutputThatIsNoInventoryNamesItsSource) {
  for (const char* text : {"[1, 2]", "{\"web\": 3}", "{", "usage: ansible-inventory"}) {
    const LoadResult result = load_fleet_text(kFleet, "hitless.yaml", says(std::string(text)));
    EXPECT_FALSE(result.fleet) << text;
    bool named = false;
    for (const Diagnostic& d : result.diagnostics)
      named |= d.file.find("output of ansible-inventory") != std::string::npos;
    EXPECT_TRUE(named) << text << ": " << codes_of(result);
  }
}

TEST(InventoryOutside, NothingIsRunUnlessTheCallerCan) {
  EXPECT_NE(find(load_fleet_text(kFleet, "hitless.yaml"), "HL0606"), nullptr);
  EXPECT_NE(find(load_fleet_text(kConsul, "hitless.yaml"), "HL0606"), nullptr);
}

TEST(InventoryOutside, ACatalogueBecomesAGroup) {
  const std::string answer =
      R"([{"Node":"web01","Address":"10.0.0.1","ServiceAddress":"10.1.0.1","ServicePort":80},
          {"Node":"web02","Address":"10.0.0.2","ServiceAddress":""}])";
  const LoadResult result = load_fleet_text(kConsul, "hitless.yaml", says(answer));
  ASSERT_TRUE(result.fleet) << codes_of(result);
  EXPECT_EQ(result.fleet->host("web01")->address, "10.1.0.1");
  EXPECT_EQ(result.fleet->host("web02")->address, "10.0.0.2");
  EXPECT_EQ(result.fleet->service("web")->instances.size(), 2U);
}

TEST(InventoryOutside, ABadCatalogueIsRefusedAsAWhole) {
  for (const char* text :
       {"[]", "{}", "nonsense", R"([{"Node":"-oProxyCommand=x","Address":"10.0.0.1"}])",
        R"([{"Node":"web01","Address":"10.0.0.1"},{"Node":"web02"}])", R"([{"Node":7}])", "[[]]"}) {
    const LoadResult result = load_fleet_text(kConsul, "hitless.yaml", says(std::string(text)));
    EXPECT_FALSE(result.fleet) << text;
    EXPECT_NE(find(result, "HL0606"), nullptr) << text << ": " << codes_of(result);
  }
}

}  // namespace
}  // namespace hitless::fleet
