// Apache and sshd: before, after, what is said.
#include <gtest/gtest.h>

#include "confdiff/config_diff.hpp"
#include "confdiff/diff_cases_for_tests.hpp"
#include "confdiff/directives.hpp"

namespace hitless::confdiff {
namespace {

class ApacheDiff : public testing::TestWithParam<Case> {};
TEST_P(ApacheDiff, IsToldByMeaning) {
  const std::string path = "/etc/apache2/apache2.conf";
  const DiffResult result = diff_config(Kind::apache, {{path, GetParam().before}},
                                        {{path, GetParam().after}}, path, Context{"/up", 80});
  EXPECT_EQ(told(result), GetParam().expected) << GetParam().before << "\n→\n" << GetParam().after;
}
INSTANTIATE_TEST_SUITE_P(
    Table, ApacheDiff,
    testing::Values(Case{"ServerName a\n", "# a comment\n  servername a\n",
                         "~ /etc/apache2/apache2.conf|13 bytes|27 bytes|none\n"},
                    Case{"<VirtualHost *:80>\n  Header set X 1\n</VirtualHost>\n",
                         "<VirtualHost *:80>\n  Header set X 2\n</VirtualHost>\n",
                         "~ VirtualHost *:80 > Header|set X 1|set X 2|reload\n"},
                    Case{"RewriteRule a \\\n  b\n", "RewriteRule a b\n",
                         "~ /etc/apache2/apache2.conf|20 bytes|16 bytes|none\n"},
                    Case{"Listen 80\n", "Listen 80\nListen 81\n", "+ Listen||81|reload-watch\n"},
                    Case{"Listen 80\nListen 81\n", "Listen 80\n", "- Listen|81||reload-watch\n"},
                    Case{"Listen 80\n", "Listen 10.0.0.1:81\n",
                         "~ Listen|80|10.0.0.1:81|human-only\n"},
                    Case{"Listen 80\n", "Listen [::]:80\n", "~ Listen|80|[::]:80|reload-watch\n"},
                    Case{"ErrorLog a\n", "ErrorLog b\n", "~ ErrorLog|a|b|reload-watch\n"},
                    Case{"SSLCertificateFile a\n", "SSLCertificateFile b\n",
                         "~ SSLCertificateFile|a|b|reload-watch\n"},
                    Case{"LoadModule mpm_event_module m\n", "LoadModule mpm_worker_module m\n",
                         "~ LoadModule|mpm_event_module m|mpm_worker_module m|restart\n"},
                    Case{"ServerLimit 4\n", "ServerLimit 5\n", "~ ServerLimit|4|5|restart\n"},
                    Case{"ThreadLimit 4\n", "", "- ThreadLimit|4||restart\n"},
                    Case{"PidFile a\n", "PidFile b\n", "~ PidFile|a|b|restart\n"},
                    Case{"", "NoSuchThing on\n", "+ NoSuchThing||on|restart\n"},
                    Case{"<Location /up>\n</Location>\n", "", "- <Location>|/up||human-only\n"},
                    Case{"<Location /x>\n</Location>\n", "", "- <Location>|/x||reload\n"},
                    Case{"Alias /a /b\nAlias /c /d\n", "Alias /c /d\nAlias /a /b\n",
                         "~ order of directives|||reload-watch\n"}));

class SshdDiff : public testing::TestWithParam<Case> {};
TEST_P(SshdDiff, IsToldByMeaning) {
  const std::string path = "/etc/ssh/sshd_config";
  const DiffResult result =
      diff_config(Kind::sshd, {{path, GetParam().before}}, {{path, GetParam().after}}, path, {});
  EXPECT_EQ(told(result), GetParam().expected) << GetParam().before << "\n→\n" << GetParam().after;
}
INSTANTIATE_TEST_SUITE_P(
    Table, SshdDiff,
    testing::Values(
        Case{"Port 22\n", "#\nport = 22\n", "~ /etc/ssh/sshd_config|8 bytes|12 bytes|none\n"},
        Case{"Port 22\n", "Port 2222\n", "~ Port|22|2222|human-only\n"},
        Case{"", "ListenAddress 10.0.0.1\n", "+ ListenAddress||10.0.0.1|human-only\n"},
        Case{"PermitRootLogin yes\n", "PermitRootLogin no\n",
             "~ PermitRootLogin|yes|no|human-only\n"},
        Case{"", "AuthenticationMethods publickey\n",
             "+ AuthenticationMethods||publickey|human-only\n"},
        Case{"AllowUsers a b\n", "AllowUsers a b c\n", "~ AllowUsers|a b|a b c|reload\n"},
        Case{"AllowUsers a b\n", "AllowUsers a c\n", "~ AllowUsers|a b|a c|human-only\n"},
        Case{"", "AllowUsers a\n", "+ AllowUsers||a|human-only\n"},
        Case{"DenyUsers a b\n", "DenyUsers a\n", "~ DenyUsers|a b|a|reload\n"},
        Case{"DenyUsers a\n", "", "- DenyUsers|a||reload\n"},
        Case{"DenyUsers a\n", "DenyUsers a b\n", "~ DenyUsers|a|a b|human-only\n"},
        Case{"HostKey a\n", "HostKey b\n", "~ HostKey|a|b|reload-watch\n"},
        Case{"Banner a\n", "Banner b\n", "~ Banner|a|b|reload\n"},
        Case{"", "NoSuchThing yes\n", "+ NoSuchThing||yes|restart\n"},
        Case{"Match User x\n  Banner a\n", "Match User x\n  Banner b\n",
             "~ Match User x > Banner|a|b|reload\n"},
        Case{"X11Forwarding no\nX11Forwarding yes\n", "X11Forwarding yes\nX11Forwarding no\n",
             "~ order of directives|||reload-watch\n"}));

TEST(ApacheParse, NamesThePlaceOfASectionThatDoesNotClose) {
  const Files files{{"/a.conf", "ServerName x\n  <Directory /x>\nOptions None\n"}};
  const auto parsed = parse_apache(files, "/a.conf");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(place_of(parsed.error()), "/a.conf:2:3");
  EXPECT_FALSE(parse_apache({{"/a.conf", "</Directory>\n"}}, "/a.conf"));
  EXPECT_FALSE(parse_apache({{"/a.conf", "<If x>\n</Else>\n</If>\n"}}, "/a.conf"));
  EXPECT_FALSE(parse_apache({{"/a.conf", "<>\n"}}, "/a.conf"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<If x>\n";
  EXPECT_FALSE(parse_apache({{"/a.conf", deep}}, "/a.conf"));
}

TEST(ApacheDiffOfFiles, AMoveBetweenFilesIsAnOrderOnly) {
  const Files before{{"/e/apache2.conf", "Include c/*\n"}, {"/e/c/a", "Alias /x /y\n"}};
  const Files after{{"/e/apache2.conf", "Include c/*\n"}, {"/e/c/b", "Alias /x /y\n"}};
  const DiffResult result = diff_config(Kind::apache, before, after, "/e/apache2.conf", {});
  EXPECT_EQ(result.summary.change_class, ChangeClass::none);
  EXPECT_FALSE(result.changes.empty());
}

TEST(ApacheIncludes, TellsWhichNamesAreSafeForABackup) {
  const std::string main = "/etc/apache2/apache2.conf";
  const Files files{
      {main, "Include conf.d/\nIncludeOptional sites-enabled/*.conf\nInclude /x/*\n"}};
  EXPECT_FALSE(apache_includes(files, main, "/etc/apache2/apache2.conf.backup-20260218"));
  EXPECT_FALSE(apache_includes(files, main, "/etc/apache2/sites-enabled/a.conf.backup-20260218"));
  EXPECT_TRUE(apache_includes(files, main, "/etc/apache2/conf.d/a.conf.backup-20260218"));
  EXPECT_TRUE(apache_includes(files, main, "/x/a.conf.backup-20260218"));
  EXPECT_TRUE(apache_includes({{main, "</If>\n"}}, main, "/y")) << "it cannot be told";
}

TEST(GuessKind, KnowsApacheAndSshd) {
  EXPECT_EQ(guess_kind("/etc/apache2/sites-available/a.conf"), Kind::apache);
  EXPECT_EQ(guess_kind("/etc/httpd/conf/httpd.conf"), Kind::apache);
  EXPECT_EQ(guess_kind("/etc/ssh/sshd_config"), Kind::sshd);
  EXPECT_EQ(guess_kind("/etc/ssh/sshd_config.d/10-a.conf"), Kind::sshd);
  EXPECT_EQ(guess_kind("/etc/ssh/ssh_config"), Kind::text);
}

}  // namespace
}  // namespace hitless::confdiff
