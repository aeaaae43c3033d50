#include <filesystem>

#include "adapters/service/nginx_fixture.hpp"
#include "adapters/service/nginx_scan.hpp"
#include "adapters/service/staging.hpp"
#include "adapters/service/ustar.hpp"
#include "confdiff/config_diff.hpp"

namespace hitless::service {
namespace {

using core::CheckStatus;

// Copies of what lies in this folder; other tests may have theirs at the same time.
int stages_of(const std::string& folder) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
    if (entry.path().filename().string().rfind("hitless-stage-", 0) != 0) continue;
    std::error_code gone;
    const auto status = std::filesystem::symlink_status(entry.path().string() + folder, gone);
    count += std::filesystem::is_directory(status) ? 1 : 0;
  }
  return count;
}

// nginx need not run for these.
class Staging : public NginxTest {
 protected:
  core::Check test(ports::Files changed) {
    return wait_for(service_->test_config(std::move(changed)));
  }
};

TEST_F(Staging, ABrokenFileIsNamedByItsRealPathAndLine) {
  const std::string live = read_text(site_);
  const auto broken = test({{site_, "server {\n  listen 127.0.0.1:1;\n  lisen 5;\n}\n"}});
  EXPECT_EQ(broken.status, CheckStatus::fail);
  EXPECT_EQ(broken.evidence, "nginx -t → [emerg] unknown directive \"lisen\" in " + site_ + ":3");
  EXPECT_EQ(read_text(site_), live) << "the live file is not touched";
  EXPECT_EQ(test({}).status, CheckStatus::pass);
  EXPECT_EQ(test({}).evidence, "nginx -t → OK");
  EXPECT_EQ(stages_of(folder_.path), 0);
}

TEST_F(Staging, TheMainFileCanBeTheBrokenOne) {
  const auto broken =
      test({{main_, "events {}\nhttp {\n  include conf.d/*.conf;\n  include nowhere.conf;\n}\n"}});
  EXPECT_EQ(broken.status, CheckStatus::fail);
  EXPECT_NE(broken.evidence.find(folder_ / "conf/nowhere.conf"), std::string::npos)
      << broken.evidence;
  EXPECT_NE(broken.evidence.find("in " + main_ + ":4"), std::string::npos) << broken.evidence;
  EXPECT_EQ(test({{main_, "http {"}}).status, CheckStatus::fail);
}

TEST_F(Staging, ANewFileThatAGlobTakesInIsTestedToo) {
  const std::string added = folder_ / "conf/conf.d/zz-new.conf";
  const auto broken = test({{added, "bogus;\n"}});
  EXPECT_EQ(broken.status, CheckStatus::fail);
  EXPECT_NE(broken.evidence.find(added + ":1"), std::string::npos) << broken.evidence;
  EXPECT_FALSE(exists(added));
}

TEST_F(Staging, RelativeNamesStillResolve) {
  write_file(folder_ / "conf/users", "a:b\n");
  write_file(folder_ / "shared/extra.conf", "client_max_body_size 5m;\n");
  write_file(folder_ / "conf/.hidden", "geo_value 1;\n");
  const std::string main = main_text({});
  const std::string with =
      main.substr(0, main.rfind('}')) +
      "  include ../shared/extra.conf;\n  auth_basic x;\n  auth_basic_user_file users;\n}\n";
  const auto good = test({{main_, with}});
  EXPECT_EQ(good.status, CheckStatus::pass) << good.evidence;
}

TEST_F(Staging, AChangeOfALinksTargetIsAChangeOfTheLink) {
  const std::string target = folder_ / "conf/available/linked.conf";
  write_file(target, "server_tokens off;\n");
  std::filesystem::create_symlink("../available/linked.conf", folder_ / "conf/conf.d/linked.conf");
  const auto broken = test({{target, "server_tokens maybe;\n"}});
  EXPECT_EQ(broken.status, CheckStatus::fail) << broken.evidence;
  EXPECT_NE(broken.evidence.find("conf.d/linked.conf:1"), std::string::npos) << broken.evidence;
}

// Debian's sites-enabled holds links: what is installed is the file that they lead to. The diff
// must see that, or taking `listen` away would be "no change of meaning".
TEST_F(Staging, TheDiffSeesAChangeBehindALink) {
  const std::string target = folder_ / "conf/available/linked.conf";
  const std::string link = folder_ / "conf/conf.d/linked.conf";
  const std::string other = folder_ / "conf/available/other.conf";
  write_file(target, "server_tokens off;\n");
  write_file(other, "gzip off;\n");
  std::filesystem::create_symlink("../available/linked.conf", link);
  const std::string changed = "server_tokens on;\ninclude " + other + ";\n";
  ports::Files wanted{{target, changed}};
  const auto before = wait_for(service_->config_files());
  const auto after = wait_for(service_->config_files_with(wanted));
  ASSERT_TRUE(before) << before.error().what;
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(before->at(link), "server_tokens off;\n");
  EXPECT_EQ(after->at(link), changed);
  EXPECT_EQ(after->count(other), 1u) << "what it includes now is part of it";
  const auto diff = confdiff::diff_config(confdiff::Kind::nginx, *before, *after, main_, {});
  EXPECT_NE(diff.summary.change_class, confdiff::ChangeClass::none);
}

// The configuration includes conf.d/…, and conf.d is a link: the file is the same one.
TEST_F(Staging, AFileBehindALinkedFolderIsTestedAndCompared) {
  const std::string real = folder_ / "shared";
  write_file(real + "/sites/one.conf", "server_tokens off;\n");
  std::filesystem::create_directory_symlink(real + "/sites", folder_ / "conf/linked.d");
  const std::string main = main_text({});
  write_file(main_, main.substr(0, main.rfind('}')) + "  include linked.d/*.conf;\n}\n");
  const ports::Files wanted{{real + "/sites/one.conf", "server_tokens maybe;\n"}};
  const auto broken = test(wanted);
  EXPECT_EQ(broken.status, CheckStatus::fail) << broken.evidence;
  const auto after = wait_for(service_->config_files_with(wanted));
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(after->at(folder_ / "conf/linked.d/one.conf"), "server_tokens maybe;\n");
}

TEST_F(Staging, AFileThatTheTestDoesNotReadIsNotSaidToBeTested) {
  const auto other = test({{folder_ / "conf/elsewhere/site.conf", "bogus;\n"}});
  EXPECT_EQ(other.status, CheckStatus::warn);
  EXPECT_NE(other.evidence.find("does not read " + folder_ / "conf/elsewhere/site.conf"),
            std::string::npos)
      << other.evidence;
}

TEST_F(Staging, ACertificateThatChangesWithItIsTheStagedOne) {
  const std::string password_file = folder_ / "conf/cert.pem";
  write_file(password_file, "not a certificate\n");
  NginxSettings settings;
  std::string site = site_text(settings);
  site.insert(site.find("listen"), "ssl_certificate " + password_file +
                                       ";\n  ssl_certificate_key " + password_file + ";\n  ");
  site.replace(site.find(";\n  limit_req"), 1, " ssl;");
  const auto live = test({{site_, site}});
  EXPECT_EQ(live.status, CheckStatus::fail);
  EXPECT_NE(live.evidence.find(password_file), std::string::npos) << live.evidence;
}

TEST_F(Staging, AnotherPidPathMakesNoPidFile) {
  NginxSettings settings;
  settings.pid = folder_ / "other.pid";
  const auto good = test({{main_, main_text(settings)}});
  EXPECT_EQ(good.status, CheckStatus::pass) << good.evidence;
  EXPECT_FALSE(exists(settings.pid));
  EXPECT_FALSE(exists(folder_ / "nginx.pid"));
}

TEST_F(Staging, AFolderOfATestThatHangsGoesAwayToo) {
  auto config = command_config();
  config.test = {"sh", "-c", "kill -TERM $PPID; sleep 0.2; test -f \"$0\"", "{config}"};
  service_ = make_command_service(host_, config);
  EXPECT_NE(test({}).status, CheckStatus::pass);
  EXPECT_EQ(stages_of(folder_.path), 0);
}

TEST_F(Staging, NginxWithoutAPidDirectiveGetsOneInTheStage) {
  const std::string own = folder_ / "conf/own.conf";
  write_file(own, "error_log " + (folder_ / "logs/error.log") + ";\nevents {}\n");
  NginxConfig config;
  config.unit.clear();
  config.main_config = own;
  config.pid_file = folder_ / "nginx.pid";
  config.prefix = folder_.path;
  service_ = make_nginx_service(host_, config);
  EXPECT_EQ(test({}).status, CheckStatus::pass) << test({}).evidence;
  config.binary = folder_ / "no-such-nginx";
  service_ = make_nginx_service(host_, config);
  EXPECT_EQ(test({}).status, CheckStatus::fail);
  EXPECT_NE(test({}).evidence.find("cannot be run"), std::string::npos) << test({}).evidence;
}

TEST_F(Staging, AHostThatCannotBeAskedIsUnknown) {
  host_.unreachable = Error{ErrorCode::transport_lost, "connection reset", "web01", ""};
  EXPECT_EQ(test({}).status, CheckStatus::unknown);
}

TEST_F(Staging, OtherProgramsByPlaceholder) {
  const std::string file = folder_ / "app/app.ini";
  write_file(file, "good\n");
  CommandConfig config;
  config.config_files = {file};
  config.pid_file = folder_ / "app.pid";
  config.test = {"grep", "-q", "good", "{dir}/app.ini"};
  service_ = make_command_service(host_, config);
  EXPECT_EQ(test({}).status, CheckStatus::pass);
  EXPECT_EQ(test({{file, "bad\n"}}).status, CheckStatus::fail);
  EXPECT_EQ(test({{file, "so good\n"}}).evidence, "grep → OK");

  config.test = {"grep", "-q", "good", file};
  service_ = make_command_service(host_, config);
  EXPECT_EQ(test({}).status, CheckStatus::pass);
  EXPECT_EQ(test({{file, "good\n"}}).status, CheckStatus::unknown)
      << "it would test the file on disk";
  EXPECT_FALSE(test({{file, "good\n"}}).help.empty());
}

TEST(NginxScan, RewritesWhatLeadsOutOfTheStageAndNothingElse) {
  const std::string text =
      "pid /run/nginx.pid;\nhttp {\n  include /etc/nginx/mime.types; # include /etc/x;\n  include "
      "conf.d/*.conf;\n"
      "  include \"/etc/nginx/with blank/*.conf\";\n  log_format a 'include /etc/nginx/y;';\n  "
      "ssl_certificate /etc/ssl/a.pem;\n"
      "  ssl_certificate_key /etc/ssl/a.key;\n}\n";
  const std::string staged = rewrite_for_stage(text, "/tmp/s", {"/etc/ssl/a.pem"});
  EXPECT_EQ(staged,
            "pid /tmp/s/hitless-test.pid;\nhttp {\n  include /tmp/s/etc/nginx/mime.types; # "
            "include /etc/x;\n  include conf.d/*.conf;\n"
            "  include \"/tmp/s/etc/nginx/with blank/*.conf\";\n  log_format a 'include "
            "/etc/nginx/y;';\n  ssl_certificate /tmp/s/etc/ssl/a.pem;\n"
            "  ssl_certificate_key /etc/ssl/a.key;\n}\n");
  EXPECT_EQ(rewrite_for_stage("http { \"", "/tmp/s", {}), "http { \"")
      << "broken text stays as it is";
}

TEST(NginxScan, FindsIncludesAndTheLog) {
  const auto facts = scan_nginx(
      "error_log logs/e.log;\nhttp { error_log /x; include a/*.conf; server { include /b; } }\n",
      "/etc/nginx", "/srv");
  EXPECT_EQ(facts.includes, (std::vector<std::string>{"/etc/nginx/a/*.conf", "/b"}));
  EXPECT_EQ(facts.error_log, "/srv/logs/e.log");
  EXPECT_FALSE(facts.has_pid);
  EXPECT_EQ(scan_nginx("error_log stderr;\nerror_log /y;", "/", "/").error_log, "/y");
}

TEST(Ustar, RefusesWhatItCannotHold) {
  EXPECT_FALSE(make_ustar({{"/a/../b", ""}}));
  EXPECT_FALSE(make_ustar({{"/" + std::string(300, 'a'), ""}}));
  EXPECT_TRUE(make_ustar({{"/" + std::string(90, 'a') + "/" + std::string(90, 'b'), "x"}}));
}

TEST(Ustar, TarReadsItBack) {
  TestFolder folder;
  TestHost host;
  const std::string deep = "/" + std::string(90, 'a') + "/" + std::string(90, 'b');
  const std::string binary = std::string("\0\n\xff", 3) + std::string(1000, 'x');
  const auto archive = make_ustar({{"/plain", "1"}, {"/empty", ""}, {deep, binary}});
  const auto ran =
      wait_for(host.exec({"tar", "-x", "-f", "-", "-C", folder.path}, *archive, 5'000, false));
  ASSERT_EQ(ran->exit_code, 0) << ran->err;
  EXPECT_EQ(read_text(folder / "plain"), "1");
  EXPECT_TRUE(exists(folder / "empty"));
  EXPECT_EQ(read_text(folder.path + deep), binary);
}

}  // namespace
}  // namespace hitless::service
