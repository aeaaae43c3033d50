// Types, formats, choices: one small file per rule, wrong and right.
#include <gmock/gmock.h>

#include "fleet/fleet_test_support.hpp"
#include "fleet/format.hpp"
#include "fleet/schema.hpp"

namespace hitless::fleet {
namespace {

using testing::HasSubstr;

// A minimal good file with room for one more line in each place.
std::string with(const std::string& service_lines, const std::string& root_lines = {}) {
  return "version: 1\n" + root_lines +
         "\nhosts: { a: {}, b: {} }\nservices:\n  w:\n    kind: systemd\n    unit: w.service\n"
         "    hosts: [a, b]\n    health: { tcp: \"{address}:80\" }\n" +
         service_lines + "\n";
}

struct Case {
  const char* line;  // in the service, or (when it starts in column 1) at the top
  const char* code;  // empty: fine
  const char* says;  // somewhere in the message
};
class OneLine : public testing::TestWithParam<Case> {};

TEST_P(OneLine, GivesExactlyThisFinding) {
  const Case& c = GetParam();
  const bool top = c.line[0] != ' ';
  const auto result = load_text(top ? with("", c.line) : with(c.line));
  const std::string shown = render(result.diagnostics, false);
  if (*c.code == '\0') {
    EXPECT_EQ(shown, "");
    return;
  }
  EXPECT_EQ(result.diagnostics.size(), 1U) << shown;
  ASSERT_NE(find(result, c.code), nullptr) << shown;
  EXPECT_THAT(shown, HasSubstr(c.says));
  EXPECT_EQ(find(result, c.code)->line, top ? 2 : 10) << shown;
}

INSTANTIATE_TEST_SUITE_P(
    Scalars, OneLine,
    testing::Values(
        Case{"    port: 80", "", ""}, Case{"    port: \"80\"", "HL0105", "drop the quotes"},
        Case{"    port: 080", "HL0105", "leading zeros"},
        Case{"    port: 70000", "HL0108", "from 1 to 65535"},
        Case{"    port: -1", "HL0108", "out of range"},
        Case{"    port: 99999999999999999999", "HL0105", "too large"},
        Case{"    port: eighty", "HL0105", "this is text"},
        Case{"    port: [80]", "HL0105", "a list"},
        Case{"    port: 80.0", "HL0105", "whole number"}, Case{"    port:", "HL0116", "no value"},
        Case{"    port: true", "HL0105", "a boolean"},
        Case{"    policy: { zone_by_zone: yes }", "HL0105", "write true"},
        Case{"    policy: { zone_by_zone: off }", "HL0105", "write false"},
        Case{"    policy: { zone_by_zone: \"true\" }", "HL0105", "this is text"},
        Case{"    policy: { zone_by_zone: false }", "", ""},
        Case{"    policy: { capacity_wait: 30 }", "HL0109", "write 30s or 30ms"},
        Case{"    policy: { capacity_wait: 30 s }", "HL0109", "a unit"},
        Case{"    policy: { capacity_wait: 1m30s }", "", ""},
        Case{"    policy: { verify: { latency_factor: 0.5 } }", "HL0108", "from 1 to 1000"},
        Case{"    policy: { verify: { latency_factor: 2 } }", "", ""},
        Case{"    policy: { rejoin: { max_error_ratio: 0.01 } }", "", ""},
        Case{"    policy: { rejoin: { max_error_ratio: 101% } }", "HL0108", "between 0% and 100%"},
        Case{"    policy: { rejoin: { max_error_ratio: 1.5 } }", "HL0108", "out of range"},
        Case{"    policy: { floor: 50% }", "", ""},
        Case{"    policy: { floor: [1] }", "HL0105", "a percentage"},
        Case{"    policy: { drain: { on_deadline: kill } }", "HL0107", "abort, force, wait"},
        Case{"    policy: { drain: { on_deadline: forse } }", "HL0107", "did you mean `force`?"},
        Case{"    policy: { at_once: auto }", "", ""},
        Case{"    policy: { at_once: autom }", "HL0105", "auto"},
        Case{"    policy: { zone_by_zone: y }", "HL0105", "write true"},
        Case{"    policy: { parallel: 1 }", "HL0104", "did you mean `at_once`?"},
        Case{"    policy: {}", "", ""}, Case{"    policy:", "", ""},
        Case{"    policy: 3", "HL0105", "a map of keys"},
        Case{"    nginx: {}", "HL0114", "only for nginx"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, OneLine,
    testing::Values(
        Case{"ssh: { user: no }", "HL0106", "write \"no\""},
        Case{"ssh: { user: \"-l\" }", "HL0111", "starts with '-'"},
        Case{"ssh: { connect_timeout: 5s }", "", ""}, Case{"ssh: { keep: 60s }", "", ""},
        Case{"ssh: { keep: 2h }", "HL0108", "at most 1h"},
        Case{"ssh: { control: auto }", "HL0104", "control"},
        Case{"ssh: { config: ./nothing-here }", "HL0605", "No such file"},
        Case{"prober: { url: \"ftp://x/\" }", "HL0112", "http://"},
        Case{"prober: { url: \"http://u:p@x/\" }", "HL0112", "do not belong"},
        Case{"prober: { url: \"http://x:99999/\" }", "HL0112", "port"},
        Case{"prober: { url: \"http://0x7f.1/\" }", "HL0112", "IPv4"},
        Case{"prober: { url: \"http://[::1]:80/x\" }", "", ""},
        Case{"prober: [ { url: \"http://x/\", rate: 0 } ]", "HL0108", "from 1 to 2000"},
        Case{"prober: { rate: 5 }", "HL0102", "lacks the key `url`"},
        Case{"prober: { url: [\"http://x/\", \"https://y:8443/\"], rate: 2000 }", "", ""},
        Case{"prober: { url: \"http://x/\", paths: [ { path: nope } ] }", "HL0111", "'/'"},
        Case{"prober: { url: \"http://x/a\", paths: [ { path: /b } ] }", "HL0115", "`paths` too"},
        Case{"prober: { url: \"http://x/\", paths: [ { path: /b, weight: 0 } ] }", "HL0108",
             "no path"},
        Case{"prober: { url: \"http://x/\", mix: { get_new: 0 } }", "HL0108", "the mix"},
        Case{"prober: { url: \"http://x/\", mix: { get: 1 } }", "HL0104", "get_"},
        Case{"prober: { url: \"http://x/\", post_path: /p }", "HL0213", "no POSTs"},
        Case{"prober: { url: \"http://x/\", mix: { post_new: 1 }, post_path: /p }", "", ""},
        Case{"prober: { url: \"http://x/\", websocket_path: /p }", "HL0213", "no websocket"},
        Case{"prober: { url: \"http://x/\", verify_tls: false }", "HL0213", "not https"},
        Case{"prober: { url: \"http://x/\", timeout: 3m }", "HL0108", "at most 2m"},
        Case{"prober: { url: \"http://x/\", baseline: 500ms }", "HL0213", "at 20/s it takes 1"},
        Case{"prober: { url: \"http://x/\", soak: 2h }", "HL0108", "at most 1h"},
        Case{"prober: { url: \"http://x/\", services: [wbe] }", "HL0214", "not defined"},
        Case{"prober: { url: \"http://x/\", host: \"a b\" }", "HL0111", "spaces"},
        Case{"prober: { url: \"http://x/\", server_header: \"X:Y\" }", "HL0111", "header"},
        Case{"prober: { url: \"http://x/\", mix: { post_new: 1 }, executions_url: "
             "\"http://{hots}/\" }",
             "HL0113", "did you mean"},
        Case{
            "load_balancers: { e: { kind: haproxy, nodes: [ { name: n, socket: /run/x.sock } ] } }",
            "HL0112", "neither unix: nor tcp:"},
        Case{"load_balancers: { e: { kind: haproxy, nodes: [] } }", "HL0108", "1 to 64 entries"},
        Case{"load_balancers: { e: { kind: f5, nodes: [ { name: n, socket: \"unix:/x\" } ] } }",
             "HL0107", "haproxy"},
        Case{"notifications: [ { kind: webhook, url: \"${env:1X}\" } ]", "HL0502",
             "variable's name"},
        Case{"notifications: [ { kind: webhook, url: \"${vault:x}\" } ]", "HL0502",
             "none of env, file, cred"},
        Case{"notifications: [ { kind: webhook } ]", "HL0102", "lacks the key `url`"},
        Case{"notifications: [ { kind: webhook, url: \"http://x/\", required: true, on: [failed] } "
             "]",
             "HL0245", "started"},
        Case{"notifications: [ { kind: slack } ]", "HL0115", "a webhook or a token"},
        Case{"notifications: [ { kind: slack, token: \"${env:T}\" } ]", "HL0102", "channel"},
        Case{"notifications: [ { kind: smtp, url: \"smtp://m:587\", from: a, to: [b@c.d] } ]",
             "HL0111", "ops@example.org"},
        Case{"notifications: [ { kind: webhook, url: \"http://x/\", token: y } ]", "HL0114",
             "only for slack"},
        Case{"notifications: [ { kind: webhook, url: \"http://x/\", on: [startd] } ]", "HL0107",
             "`started`"},
        Case{"notifications: [ { kind: webhook, url: \"http://x/\", secret: abc } ]", "HL0501",
             "a literal secret"},
        Case{"notifications: []", "", ""},
        Case{"    config: [ { source: hitless.yaml, dest: relative } ]", "HL0111",
             "does not start with '/'"},
        Case{"    config: [ { source: hitless.yaml, dest: /a/../b } ]", "HL0111", "contains '..'"},
        Case{"    pools: []", "HL0108", "1 to 32"}));

TEST(Shape, CommandsAreListsAndTheMessageWritesTheList) {
  const auto file = [](const std::string& restart) {
    return "version: 1\nhosts: { a: {} }\nservices:\n  w:\n    kind: command\n    hosts: [a]\n    "
           "health: { tcp: \"{address}:80\" }\n"
           "    commands:\n      pid_file: /x.pid\n      restart: " +
           restart + "\n";
  };
  EXPECT_THAT(render(load_text(file("systemctl restart x")).diagnostics, false),
              HasSubstr("help: restart: [systemctl, restart, x]"));
  EXPECT_THAT(render(load_text(file("cat x | sh")).diagnostics, false), HasSubstr("[sh, -c, '…']"));
  EXPECT_EQ(codes_of(load_text(file("[]"))), "HL0110@10:7");
  EXPECT_EQ(codes_of(load_text(file("[-x]"))), "HL0110@10:17");
  EXPECT_EQ(codes_of(load_text(file("[a, [b]]"))), "HL0110@10:20");
  EXPECT_THAT(render(load_text(file("[a, \"{hots}\"]")).diagnostics, false),
              HasSubstr("did you mean `{host}`?"));
  EXPECT_EQ(codes_of(load_text(file("[awk, \"{print}\", 0644, no]"))), "");
}

TEST(Shape, ChecksWantExactlyOneWay) {
  const std::string head =
      "version: 1\nhosts: { a: {}, b: {} }\nservices:\n  w:\n    kind: systemd\n    unit: "
      "w.service\n    hosts: [a, b]\n";
  EXPECT_EQ(codes_of(load_text(head + "    health: { rise: 2 }\n")), "HL0115@8:5");
  EXPECT_EQ(codes_of(load_text(head + "    health:\n")), "HL0310w@4:3 HL0115@8:5");
  EXPECT_EQ(codes_of(load_text(head + "    health: { tcp: \"a:1\", http: \"http://a/\" }\n")),
            "HL0115@8:15");
  EXPECT_THAT(
      render(load_text(head + "    health: { http: \"http://{addres}/\" }\n").diagnostics, false),
      HasSubstr("did you mean `{address}`?"));
}

TEST(Formats, PlainScalarsAreWhatYamlReadersTakeThemFor) {
  for (const char* text : {"no", "Yes", "TRUE", "off"})
    EXPECT_EQ(kind_of_plain(text), PlainKind::boolean) << text;
  for (const char* text : {"0", "0644", "0x1f", "-5", "1_000"})
    EXPECT_EQ(kind_of_plain(text), PlainKind::integer) << text;
  for (const char* text : {"1.5", ".5", "1e3", "1.2e-3", ".inf"})
    EXPECT_EQ(kind_of_plain(text), PlainKind::number) << text;
  for (const char* text : {"10.0.0.1", "5s", "75%", "-", "_", "1e", "0x", "web01", "12:30", ""})
    EXPECT_EQ(kind_of_plain(text), PlainKind::text) << text;
}

TEST(Formats, HostAndPort) {
  EXPECT_EQ(parse_host_port("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_host_port("web01:443")->port, 443);
  for (const char* bad : {"", "web01", "::1:80", "[::1]", "a:0", "a:65536", "a:08", "-x:1", ":80"})
    EXPECT_FALSE(parse_host_port(bad)) << bad;
}

TEST(Formats, Expand) {
  EXPECT_EQ(expand("{host}-{port}-{other}{host}", {{"host", "{port}"}, {"port", "80"}}),
            "{port}-80-{other}{port}");
  EXPECT_EQ(expand("${env:X} {} { host }", {{"host", "a"}}), "${env:X} {} { host }");
}

}  // namespace
}  // namespace hitless::fleet
