// HAProxy, systemd units, environment files and plain text: before, after, what is said.
#include <gtest/gtest.h>

#include <random>

#include "confdiff/config_diff.hpp"
#include "confdiff/diff_cases_for_tests.hpp"
#include "confdiff/env_file.hpp"
#include "confdiff/haproxy.hpp"
#include "confdiff/systemd_unit.hpp"

namespace hitless::confdiff {
namespace {

class HaproxyDiff : public testing::TestWithParam<Case> {};
TEST_P(HaproxyDiff, IsToldByMeaning) {
  const std::string path = "/etc/haproxy/haproxy.cfg";
  const DiffResult result = diff_config(Kind::haproxy, {{path, GetParam().before}},
                                        {{path, GetParam().after}}, path, Context{"/up", 80});
  EXPECT_EQ(told(result), GetParam().expected) << GetParam().before << "\n→\n" << GetParam().after;
}
INSTANTIATE_TEST_SUITE_P(
    Table, HaproxyDiff,
    testing::Values(
        Case{"backend api\n server a 1.1.1.1:80 check\n",
             "backend api\n  server a 1.1.1.1:80 check # same\n",
             "~ /etc/haproxy/haproxy.cfg|39 bytes|47 bytes|none\n"},
        Case{"backend api\n server a 1.1.1.1:80 weight 1\n",
             "backend api\n server a 1.1.1.1:80 weight 2\n",
             "~ backend api > server a|1.1.1.1:80 weight 1|1.1.1.1:80 weight 2|reload\n"},
        Case{"backend api\n server a x:1\n server b x:2\n",
             "backend api\n server b x:2\n server c x:3\n",
             "+ backend api > server c||x:3|reload\n- backend api > server a|x:1||reload-watch\n"},
        Case{"backend api\n balance roundrobin\n", "backend api\n balance source\n",
             "~ backend api > balance|roundrobin|source|reload-watch\n"},
        Case{"frontend f\n bind :80\n bind :81\n", "frontend f\n bind :80\n",
             "- frontend f > bind :81|||reload-watch\n"},
        Case{"frontend f\n bind :80\n bind :81\n", "frontend f\n bind :81\n",
             "- frontend f > bind :80|||human-only\n"},
        Case{"frontend f\n bind :80\n", "frontend f\n bind 10.0.0.1:80\n",
             "+ frontend f > bind 10.0.0.1:80|||reload-watch\n- frontend f > bind "
             ":80|||reload-watch\n"},
        Case{"global\n stats socket /run/h.sock expose-fd listeners\n",
             "global\n stats socket /run/h.sock\n",
             "~ global > stats socket|/run/h.sock expose-fd listeners|/run/h.sock|human-only\n"},
        Case{"global\n stats socket /run/h.sock\n", "global\n maxconn 9\n",
             "+ global > maxconn||9|reload-watch\n- global > stats "
             "socket|/run/h.sock||human-only\n"},
        Case{"global\n user a\n", "global\n user b\n", "~ global > user|a|b|restart\n"},
        Case{"global\n", "global\n tune.foo 1\n", "+ global > tune.foo||1|restart\n"},
        Case{"frontend f\n http-request deny if a\n http-request allow\n",
             "frontend f\n http-request allow\n http-request deny if a\n",
             "~ frontend f > order of http-request rules|||reload\n"},
        Case{"frontend f\n monitor-uri /up\n", "frontend f\n",
             "- frontend f > monitor-uri|/up||human-only\n"},
        Case{"userlist u\n user x password s3cret\n", "userlist u\n user x password other\n",
             "~ userlist u > user x|[redacted]|[redacted]|reload\n"},
        Case{"defaults\n mode http\nbackend a\n server s x:1\n",
             "defaults\n mode http\ndefaults\n mode tcp\nbackend a\n server s x:1\n",
             "~ backend a > defaults|defaults section 1|defaults section 2|reload-watch\n+ "
             "defaults (2) > mode||tcp|reload-watch\n"},
        Case{"global\n", "global\n log \"x\n",
             "~ the new configuration does not parse||unmatched quote (\")|human-only\n"},
        Case{"global\n", "server a\n",
             "~ the new configuration does not parse||\"server\" stands outside of any "
             "section|human-only\n"}));

class UnitDiff : public testing::TestWithParam<Case> {};
TEST_P(UnitDiff, IsToldByMeaning) {
  const std::string path = "/etc/systemd/system/app.service";
  const DiffResult result = diff_config(Kind::systemd_unit, {{path, GetParam().before}},
                                        {{path, GetParam().after}}, path, {});
  EXPECT_EQ(told(result), GetParam().expected) << GetParam().before << "\n→\n" << GetParam().after;
}
INSTANTIATE_TEST_SUITE_P(
    Table, UnitDiff,
    testing::Values(
        Case{"[Service]\nExecStart=/a\n", "[Service]\nExecStart=/b\n",
             "~ [Service] > ExecStart|/a|/b|restart\n"},
        Case{"[Service]\nExecStart=/a\n", "# c\n[Service]\nExecStart = /a\n",
             "~ /etc/systemd/system/app.service|23 bytes|29 bytes|none\n"},
        Case{"[Service]\nExecStart=/a \\\n -b\n", "[Service]\nExecStart=/a \\\n# c\n -c\n",
             "~ [Service] > ExecStart|/a   -b|/a   -c|restart\n"},
        Case{"[Service]\nRestart=no\n", "[Service]\nRestart=always\n",
             "~ [Service] > Restart|no|always|reload\n"},
        Case{"[Service]\n", "[Service]\nMemoryMax=1G\nTimeoutStopSec=9\nExecReload=/x\n",
             "+ [Service] > ExecReload||/x|reload\n+ [Service] > MemoryMax||1G|reload\n+ [Service] "
             "> TimeoutStopSec||9|reload\n"},
        Case{"[Service]\nLimitNOFILE=1\nUser=a\n", "[Service]\nLimitNOFILE=2\nUser=b\n",
             "~ [Service] > LimitNOFILE|1|2|restart\n~ [Service] > User|a|b|restart\n"},
        Case{"[Service]\nEnvironment=A=1 \"B=x y\"\n",
             "[Service]\nEnvironment=\"B=x y\"\nEnvironment=A=1\n",
             "~ /etc/systemd/system/app.service|34 bytes|46 bytes|none\n"},
        Case{"[Service]\nEnvironment=A=1 DB_PASSWORD=x\n",
             "[Service]\nEnvironment=A=2 DB_PASSWORD=y\n",
             "~ [Service] > Environment A|1|2|restart\n~ [Service] > Environment "
             "DB_PASSWORD|[redacted]|[redacted]|restart\n"},
        Case{"[Unit]\nAfter=a b\nRequires=a\n", "[Unit]\nAfter=b a\n",
             "- [Unit] > Requires=a|||human-only\n"},
        Case{"[Unit]\nWants=a\n", "[Unit]\nWants=a\nWants=b\n",
             "+ [Unit] > Wants=b|||reload-watch\n"},
        Case{"[Service]\nKillMode=mixed\n", "[Service]\nKillMode=process\n",
             "~ [Service] > KillMode|mixed|process|human-only\n"},
        Case{"[Install]\nWantedBy=a\n", "[Install]\nWantedBy=b\n",
             "+ [Install] > WantedBy=b|||none\n- [Install] > WantedBy=a|||none\n"},
        Case{"[Service]\n", "[Service]\nNewThing=1\n", "+ [Service] > NewThing||1|restart\n"},
        Case{"[Service]\n", "ExecStart=/a\n",
             "~ the new configuration does not parse||a setting outside of any "
             "section|human-only\n"},
        Case{"[Socket]\nListenStream=80\n", "[Socket]\n",
             "- [Socket] > ListenStream=80|||human-only\n"}));

TEST(OtherKinds, AnUnknownKeywordIsARestart) {
  const auto class_of = [](Kind kind, const std::string& path, const std::string& before,
                           const std::string& after) {
    return diff_config(kind, {{path, before}}, {{path, after}}, path, Context{"/up", 80})
        .summary.change_class;
  };
  const std::string cfg = "/etc/haproxy/haproxy.cfg", unit = "/etc/systemd/system/web.service";
  EXPECT_EQ(class_of(Kind::haproxy, cfg, "global\n", "global\n made-up on\n"),
            ChangeClass::restart);
  EXPECT_EQ(class_of(Kind::haproxy, cfg, "backend b\n made-up 1\n", "backend b\n made-up 2\n"),
            ChangeClass::restart);
  EXPECT_EQ(class_of(Kind::haproxy, cfg, "global\n", "global\nbackend b\n made-up 1\n"),
            ChangeClass::restart);
  EXPECT_EQ(class_of(Kind::haproxy, cfg, "global\nbackend b\n made-up 1\n", "global\n"),
            ChangeClass::restart);
  EXPECT_EQ(class_of(Kind::systemd_unit, unit, "[Unit]\n", "[Unit]\nMadeUp=yes\n"),
            ChangeClass::restart);
  EXPECT_EQ(class_of(Kind::systemd_unit, unit, "[Service]\nExecStart=/a\n",
                     "[Service]\nExecStart=/a\nMadeUp=yes\n"),
            ChangeClass::restart);
}

TEST(SystemdUnit, MergesDropInsByRankAndName) {
  const Files files = {
      {"/usr/lib/systemd/system/app.service",
       "[Service]\nExecStart=/old\nExecStartPre=/p\nUser=a\n"},
      {"/etc/systemd/system/app.service.d/20-b.conf", "[Service]\nExecStart=\nExecStart=/new\n"},
      {"/usr/lib/systemd/system/app.service.d/10-a.conf", "[Service]\nUser=lib\n"},
      {"/etc/systemd/system/app.service.d/10-a.conf", "[Service]\nUser=etc\nExecStartPre=/q\n"},
      {"/etc/systemd/system/service.d/00-all.conf", "[Service]\nNice=5\n"},
      {"/etc/systemd/system/other.service.d/10.conf", "[Service]\nUser=wrong\n"}};
  const auto unit = parse_systemd_unit(files, "/usr/lib/systemd/system/app.service");
  ASSERT_TRUE(unit.has_value());
  const auto values = [&](const char* name) {
    std::string out;
    if (const auto found = unit->find(name); found != unit->end())
      for (const UnitValue& value : found->second) out += value.text + ";";
    return out;
  };
  EXPECT_EQ(values("Service/ExecStart"), "/new;");
  EXPECT_EQ(values("Service/ExecStartPre"), "/p;/q;");
  EXPECT_EQ(values("Service/User"), "etc;");
  EXPECT_EQ(values("Service/Nice"), "5;");
}

TEST(EnvFile, RestartsAndNamesTheKeys) {
  const std::string path = "/etc/default/web";
  const DiffResult result =
      diff_config(Kind::env_file, {{path, "# c\nA=1\nexport B=\"x\"\nDB_PASSWORD=one\nGONE=1\n"}},
                  {{path, "A='1'\nB=y\nDB_PASSWORD=two\nDB_PASSWORD_FILE=/run/x\n"}}, path, {});
  EXPECT_EQ(told(result),
            "~ B|x|y|restart\n~ DB_PASSWORD||changed|restart\n"
            "+ DB_PASSWORD_FILE||/run/x|restart\n- GONE|1||restart\n");
  EXPECT_EQ(result.changes[1].line, 3);
  EXPECT_EQ(result.summary.text,
            "+1 −1 ~2, environment change (B, DB_PASSWORD, DB_PASSWORD_FILE, GONE), no listen port "
            "changes");
  EXPECT_EQ(diff_config(Kind::env_file, {{path, "A=1"}}, {{path, "# x\nA=1"}}, path, {})
                .summary.change_class,
            ChangeClass::none);
}

TEST(Text, AnyChangeIsARestart) {
  const DiffResult result =
      diff_config(Kind::text, {{"/opt/a", "1"}}, {{"/opt/a", "2"}}, "/opt/a", {});
  EXPECT_EQ(told(result), "~ /opt/a|1 bytes|1 bytes|restart\n");
  EXPECT_EQ(
      diff_config(Kind::text, {{"/opt/a", "1"}}, {{"/opt/a", "1"}}, "/opt/a", {}).summary.text,
      "no change");
}

TEST(GuessKind, ByPath) {
  const std::pair<const char*, Kind> cases[] = {
      {"/etc/nginx/nginx.conf", Kind::nginx},
      {"/etc/nginx/conf.d/api.conf", Kind::nginx},
      {"/usr/local/openresty/nginx/conf/nginx.conf", Kind::nginx},
      {"/etc/haproxy/haproxy.cfg", Kind::haproxy},
      {"/srv/haproxy-edge.cfg", Kind::haproxy},
      {"/etc/systemd/system/app.service", Kind::systemd_unit},
      {"/etc/systemd/system/app.service.d/10-env.conf", Kind::systemd_unit},
      {"/etc/default/web", Kind::env_file},
      {"/srv/web/.env.production", Kind::env_file},
      {"/srv/web/web.env", Kind::env_file},
      {"/srv/web/settings.py", Kind::text}};
  for (const auto& [path, kind] : cases) EXPECT_EQ(guess_kind(path), kind) << path;
}

TEST(ConfigDigest, DependsOnPathsAndContentsAlone) {
  const Files files = {{"/a", "1"}, {"/b", "2"}};
  EXPECT_EQ(config_digest(files), config_digest(Files{{"/b", "2"}, {"/a", "1"}}));
  EXPECT_NE(config_digest(files), config_digest(Files{{"/a", "2"}, {"/b", "1"}}));
  EXPECT_NE(config_digest(files), config_digest(Files{{"/a", "12"}, {"/b", ""}}));
  EXPECT_EQ(config_digest({}).size(), 64u);
}

// Whatever the bytes are: an answer, soon, and no crash.
TEST(OtherKinds, SurviveMutatedInput) {
  const std::string seed =
      "global\n log \"a b\" 'c' \\# x # c\nbackend b\n server s 1:2 check\n[Service]\nExecStart=/a "
      "\\\n b\n"
      "Environment=\"A=1 2\" B=3\nexport C='x\ny'\n";
  const std::string alphabet = "\"'\\#=[]\n \t;\0\xff{}";
  std::mt19937 random(11);
  const auto mutated = [&] {
    std::string text = seed;
    for (std::uint32_t i = random() % 8; i > 0; --i) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = alphabet[random() % alphabet.size()];
      else
        text.insert(at, text.substr(random() % text.size(), random() % 40));
    }
    return text;
  };
  for (int round = 0; round < 800; ++round) {
    const Files before = {{"/x.service", mutated()}}, after = {{"/x.service", mutated()}};
    for (const Kind kind : {Kind::nginx, Kind::haproxy, Kind::apache, Kind::sshd,
                            Kind::systemd_unit, Kind::env_file, Kind::text}) {
      const DiffResult result = diff_config(kind, before, after, "/x.service", {});
      EXPECT_EQ(result.changes.empty(), before == after);
    }
  }
}

}  // namespace
}  // namespace hitless::confdiff
