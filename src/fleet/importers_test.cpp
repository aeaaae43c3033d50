// Inventories, ssh_config, haproxy.cfg, secrets, schema and explanations.
#include <fmt/ostream.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "fleet/explain_table.hpp"
#include "fleet/fleet_test_support.hpp"
#include "fleet/haproxy_cfg.hpp"
#include "fleet/inventory.hpp"
#include "fleet/schema.hpp"
#include "fleet/ssh_config.hpp"

namespace hitless::fleet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Inventory read(const std::string& text, const std::string& name, Diagnostics& diagnostics) {
  Inventory inventory;
  const Folder folder;
  (void)read_inventory(folder.write(name, text), name, diagnostics, inventory);
  return inventory;
}

TEST(Inventory, IniWithGroupsChildrenVarsAndRanges) {
  Diagnostics diagnostics;
  const auto inventory = read(R"(# comment
lone ansible_host=10.9.9.9
[web]
web[01:03].x  ansible_port=2222   # the front
db-[a:c]      ansible_user="some one"
jump:2200
[api]
web02.x
[site:children]
web
api
[web:vars]
ansible_user = deploy
color=web
[site:vars]
color=site
only=site
[all:vars]
only=all
everywhere='yes'
)",
                              "hosts", diagnostics);
  EXPECT_TRUE(diagnostics.take_sorted().empty());
  EXPECT_THAT(inventory.members("web"),
              ElementsAre("web01.x", "web02.x", "web03.x", "db-a", "db-b", "db-c", "jump"));
  EXPECT_THAT(inventory.members("site").size(), 7U);
  EXPECT_EQ(inventory.members("all").size(), 8U);
  auto vars = inventory.vars_of("web02.x");
  EXPECT_EQ(vars["ansible_port"].value, "2222");
  EXPECT_EQ(vars["ansible_user"].value, "deploy");
  EXPECT_EQ(vars["color"].value, "web") << "the child group wins over its parent";
  EXPECT_EQ(vars["only"].value, "site") << "any group wins over all";
  EXPECT_EQ(vars["everywhere"].value, "yes");
  EXPECT_EQ(inventory.vars_of("db-b")["ansible_user"].value, "some one")
      << "the host wins over its group";
  EXPECT_EQ(inventory.vars_of("jump")["ansible_port"].value, "2200");
  EXPECT_EQ(inventory.vars_of("lone")["color"].value, "");
}

TEST(Inventory, YamlAndTheJsonOfAnsible) {
  Diagnostics diagnostics;
  const auto yaml = read(
      "all:\n  vars: { ansible_user: root }\n  children:\n    web:\n      hosts:\n        w[1:2]: "
      "{ ansible_host: 10.0.0.1 }\n"
      "      vars: { ansible_user: deploy }\n    db: { hosts: { d1: } }\n",
      "inv.yml", diagnostics);
  EXPECT_TRUE(diagnostics.take_sorted().empty());
  EXPECT_THAT(yaml.members("all"), ElementsAre("w1", "w2", "d1"));
  EXPECT_EQ(yaml.vars_of("w2")["ansible_user"].value, "deploy");
  EXPECT_EQ(yaml.vars_of("d1")["ansible_user"].value, "root");
  const auto json = read(
      R"({"_meta": {"hostvars": {"a": {"ansible_port": 2222}}}, "all": {"children": ["ungrouped", "web"]}, "web": {"hosts": ["a", "b"]}})",
      "inv.json", diagnostics);
  EXPECT_TRUE(diagnostics.take_sorted().empty());
  EXPECT_THAT(json.members("all"), ElementsAre("a", "b"));
  EXPECT_EQ(json.vars_of("a")["ansible_port"].value, "2222");
}

TEST(Inventory, CyclesEndAndBadOnesAreReported) {
  Diagnostics diagnostics;
  const auto cyclic =
      read("[a:children]\nb\n[b:children]\na\n[b]\nh\n[a:vars]\nx=1\n", "i", diagnostics);
  EXPECT_THAT(cyclic.members("a"), ElementsAre("h"));
  EXPECT_EQ(cyclic.vars_of("h")["x"].value, "1");
  EXPECT_TRUE(diagnostics.take_sorted().empty());
  for (const char* bad :
       {"[web", "[web] x", "[a:b:c]", "[web:vers]", "w[1-2]", "w[5:1]", "w[01:100]",
        "w[1:99999999]", "a b", "[g:vars]\nnope", "[g:children]\na b", "-oProxyCommand=id", "a;b",
        "w[1:100][1:100][1:100]"}) {
    Diagnostics found;
    read(std::string(bad) + "\n", "i", found);
    EXPECT_TRUE(found.has_errors()) << bad;
  }
}

TEST(Inventory, HomeIsFoundAndSshArgumentsAreNotSilentlyDropped) {
  const Folder folder;
  folder.write("hosts.ini",
               "web01 ansible_ssh_private_key_file=~/.ssh/deploy "
               "ansible_ssh_common_args='-o ProxyJump=bastion'\n");
  const auto result = folder.load(
      "version: 1\ninventory: ./hosts.ini\nhosts: {web02: {identity: ~/.ssh/other}}\n"
      "services: {web: {kind: nginx, hosts: [web01, web02], port: 80, "
      "health: {tcp: \"{address}:{port}\"}, policy: {floor: 1}}}\n");
  const auto* found = find(result, "HL0604");
  ASSERT_NE(found, nullptr) << codes_of(result);
  EXPECT_EQ(found->severity, Severity::warning);
  EXPECT_THAT(found->message, HasSubstr("ansible_ssh_common_args"));
  EXPECT_THAT(found->label, HasSubstr("ssh_config"));
  ASSERT_TRUE(result.fleet) << codes_of(result);
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "~";
  EXPECT_EQ(result.fleet->host("web01")->identity, home + "/.ssh/deploy");
  EXPECT_EQ(result.fleet->host("web02")->identity, home + "/.ssh/other");
}

TEST(Inventory, TooManyHostsStop) {
  Diagnostics diagnostics;
  const auto inventory = read("a[0000:9999]\nb[0000:9999]\n", "i", diagnostics);
  EXPECT_EQ(inventory.hosts.size(), Inventory::kMaxHosts);
  EXPECT_EQ(diagnostics.take_sorted().at(0).code, "HL0603");
}

TEST(Inventory, FindingsPointIntoTheInventory) {
  const Folder folder;
  folder.write("hosts.ini",
               "[g]\na ansible_user=-l\nb ansible_host=\"{{ x }}\"\nc ansible_connection=winrm\n");
  const auto result = folder.load(
      "version: 1\ninventory: [hosts.ini]\nservices:\n  s: { kind: systemd, unit: s.service, "
      "hosts: group:g, health: { tcp: \"a:1\" } }\n");
  ASSERT_EQ(result.diagnostics.size(), 3U) << render(result.diagnostics, false);
  EXPECT_EQ(codes_of(result), "HL0111@2:1 HL0604w@3:1 HL0604w@4:1");
  EXPECT_THAT(result.diagnostics[0].file, HasSubstr("hosts.ini"));
}

TEST(SshConfig, FirstMatchWinsIncludesAndNegation) {
  const Folder folder;
  folder.write("extra", "Host alias\n  HostName 10.0.0.7\n");
  const std::string file = folder.write(
      "config",
      "Host !web99 web*\n  HostName %h.example.org\n  Port=2222\nHost web01\n  HostName never\n"
      "Include " +
          folder.path() +
          "/ext*\nMatch user root\n  HostName matched\nMatch all\n  User \"last one\"\n");
  Diagnostics diagnostics;
  const auto config = SshConfig::load(file, diagnostics);
  EXPECT_TRUE(diagnostics.take_sorted().empty());
  EXPECT_EQ(config.lookup("web01").host_name, "web01.example.org");
  EXPECT_EQ(config.lookup("web01").port, "2222");
  EXPECT_EQ(config.lookup("web01").user, "last one");
  EXPECT_EQ(config.lookup("web99").host_name, "");
  EXPECT_EQ(config.lookup("alias").host_name, "10.0.0.7");
}

TEST(SshConfig, AnIncludeOfItselfEnds) {
  const Folder folder;
  const std::string file =
      folder.write("config", "Include " + folder.path() + "/config\nHost a\n  HostName b\n");
  Diagnostics diagnostics;
  EXPECT_EQ(SshConfig::load(file, diagnostics).lookup("a").host_name, "b");
  EXPECT_EQ(diagnostics.take_sorted().at(0).code, "HL0605");
}

TEST(SshConfig, Patterns) {
  EXPECT_TRUE(matches_pattern("web01", "web??"));
  EXPECT_TRUE(matches_pattern("WEB", "web"));
  EXPECT_TRUE(matches_pattern("", "*"));
  EXPECT_FALSE(matches_pattern("web1", "web??"));
  EXPECT_FALSE(matches_pattern(std::string(20'000, 'a'), std::string("*a*a*a*a*a*a*a*b")));
}

TEST(HaproxyCfg, DefaultsServersTemplatesAndTimes) {
  Diagnostics diagnostics;
  Source source;
  ASSERT_TRUE(Source::from_text(R"(global
    stats socket ipv4@127.0.0.1:9999 level admin
    stats socket "/run/h a.sock" mode 660   # operator
defaults base
    timeout server 5000
    default-server inter 5s fall 2
defaults from base
    timeout tunnel 1h
frontend fe
    server not-a-server 1.1.1.1:1
backend b1
    timeout server 1m
    cookie SRV insert
    server s1 10.0.0.1:80 check rise 4 cookie check
    server s2 [::1]:81 check inter 700 fastinter 250ms backup
    server s3 /run/x.sock
    server s4 ${ADDR}:80 check no-check
listen l1 from base
    default-server check
    server-template w 1-3 app:8080
)",
                                "haproxy.cfg", diagnostics, source));
  const auto config = parse_haproxy_cfg(source);
  ASSERT_EQ(config.stats_sockets.size(), 2U);
  EXPECT_EQ(config.stats_sockets[1].address, "/run/h a.sock");
  EXPECT_EQ(config.stats_sockets[1].level, "operator");
  ASSERT_EQ(config.backends.size(), 2U);
  const auto& b1 = config.backends[0];
  EXPECT_EQ(b1.timeout_server_ms, 60'000);
  EXPECT_EQ(b1.timeout_tunnel_ms, 3'600'000);
  EXPECT_TRUE(b1.sticky);
  const auto* s1 = b1.find("s1");
  ASSERT_NE(s1, nullptr);
  EXPECT_TRUE(s1->check && s1->cookie);
  EXPECT_EQ(s1->rise_time_ms(), 20'000);
  EXPECT_EQ(s1->fall, 2);
  EXPECT_EQ(s1->port, 80);
  const auto* s2 = b1.find("s2");
  EXPECT_EQ(s2->host, "::1");
  EXPECT_EQ(s2->rise_time_ms(), 500);
  EXPECT_TRUE(s2->backup);
  EXPECT_EQ(b1.find("s3")->host, "");
  EXPECT_FALSE(b1.find("s4")->check);
  const auto& l1 = config.backends[1];
  EXPECT_EQ(l1.timeout_server_ms, 5'000);
  EXPECT_FALSE(l1.timeout_tunnel_ms);
  ASSERT_EQ(l1.servers.size(), 3U);
  EXPECT_EQ(l1.servers[2].name, "w3");
  EXPECT_TRUE(l1.servers[2].check);
}

// ---- secrets ------------------------------------------------------------------------------------
template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Printable<Secret>, "a secret must not be printable");
static_assert(!fmt::is_formattable<Secret>::value, "a secret must not be formattable");

TEST(Secrets, AreReadWhenTheyAreUsed) {
  const Folder folder;
  ::setenv("HITLESS_TEST_SECRET", "s3cret", 1);
  EXPECT_EQ(Secret::parse("${env:HITLESS_TEST_SECRET}")->reveal().value(), "s3cret");
  ::unsetenv("HITLESS_TEST_SECRET");
  EXPECT_EQ(Secret::parse("${env:HITLESS_TEST_SECRET}")->reveal().error().code,
            ErrorCode::not_found);
  const std::string file = folder.write("token", "from file\r\n");
  EXPECT_EQ(Secret::parse("${file:" + file + "}")->reveal().value(), "from file");
  ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  EXPECT_EQ(Secret::parse("${cred:token}")->reveal().value(), "from file");
  EXPECT_EQ(Secret::parse("${cred:none}")->reveal().error().code, ErrorCode::not_found);
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_FALSE(Secret::parse("${cred:token}")->reveal());
  EXPECT_EQ(Secret::parse("plain")->reveal().value(), "plain");
  EXPECT_TRUE(Secret::parse("plain")->is_literal());
  EXPECT_EQ(Secret::parse("plain")->describe(), "a literal value");
  EXPECT_FALSE(Secret{}.reveal());
}

TEST(Secrets, MalformedReferencesAreNotLiterals) {
  for (const char* bad :
       {"", "${env:}", "${env:A B}", "x${env:A}", "${env:A}x", "${env:A}${env:B}", "${A}",
        "${file:rel}", "${file:/a/../b}", "${cred:../x}", "${cred:a/b}", "${", "${env:A"})
    EXPECT_FALSE(Secret::parse(bad)) << bad;
}

// ---- schema and explanations --------------------------------------------------------------------
void collect_refs(const boost::json::value& value, std::set<std::string>& refs) {
  if (const auto* object = value.if_object())
    for (const auto& [key, member] : *object) {
      if (key == "$ref")
        refs.insert(std::string(member.as_string()));
      else
        collect_refs(member, refs);
    }
  if (const auto* array = value.if_array())
    for (const auto& item : *array) collect_refs(item, refs);
}

TEST(Schema, IsJsonAndItsReferencesResolve) {
  const auto schema = boost::json::parse(json_schema());
  std::set<std::string> refs;
  collect_refs(schema, refs);
  EXPECT_GE(refs.size(), 15U);
  for (const auto& ref : refs)
    EXPECT_TRUE(schema.at("definitions")
                    .as_object()
                    .contains(ref.substr(std::string("#/definitions/").size())))
        << ref;
  const auto& policy = schema.at("definitions").at("policy").at("properties");
  EXPECT_EQ(policy.at("capacity_wait").at("default").as_string(), "60s");
  EXPECT_EQ(schema.at("definitions")
                .at("drain")
                .at("properties")
                .at("deadline")
                .at("default")
                .as_string(),
            "60s");
  EXPECT_EQ(schema.at("definitions").at("service").at("oneOf").as_array().size(), 9U);
}

void each_table(const Table& table, std::set<const Table*>& seen) {
  if (!seen.insert(&table).second) return;
  const std::function<void(const Type&)> visit = [&](const Type& type) {
    if (type.table != nullptr) each_table(*type.table, seen);
    for (const auto& part : type.parts) visit(part);
  };
  for (const auto& key : table.keys) visit(key.type);
}

TEST(Schema, EveryKeyIsDescribedAndEveryDefaultIsLegal) {
  std::set<const Table*> tables;
  each_table(root_table(), tables);
  EXPECT_EQ(tables.size(), 43U);
  for (const Table* table : tables)
    for (const auto& key : table->keys) {
      EXPECT_GT(key.about.size(), 3U) << table->name << "." << key.name;
      EXPECT_FALSE(key.required && !key.fallback.empty()) << table->name << "." << key.name;
      if (key.type.form == Form::text && !key.fallback.empty())
        EXPECT_TRUE(info_of(key.type.format).check(with_sample_values(key.fallback)))
            << table->name << "." << key.name;
      if (key.type.form == Form::choice && !key.fallback.empty())
        EXPECT_NE(std::find(key.type.choices.begin(), key.type.choices.end(), key.fallback),
                  key.type.choices.end())
            << key.name;
    }
}

TEST(Explain, EveryCodeInTheSourcesHasItsTextAndNoOther) {
  std::set<std::string> used;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(HITLESS_SOURCE_DIR) + "/src/fleet")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".cpp" || name.find("_test") != std::string::npos ||
        name.rfind("explain", 0) == 0)
      continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const std::string content = text.str();
    const std::regex code("\"(HL[0-9]{4})\"");
    for (auto it = std::sregex_iterator(content.begin(), content.end(), code);
         it != std::sregex_iterator(); ++it)
      used.insert((*it)[1]);
  }
  const auto codes = explained_codes();
  EXPECT_EQ(used, std::set<std::string>(codes.begin(), codes.end()));
  EXPECT_EQ(codes.size(), used.size()) << "each once";
  EXPECT_THAT(explain("HL0104"), HasSubstr("Wrong:\n    drain: { deadlin: 120s }"));
  EXPECT_EQ(explain("HL9999"), "");
}

}  // namespace
}  // namespace hitless::fleet
