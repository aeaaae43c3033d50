// What a change of an nginx configuration is called, as tables: before, after, what is said.
#include <gtest/gtest.h>

#include "confdiff/config_diff.hpp"
#include "confdiff/diff_cases_for_tests.hpp"

namespace hitless::confdiff {
namespace {

const std::string kMain = "/etc/nginx/nginx.conf";
const Context kContext{"/healthz", 80};

DiffResult diff(const std::string& before, const std::string& after, Context context = kContext) {
  return diff_config(Kind::nginx, {{kMain, before}}, {{kMain, after}}, kMain, context);
}

class NginxDiff : public testing::TestWithParam<Case> {};

TEST_P(NginxDiff, IsToldByMeaning) {
  EXPECT_EQ(told(diff(GetParam().before, GetParam().after)), GetParam().expected)
      << GetParam().before << "\n→\n"
      << GetParam().after;
}

INSTANTIATE_TEST_SUITE_P(
    Upstreams, NginxDiff,
    testing::Values(Case{"http { upstream api { server 10.0.0.7:80; } }",
                         "http { upstream api { server 10.0.0.7:80 weight=2; } }",
                         "~ http > upstream api > server 10.0.0.7:80||weight=2|reload\n"},
                    Case{"http { upstream api { server 10.0.0.7; } }",
                         "http { upstream api { server 10.0.0.7; server 10.0.0.8; } }",
                         "+ http > upstream api > server 10.0.0.8|||reload\n"},
                    Case{"http { upstream api { server a; server b; } }",
                         "http { upstream api { server a; } }",
                         "- http > upstream api > server b|||reload-watch\n"},
                    Case{"http { upstream api { server a; server b down; } }",
                         "http { upstream api { server b down; server a:80 weight=1; } }",
                         "~ /etc/nginx/nginx.conf|50 bytes|62 bytes|none\n"},
                    Case{"http { upstream api { ip_hash; server a; server b; } }",
                         "http { upstream api { ip_hash; server b; server a; } }",
                         "~ http > upstream api > order of server rules|||reload-watch\n"},
                    Case{"http { upstream api { server a; } }",
                         "http { upstream api { least_conn; server a; } }",
                         "+ http > upstream api > least_conn|||reload-watch\n"},
                    Case{"http { upstream api { server a; } }",
                         "http { upstream api { server a; } upstream new { server b; } }",
                         "+ http > upstream new||(1 directive)|reload\n"},
                    Case{"http { upstream api { server a; } upstream old { server b; } }",
                         "http { upstream api { server a; } }",
                         "- http > upstream old|(1 directive)||reload-watch\n"},
                    Case{"http { upstream api { zone z 64k; server a; } }",
                         "http { upstream api { zone z 128k; server a; } }",
                         "~ http > upstream api > zone|z 64k|z 128k|reload-watch\n"}));

INSTANTIATE_TEST_SUITE_P(
    Layout, NginxDiff,
    testing::Values(Case{"http { gzip on; }", "http { gzip on; }", ""},
                    Case{"http { gzip on; } # a", "http {\n  \"gzip\" 'on';\n}",
                         "~ /etc/nginx/nginx.conf|21 bytes|23 bytes|none\n"},
                    Case{"events {} http { gzip on; tcp_nopush on; }",
                         "http { tcp_nopush on; gzip on; } events {}",
                         "~ /etc/nginx/nginx.conf|42 bytes|42 bytes|none\n"},
                    Case{"http { server { listen 80; server_name a b c; } }",
                         "http { server { server_name a; listen *:80; server_name c b; } }",
                         "~ /etc/nginx/nginx.conf|49 bytes|64 bytes|none\n"},
                    Case{"http { server { location /a { root /x; } location /b { root /y; } } }",
                         "http { server { location /b { root /y; } location /a { root /x; } } }",
                         "~ /etc/nginx/nginx.conf|69 bytes|69 bytes|none\n"}));

INSTANTIATE_TEST_SUITE_P(
    Order, NginxDiff,
    testing::Values(
        Case{"http { server { location ~ a { root /x; } location ~ b { root /y; } } }",
             "http { server { location ~ b { root /y; } location ~ a { root /x; } } }",
             "~ http > server 80 > order of location (regular expressions) rules|||reload\n"},
        Case{"http { server { rewrite ^/a /b; return 404; } }",
             "http { server { return 404; rewrite ^/a /b; } }",
             "~ http > server 80 > order of rewrite rules|||reload\n"},
        Case{"http { server { if ($a) { set $x 1; } if ($b) { set $x 2; } } }",
             "http { server { if ($b) { set $x 2; } if ($a) { set $x 1; } } }",
             "~ http > server 80 > order of rewrite rules|||reload\n"},
        Case{"http { server { if ( $a = \"b\" ) { return 403; } } }",
             "http { server { if ($a = b) { return 404; } } }",
             "~ http > server 80 > if ($a = b) > return|403|404|reload\n"},
        Case{"http { server { allow 10.0.0.0/8; deny all; } }",
             "http { server { deny all; allow 10.0.0.0/8; } }",
             "~ http > server 80 > order of access rules|||reload\n"},
        Case{"http { add_header Link a; add_header Link b; }",
             "http { add_header Link b; add_header Link a; }",
             "~ http > add_header Link|a | b|b | a|reload\n"},
        Case{"http { add_header A a; add_header B b; }", "http { add_header B b; add_header A a; }",
             "~ /etc/nginx/nginx.conf|40 bytes|40 bytes|none\n"},
        Case{"http { map $a $b { ~x 1; ~y 2; } }", "http { map $a $b { ~y 2; ~x 1; } }",
             "~ http > map $a $b > order of regex rules|||reload\n"},
        Case{"http { server { server_name ~^a; } server { server_name ~^b; } }",
             "http { server { server_name ~^b; } server { server_name ~^a; } }",
             "~ http > default server of *:80|server ~^a:80|server ~^b:80|reload-watch\n"
             "~ http > server_name (regular expressions)|~^a ~^b|~^b ~^a|reload\n"}));

INSTANTIATE_TEST_SUITE_P(
    Bodies, NginxDiff,
    testing::Values(
        Case{"http { server { server_name a; location / { proxy_pass http://x; } } }",
             "http { server { server_name a; location / { proxy_pass http://y; } } }",
             "~ http > server a:80 > location / > proxy_pass|http://x|http://y|reload\n"},
        Case{"http { server { location / { } } }",
             "http { server { location / { } location /new { return 200; } } }",
             "+ http > server 80 > location /new||(1 directive)|reload\n"},
        Case{"http { server { } }",
             "http { server { add_header X-Frame-Options DENY; fastcgi_param A b; } }",
             "+ http > server 80 > add_header X-Frame-Options||DENY|reload\n+ http > server 80 > "
             "fastcgi_param A||b|reload\n"},
        Case{"http { server { server_name old; root /x; } server { server_name b; } }",
             "http { server { server_name new; root /x; } server { server_name b; } }",
             "~ http > server new:80 > server_name|old|new|reload\n"},
        Case{"http { map $a $b { default 0; x 1; } }",
             "http { map $a $b { default 0; x 2; pid 3; } }",
             "~ http > map $a $b > x|1|2|reload\n+ http > map $a $b > pid||3|reload\n"},
        Case{"http { proxy_read_timeout 60s; }", "http { proxy_read_timeout 5s; }",
             "~ http > proxy_read_timeout|60s|5s|reload-watch\n"},
        Case{"http { access_log /a.log; }", "http { access_log /b.log; }",
             "+ http > access_log /b.log|||reload-watch\n- http > access_log "
             "/a.log|||reload-watch\n"},
        Case{"http { }", "http { brotli on; }", "+ http > brotli||on|restart\n"},
        Case{"http { server { ssl_certificate a.pem; } }",
             "http { server { ssl_certificate b.pem; } }",
             "~ http > server 80 > ssl_certificate|a.pem|b.pem|reload-watch\n"}));

INSTANTIATE_TEST_SUITE_P(
    Process, NginxDiff,
    testing::Values(Case{"pid /run/a;", "pid /run/b;", "~ pid|/run/a|/run/b|human-only\n"},
                    Case{"", "daemon off;", "+ daemon||off|human-only\n"},
                    Case{"", "master_process off;", "+ master_process||off|human-only\n"},
                    Case{"", "load_module modules/x.so;", "+ load_module modules/x.so|||restart\n"},
                    Case{"user a;", "user b;", "~ user|a|b|reload-watch\n"},
                    Case{"worker_processes 1;", "worker_processes 4;",
                         "~ worker_processes|1|4|reload-watch\n"},
                    Case{"events { worker_connections 1; }", "events { worker_connections 2; }",
                         "~ events > worker_connections|1|2|reload-watch\n"}));

INSTANTIATE_TEST_SUITE_P(
    Zones, NginxDiff,
    testing::Values(
        Case{
            "http { limit_req_zone $a zone=z:1m rate=1r/s; }",
            "http { limit_req_zone $b zone=z:1024k rate=1r/s; }",
            "~ http > limit_req_zone z|$a zone=z:1m rate=1r/s|$b zone=z:1024k rate=1r/s|restart\n"},
        Case{"http { limit_req_zone $a zone=z:1m rate=1r/s; }",
             "http { limit_req_zone $b zone=z:2m rate=1r/s; }",
             "~ http > limit_req_zone z|$a zone=z:1m rate=1r/s|$b zone=z:2m "
             "rate=1r/s|reload-watch\n"},
        Case{"http { limit_req_zone $a zone=z:1m rate=1r/s; }",
             "http { limit_req_zone $a zone=z:1m rate=9r/s; }",
             "~ http > limit_req_zone z|$a zone=z:1m rate=1r/s|$a zone=z:1m rate=9r/s|reload\n"},
        Case{"http { limit_conn_zone $a zone=z:1m; }", "http { limit_conn_zone $b zone=z:1m; }",
             "~ http > limit_conn_zone z|$a zone=z:1m|$b zone=z:1m|restart\n"},
        Case{"http { proxy_cache_path /a levels=1:2 keys_zone=c:1m; }",
             "http { proxy_cache_path /b levels=1:2 keys_zone=c:1m; }",
             "~ http > proxy_cache_path c|/a levels=1:2 keys_zone=c:1m|/b levels=1:2 "
             "keys_zone=c:1m|restart\n"},
        Case{"http { fastcgi_cache_path /a levels=1:2 keys_zone=c:1m; }",
             "http { fastcgi_cache_path /a levels=1 keys_zone=c:1m; }",
             "~ http > fastcgi_cache_path c|/a levels=1:2 keys_zone=c:1m|/a levels=1 "
             "keys_zone=c:1m|restart\n"},
        Case{"http { proxy_cache_path /a keys_zone=c:1m max_size=1g; }",
             "http { proxy_cache_path /a keys_zone=c:1m max_size=2g; }",
             "~ http > proxy_cache_path c|/a keys_zone=c:1m max_size=1g|/a keys_zone=c:1m "
             "max_size=2g|reload\n"}));

INSTANTIATE_TEST_SUITE_P(
    Listens, NginxDiff,
    testing::Values(
        Case{"http { server { listen 80; } }", "http { server { listen 80; listen 8443 ssl; } }",
             "+ http > server 80 > listen 8443||ssl|reload-watch\n"},
        Case{"http { server { listen 80; listen 8080; } }", "http { server { listen 80; } }",
             "- http > server 80 > listen 8080|||reload-watch\n"},
        Case{"http { server { listen 80; } }", "http { server { listen 8080; } }",
             "+ http > server 8080 > listen 8080|||reload-watch\n- http > server 80 > listen "
             "80|||human-only\n"},
        Case{"http { server { listen 127.0.0.1:80; } }", "http { server { listen 80; } }",
             "+ http > server 80 > listen 80|||restart\n- http > server 127.0.0.1:80 > listen "
             "127.0.0.1:80|||reload-watch\n"},
        Case{"http { server { listen 80; } }", "http { server { listen 127.0.0.1:80; } }",
             "+ http > server 127.0.0.1:80 > listen 127.0.0.1:80|||restart\n- http > server 80 > "
             "listen 80|||reload-watch\n"},
        // The specific address was never bound while the wildcard was there; now it would have to
        // be.
        Case{"http { server { listen 127.0.0.1:80; server_name a; } server { listen 80; "
             "server_name b; } }",
             "http { server { listen 127.0.0.1:80; server_name a; } }",
             "- http > server b:80|(2 directives)||reload-watch\n+ http > server a 127.0.0.1:80 > "
             "listen 127.0.0.1:80|||restart\n- http > server b:80 > listen 80|||reload-watch\n"},
        Case{"http { server { listen 80; } }",
             "http { server { listen 80; } server { listen 80; server_name b; } }",
             "+ http > server b:80||(2 directives)|reload\n"},
        Case{"http { server { listen 80; } }", "http { server { listen 80 ssl; } }",
             "~ http > server 80 > listen 80||ssl|reload-watch\n"},
        Case{"http { server { listen [::]:80 ipv6only=off; } }",
             "http { server { listen [::]:80; } }",
             "~ http > server [::]:80 > listen [::]:80|ipv6only=off||reload-watch\n~ http > server "
             "[::]:80 > listen [::]:80|||restart\n"},
        Case{"http { server { listen 80; } } stream { server { listen 53 udp; } }",
             "http { server { listen 80; } } stream { server { listen 53; } }",
             "+ stream > server 53 > listen 53|||reload-watch\n- stream > server 53/udp > listen "
             "53/udp|udp||reload-watch\n"}));

INSTANTIATE_TEST_SUITE_P(
    Health, NginxDiff,
    testing::Values(
        Case{"http { server { location = /healthz { return 200; } location / { } } }",
             "http { server { location / { } } }",
             "- http > server 80 > location = /healthz|(1 directive)||human-only\n"},
        Case{"http { server { location = /healthz { return 200; } } }",
             "http { server { location /healthz { return 200; } } }",
             "+ http > server 80 > location /healthz||(1 directive)|reload-watch\n- http > server "
             "80 > location = /healthz|(1 directive)||reload-watch\n"},
        Case{"http { server { location = /healthz { return 200; } } }",
             "http { server { location = /healthz { return 503; } } }",
             "~ http > server 80 > location = /healthz > return|200|503|reload-watch\n"},
        Case{"http { server { location / { } location /other { } } }",
             "http { server { location / { } } }",
             "- http > server 80 > location /other|(0 directives)||reload\n"},
        Case{"http { server { listen 80; location /healthz { } } server { listen 81; location "
             "/healthz { } } }",
             "http { server { listen 80; location /healthz { } } server { listen 81; } }",
             "- http > server 81 > location /healthz|(0 directives)||reload\n"}));

// What has no rule may well be read at the start alone: nobody can promise that a reload applies
// it.
TEST(NginxDiffContext, AnUnknownDirectiveIsARestart) {
  const auto class_of = [](const std::string& before, const std::string& after) {
    return diff(before, after).summary.change_class;
  };
  EXPECT_EQ(class_of("http { }", "http { made_up on; }"), ChangeClass::restart);
  EXPECT_EQ(class_of("http { made_up on; }", "http { }"), ChangeClass::restart);
  EXPECT_EQ(class_of("http { made_up on; }", "http { made_up off; }"), ChangeClass::restart);
  EXPECT_EQ(class_of("http { }", "http { server { listen 81; made_up on; } }"),
            ChangeClass::restart)
      << "inside a block that is new";
}

TEST(NginxDiffContext, UnknownHealthAndPortAreNotTakenForGood) {
  EXPECT_EQ(told(diff("http { server { listen 80; location /x { } } }",
                      "http { server { listen 80; } }", {})),
            "- http > server 80 > location /x|(0 directives)||reload-watch\n");
  EXPECT_EQ(
      told(diff("http { server { listen 80; listen 81; } }", "http { server { listen 80; } }", {})),
      "- http > server 80 > listen 81|||human-only\n");
}

TEST(NginxDiffContext, ChangesStandWhereTheyAre) {
  const Files before = {{kMain, "http {\n include up.conf;\n}"},
                        {"/etc/nginx/up.conf", "upstream a {\n  server x;\n}"}};
  Files after = before;
  after["/etc/nginx/up.conf"] = "upstream a {\n  server x;\n  server y;\n}";
  const DiffResult result = diff_config(Kind::nginx, before, after, kMain, kContext);
  ASSERT_EQ(result.changes.size(), 1u);
  EXPECT_EQ(result.changes[0].file, "/etc/nginx/up.conf");
  EXPECT_EQ(result.changes[0].line, 3);
  EXPECT_EQ(result.changes[0].column, 3);
  EXPECT_EQ(result.summary.text, "+1, only upstream pool change, no listen port changes");
  EXPECT_TRUE(result.summary.what_changed.upstream_only);
  EXPECT_FALSE(result.summary.what_changed.listen);
}

TEST(NginxDiffContext, BrokenFilesAreAnAnswer) {
  const DiffResult after = diff("http { }", "http {\n  }}\n");
  ASSERT_EQ(after.changes.size(), 1u);
  EXPECT_EQ(after.summary.change_class, ChangeClass::human_only);
  EXPECT_EQ(after.summary.text,
            "the new configuration does not parse (/etc/nginx/nginx.conf:2:4: unexpected \"}\")");
  ASSERT_TRUE(after.after_error.has_value());
  EXPECT_EQ(after.after_error->excerpt, "  }}\n   ^");
  const DiffResult before = diff("http {", "http { }");
  EXPECT_TRUE(before.before_error.has_value());
  EXPECT_EQ(before.summary.change_class, ChangeClass::restart);
}

TEST(NginxDiffContext, SecretsNeverEnterAChange) {
  const DiffResult result = diff(
      "http { map $a $api_key { default s3cret1; } server { proxy_set_header Authorization \"Basic "
      "s3cret2\";"
      " set $token s3cret3; fastcgi_param DB_PASSWORD s3cret4; ssl_password_file /a; "
      "auth_basic_user_file /b; } }"
      " env DB_SECRET=s3cret5;",
      "http { map $a $api_key { default s3cret6; } server { proxy_set_header Authorization \"Basic "
      "s3cret7\";"
      " set $token s3cret8; fastcgi_param DB_PASSWORD s3cret9; ssl_password_file /c; "
      "auth_basic_user_file /d; } }"
      " env DB_SECRET=s3cret0;");
  EXPECT_EQ(result.changes.size(), 7u);
  EXPECT_EQ(told(result).find("s3cret"), std::string::npos) << told(result);
  EXPECT_NE(told(result).find("ssl_password_file|/a|/c"), std::string::npos) << told(result);
  EXPECT_NE(told(result).find("auth_basic_user_file|/b|/d"), std::string::npos) << told(result);
}

TEST(NginxDiffContext, OtherFilesAreJudgedByWhoNamesThem) {
  const std::string main = "http { server { ssl_certificate certs/a.pem; } include x/*.conf; }";
  Files before = {{kMain, main}, {"/etc/nginx/certs/a.pem", "1"}, {"/etc/nginx/x/notes.txt", "1"}};
  Files after = {{kMain, main}, {"/etc/nginx/certs/a.pem", "2"}, {"/etc/nginx/x/notes.txt", "2"}};
  const DiffResult result = diff_config(Kind::nginx, before, after, kMain, kContext);
  EXPECT_EQ(told(result), "~ /etc/nginx/certs/a.pem|||reload\n~ /etc/nginx/x/notes.txt|||none\n");
}

// What does not fit into the list still counts: a new socket among thousands of changes is told.
TEST(NginxDiffContext, NothingIsLostAboveTheLimit) {
  std::string many;
  for (int i = 0; i < 6000; ++i) many += "add_header X-" + std::to_string(i) + " 1;";
  const DiffResult result = diff("http { server { listen 80; } }",
                                 "http { server { listen 80; listen 81; " + many + "} }");
  EXPECT_EQ(result.changes.size(), 5002u);
  EXPECT_TRUE(result.summary.what_changed.listen) << result.summary.text;
  EXPECT_EQ(result.summary.change_class, ChangeClass::reload_watch);
}

}  // namespace
}  // namespace hitless::confdiff
