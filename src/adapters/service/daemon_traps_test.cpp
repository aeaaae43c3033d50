// Traps of Apache, HAProxy, php-fpm, gunicorn and Redis that were seen on real hosts: each has its
// test here, with the real program, where the conformance suite does not have it already.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "adapters/service/conformance_subjects.hpp"
#include "adapters/service/daemon.hpp"
#include "base/time.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

struct Running {
  explicit Running(const std::string& name) : subject(make_subject(name)) {
    subject->configure(1);
    EXPECT_TRUE(subject->unit.start(subject->has_workers))
        << read_text(subject->unit.folder / "unit/out");
  }
  ports::Service& service() { return *subject->unit.service; }
  ServiceIdentity identity() { return wait_for(service().identity()).value_or(ServiceIdentity{}); }
  // Whatever the reload itself says.
  void reload(const ServiceIdentity& before) {
    (void)wait_for(service().act({Action::reload, "R-1.1", before, 30'000}));
  }
  ServiceReading reload_and_watch(const ServiceIdentity& before) {
    reload(before);
    ServiceReading reading;
    (void)TestUnit::wait_until([&] {
      reading = wait_for(service().verify(Action::reload, before));
      return reading.verdict != ServiceVerdict::indeterminate;
    });
    return reading;
  }
  std::string line(const std::string& name) {
    for (const auto& check : wait_for(service().validate())) {
      if (check.name == name) return check.evidence;
    }
    return {};
  }
  std::unique_ptr<Subject> subject;
};

// One request as a web server sends it to php-fpm.
class FastCgi {
 public:
  FastCgi(const std::string& socket_path, const std::string& script) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    std::string params;
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{"SCRIPT_FILENAME", script},
          {"REQUEST_METHOD", "GET"}}) {
      params += static_cast<char>(name.size());
      params += static_cast<char>(value.size());
      params += name + value;
    }
    const std::string all = record(1, std::string("\0\1\0\0\0\0\0\0", 8)) +  // a responder
                            record(4, params) + record(4, "") + record(5, "");
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::send(fd_, all.data(), all.size(), MSG_NOSIGNAL) < 0)
      ADD_FAILURE() << "cannot ask php-fpm";
  }
  ~FastCgi() { ::close(fd_); }
  FastCgi(const FastCgi&) = delete;
  FastCgi& operator=(const FastCgi&) = delete;
  std::string answer() const {
    std::string text;
    char chunk[1024];
    for (ssize_t n; (n = ::read(fd_, chunk, sizeof chunk)) > 0;)
      text.append(chunk, static_cast<std::size_t>(n));
    return text;
  }

 private:
  static std::string record(int type, const std::string& content) {
    return {std::string{'\1', static_cast<char>(type), '\0', '\1', '\0',
                        static_cast<char>(content.size()), '\0', '\0'} +
            content};
  }
  int fd_ = -1;
};

TEST(ApacheTraps, ASyntaxErrorEndsTheWholeServer) {
  Running apache("apache");
  const auto before = apache.identity();
  write_file(apache.subject->config, read_text(apache.subject->config) + "Bogus x\n");
  const auto reading = apache.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down);
  EXPECT_NE(reading.evidence.find("Invalid command 'Bogus'"), std::string::npos)
      << reading.evidence;
}

TEST(ApacheTraps, ABadReloadSaysWhy) {
  Running apache("apache");
  const auto before = apache.identity();
  apache.subject->break_fatally();
  const auto reading = apache.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down);
  EXPECT_NE(reading.evidence.find("Unable to open logs"), std::string::npos) << reading.evidence;
}

TEST(ApacheTraps, WhatOnlyAStartChangesIsNotApplied) {
  Running apache("apache");
  const auto before = apache.identity();
  apache.subject->break_silently();
  EXPECT_EQ(wait_for(apache.service().test_config({})).status, CheckStatus::pass);
  const auto reading = apache.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied);
  EXPECT_NE(reading.evidence.find("ServerLimit"), std::string::npos) << reading.evidence;
}

TEST(ApacheTraps, AReloadThatMovesTheLogIsProven) {
  Running apache("apache");
  const auto before = apache.identity();
  std::string text = read_text(apache.subject->config);
  text.replace(text.find("/logs/error.log"), 15, "/logs/other.log");
  write_file(apache.subject->config, text);
  const auto reading = apache.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
}

TEST(ApacheTraps, TheTestSeesAFileBehindALinkOfAnInclude) {
  Running apache("apache");
  const std::string folder = apache.subject->unit.folder.path;
  write_file(folder + "/available/site.conf", "# a site\n");
  std::filesystem::create_symlink("../available/site.conf", folder + "/conf.d/site.conf");
  EXPECT_EQ(wait_for(apache.service().test_config({})).status, CheckStatus::pass);
  const auto broken =
      wait_for(apache.service().test_config({{folder + "/available/site.conf", "Bogus x\n"}}));
  EXPECT_EQ(broken.status, CheckStatus::fail) << broken.evidence;
  EXPECT_NE(broken.evidence.find("Bogus"), std::string::npos) << broken.evidence;
}

TEST(HaproxyTraps, AReloadAfterAPackageUpgradeUpgradesTheBinary) {
  Running haproxy("haproxy");
  Subject& subject = *haproxy.subject;
  const std::string binary = subject.unit.folder / "haproxy-copy";
  std::filesystem::copy_file("/usr/sbin/haproxy", binary);
  subject.unit.define("exec " + binary + " -Ws -f " + subject.config, "kill -USR2 $MAINPID");
  DaemonConfig config;
  config.unit = "test.service";
  config.binary = binary;
  config.main_config = subject.config;
  subject.unit.service = make_daemon_service(subject.unit.host, DaemonKind::haproxy, config);
  const auto old = haproxy.identity();
  (void)wait_for(haproxy.service().act({Action::restart, "R-1.0", old, 30'000}));
  ASSERT_TRUE(TestUnit::wait_until([&] {
    return wait_for(haproxy.service().verify(Action::restart, old)).verdict ==
           ServiceVerdict::proven;
  }));
  EXPECT_EQ(haproxy.line("Binary"), "");

  std::filesystem::copy_file("/usr/sbin/haproxy", binary + ".new");  // as dpkg does
  std::filesystem::rename(binary + ".new", binary);
  EXPECT_NE(haproxy.line("Binary").find("upgrades HAProxy"), std::string::npos);
  const auto reading = haproxy.reload_and_watch(haproxy.identity());
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_NE(reading.evidence.find("runs the binary on disk"), std::string::npos)
      << reading.evidence;
  EXPECT_EQ(haproxy.line("Binary"), "");
}

TEST(HaproxyTraps, AFailedReloadOfBeforeIsShownAndNotTakenForOurs) {
  Running haproxy("haproxy");
  const auto first = haproxy.identity();
  haproxy.subject->break_silently();
  ASSERT_EQ(haproxy.reload_and_watch(first).verdict, ServiceVerdict::not_applied);
  EXPECT_NE(haproxy.line("HAProxy").find("last reload failed"), std::string::npos);

  const auto before = haproxy.identity();
  EXPECT_EQ(wait_for(haproxy.service().verify(Action::reload, before)).verdict,
            ServiceVerdict::indeterminate)
      << "that failure is not of this reload";
  haproxy.subject->configure(2);
  const auto reading = haproxy.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_EQ(haproxy.line("HAProxy"), "");
}

TEST(HaproxyTraps, WithoutAMasterNoReloadIsChosen) {
  auto subject = make_subject("haproxy");
  subject->configure(1);
  subject->unit.define("exec haproxy -db -f " + subject->config, "true");
  ASSERT_TRUE(subject->unit.start(false));
  const auto before = wait_for(subject->unit.service->identity());
  ASSERT_TRUE(before);
  EXPECT_EQ(wait_for(subject->unit.service->verify(Action::reload, *before)).verdict,
            ServiceVerdict::indeterminate);
  const auto lines = wait_for(subject->unit.service->validate());
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const core::Check& line) {
    return line.evidence.find("no master with workers") != std::string::npos;
  }));
}

TEST(HaproxyTraps, StickTablesWithoutPeersAreNamed) {
  Running haproxy("haproxy");
  EXPECT_EQ(haproxy.line("Stick tables"), "");
  std::string& path = haproxy.subject->config;
  write_file(path, read_text(path) +
                       "peers mine\n  peer local 127.0.0.1:1\nbackend kept\n"
                       "  stick-table type ip size 1k peers mine\n"
                       "backend lost  # and this\n\tstick-table type ip size 1k  # peers mine\n");
  EXPECT_EQ(haproxy.line("Stick tables").find("of lost are lost at each reload"), 0U)
      << haproxy.line("Stick tables");
}

TEST(PhpFpmTraps, ASocketThatCannotBeOpenedEndsIt) {
  Running fpm("php_fpm");
  const auto before = fpm.identity();
  std::string text = read_text(fpm.subject->config);
  text.replace(text.find("/fpm.sock"), 9, "/no/where");
  write_file(fpm.subject->config, text);
  const auto reading = fpm.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down) << reading.evidence;
  EXPECT_NE(reading.evidence.find("ERROR"), std::string::npos) << reading.evidence;
}

TEST(PhpFpmTraps, ChildrenCannotForgeTheProof) {
  // What a script writes comes as a warning about a child, whatever it says.
  const DaemonSpec spec = php_fpm_spec({});
  ServiceIdentity before;
  before.active = true;
  before.main_pid = 7;
  before.start_time = "100";
  ProbeResult seen;
  seen.identity = before;
  seen.log_known = true;
  EXPECT_EQ(spec.prove_reload(before, seen).verdict, ServiceVerdict::indeterminate);
  seen.log_lines = {"[30-Nov-2026 17:31:53] NOTICE: ready to handle connections"};
  EXPECT_EQ(spec.prove_reload(before, seen).verdict, ServiceVerdict::indeterminate)
      << "without a reload before it";
}

TEST(PhpFpmTraps, OneInTheBackgroundIsNotReloaded) {
  Running fpm("php_fpm");
  EXPECT_EQ(fpm.line("Reload"), "");
  const auto can = [&] { return wait_for(fpm.service().capabilities()).value().proves_reload; };
  EXPECT_TRUE(can());
  Subject& subject = *fpm.subject;
  const std::string folder = subject.unit.folder.path;
  const auto before = fpm.identity();
  write_file(folder + "/unit/pidfile", folder + "/fpm.pid\n");
  const std::string run = "exec php-fpm8.2 --daemonize --pid " + folder + "/fpm.pid --fpm-config " +
                          folder + "/fpm.conf";
  subject.unit.define(run, "kill -USR2 $MAINPID");
  (void)wait_for(fpm.service().act({Action::restart, "R-1.1", before, 30'000}));
  ASSERT_TRUE(TestUnit::wait_until([&] { return fpm.identity().active; }));
  EXPECT_FALSE(can());
  EXPECT_NE(fpm.line("Reload").find("changes its PID"), std::string::npos) << fpm.line("Reload");

  // And why: what a reload leaves is another process, so that it is not taken for proven.
  const auto daemon = fpm.identity();
  fpm.reload(daemon);
  ASSERT_TRUE(TestUnit::wait_until([&] {
    const auto now = fpm.identity();
    return now.active && now.main_pid != daemon.main_pid;
  }));
  EXPECT_NE(wait_for(fpm.service().verify(Action::reload, daemon)).verdict, ServiceVerdict::proven);
}

TEST(PhpFpmTraps, AReloadKillsWhatIsInFlightUnlessItIsDrained) {
  Running fpm("php_fpm");
  EXPECT_EQ(fpm.line("php-fpm").find("process_control_timeout is 0"), 0U) << fpm.line("php-fpm");
  Subject& subject = *fpm.subject;
  const std::string folder = subject.unit.folder.path, main = folder + "/fpm.conf";
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  std::filesystem::create_directory(folder + "/www");
  const std::string mark = folder + "/www/started";
  std::filesystem::permissions(folder + "/www", std::filesystem::perms(0777));
  const auto script = [&](const std::string& name, int seconds) {
    write_file(folder + name, "<?php touch('" + mark + "'); sleep(" + std::to_string(seconds) +
                                  "); echo 'done';");
  };
  script("/slow.php", 1);
  script("/endless.php", 60);
  const auto begin = [&](const std::string& name) {
    std::filesystem::remove(mark);
    auto request = std::make_unique<FastCgi>(folder + "/fpm.sock", folder + name);
    EXPECT_TRUE(TestUnit::wait_until([&] { return exists(mark); }));
    return request;
  };
  auto cut = begin("/endless.php");
  EXPECT_EQ(fpm.reload_and_watch(fpm.identity()).verdict, ServiceVerdict::proven);
  EXPECT_EQ(cut->answer().find("done"), std::string::npos) << "this is the trap";

  auto drained = begin("/slow.php");
  EXPECT_NE(drained->answer().find("done"), std::string::npos) << "waited for, as a drain does";
  EXPECT_EQ(fpm.reload_and_watch(fpm.identity()).verdict, ServiceVerdict::proven);

  // Given time, the old worker ends its request.
  write_file(main, read_text(main).insert(9, "process_control_timeout = 10s\n"));
  EXPECT_EQ(fpm.line("php-fpm"), "");
  EXPECT_EQ(fpm.reload_and_watch(fpm.identity()).verdict, ServiceVerdict::proven);
  auto kept = begin("/slow.php");
  fpm.reload(fpm.identity());
  EXPECT_NE(kept->answer().find("done"), std::string::npos);
}

TEST(GunicornTraps, WithPreloadNoReloadIsChosen) {
  Running gunicorn("gunicorn");
  EXPECT_EQ(gunicorn.line("Reload"), "");
  const auto can = [&] {
    return wait_for(gunicorn.service().capabilities()).value().proves_reload;
  };
  EXPECT_TRUE(can());
  const std::string& path = gunicorn.subject->config;
  const std::string plain = read_text(path);
  write_file(path, plain + "# preload_app = True\npreload_app = False\n");
  EXPECT_TRUE(can());
  write_file(path, plain + "preload_app = True  # saves memory\n");
  EXPECT_FALSE(can());
  EXPECT_NE(gunicorn.line("Reload").find("does not load the application anew"), std::string::npos);
  write_file(path, plain);
  const std::string unit = gunicorn.subject->unit.folder / "unit/start";
  write_file(unit, "exec gunicorn --preload -c " + path + " app:app\n");
  EXPECT_FALSE(can());
}

TEST(GunicornTraps, ASlowImportIsNotAWorker) {
  Running gunicorn("gunicorn");
  const auto before = gunicorn.identity();
  write_file(gunicorn.subject->unit.folder / "app.py",
             "import time\ntime.sleep(2)\nraise Exception('broken')\n");
  const auto reading = gunicorn.reload_and_watch(before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::down) << reading.evidence;
}

TEST(RedisTraps, DataThatNobodySavesIsNamed) {
  Running redis("redis");
  EXPECT_EQ(redis.line("Redis data"), "");
  Subject& subject = *redis.subject;
  std::string text = read_text(subject.config);
  text.replace(text.find("save 3600 1"), 11, "save \"\"");
  write_file(subject.config, text);
  const auto before = redis.identity();
  (void)wait_for(redis.service().act({Action::restart, "R-1.1", before, 30'000}));
  ASSERT_TRUE(TestUnit::wait_until([&] {
    return wait_for(redis.service().verify(Action::restart, before)).verdict ==
           ServiceVerdict::proven;
  }));
  EXPECT_NE(redis.line("Redis data").find("loses its data"), std::string::npos);
}

TEST(RedisTraps, OneThatLoadsOrHasNoMasterIsNotBack) {
  const DaemonSpec spec = redis_spec({});
  ProbeResult seen;
  spec.complete(seen, {0, "# Server\r\nrun_id:b\r\nloading:1\r\nrole:slave\r\n", "", false});
  ServiceIdentity before;
  before.workers = {"run_id:a"};
  EXPECT_EQ(spec.still_missing(before, seen), "it is loading its data set");
  seen = {};
  spec.complete(
      seen, {0, "run_id:b\r\nloading:0\r\nrole:slave\r\nmaster_link_status:down\r\n", "", false});
  EXPECT_EQ(spec.still_missing(before, seen), "its link to the master is down");
  seen = {};
  spec.complete(seen, {0, "run_id:a\r\nloading:0\r\n", "", false});
  EXPECT_EQ(spec.still_missing(before, seen), "still with the run_id of before");
  seen = {};
  spec.complete(seen, {0, "NOAUTH Authentication required.\n", "", false});
  EXPECT_NE(spec.still_missing(before, seen).find("NOAUTH"), std::string::npos);
  EXPECT_EQ(spec.remarks(seen).front().status, CheckStatus::unknown);
}

TEST(RedisTraps, AMasterWithReplicasIsNamed) {
  const DaemonSpec spec = redis_spec({});
  ProbeResult seen;
  spec.complete(seen, {0,
                       "run_id:b\nloading:0\nrole:master\nconnected_slaves:2\naof_enabled:1\n"
                       "save\n3600 1\n",
                       "", false});
  const auto lines = spec.remarks(seen);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines.front().evidence.find("2 replicas"), std::string::npos);
}

// An nginx of its own binary under a forking unit, restarted by upgrade in place.
struct UpgradingNginx {
  UpgradingNginx() {
    std::filesystem::create_directories(folder() + "/logs");
    std::filesystem::create_directories(folder() + "/tmp");
    std::filesystem::copy_file("/usr/sbin/nginx", binary);
    std::string text = "worker_processes 1;\npid " + folder() + "/nginx.pid;\nerror_log " +
                       folder() + "/logs/error.log;\nevents {}\nhttp {\naccess_log off;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      text += std::string(kind) + "_temp_path " + folder() + "/tmp/" + kind + ";\n";
    text += "server { listen 127.0.0.1:" + std::to_string(free_port()) + "; return 200; }\n}\n";
    write_file(folder() + "/nginx.conf", text);
    write_file(folder() + "/unit/pidfile", folder() + "/nginx.pid\n");
    const std::string run = binary + " -p " + folder() + " -c " + folder() + "/nginx.conf";
    unit.define("exec " + run, run + " -s reload");
    NginxConfig config;
    config.unit = "test.service";
    config.binary = binary;
    config.main_config = folder() + "/nginx.conf";
    config.prefix = folder();
    config.pid_file = folder() + "/nginx.pid";
    config.binary_upgrade = true;
    unit.service = make_nginx_service(unit.host, config);
    EXPECT_TRUE(unit.start(true)) << read_text(folder() + "/unit/out");
  }
  const std::string& folder() const { return unit.folder.path; }
  ServiceIdentity identity() {
    return wait_for(unit.service->identity()).value_or(ServiceIdentity{});
  }
  core::Outcome restart(const ServiceIdentity& before) {
    return wait_for(unit.service->act({Action::restart, "R-1.1", before, 60'000})).value();
  }
  void install(const std::function<void(const std::string&)>& make) {
    make(binary + ".new");  // as dpkg does
    std::filesystem::rename(binary + ".new", binary);
  }
  TestUnit unit;
  std::string binary = unit.folder / "nginx-copy";
};

TEST(NginxUpgrade, ANewMasterTakesOver) {
  UpgradingNginx nginx;
  const auto before = nginx.identity();
  nginx.install([](const std::string& to) { std::filesystem::copy_file("/usr/sbin/nginx", to); });
  const auto outcome = nginx.restart(before);
  ASSERT_EQ(outcome.status, core::OutcomeStatus::ok) << outcome.detail;
  const auto reading = wait_for(nginx.unit.service->verify(Action::restart, before));
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_NE(reading.now.main_pid, before.main_pid);
  EXPECT_EQ(reading.now.invocation_id, before.invocation_id);
  EXPECT_EQ(nginx.restart(before).status, core::OutcomeStatus::failed) << "it is another one now";
}

TEST(NginxUpgrade, ABinaryThatDoesNotStartLeavesTheOldOne) {
  UpgradingNginx nginx;
  const auto before = nginx.identity();
  nginx.install([](const std::string& to) { write_file(to, "#!/bin/sh\nexit 1\n", 0755); });
  const auto outcome = nginx.restart(before);
  EXPECT_EQ(outcome.status, core::OutcomeStatus::failed);
  EXPECT_NE(outcome.detail.find("the old one goes on"), std::string::npos) << outcome.detail;
  EXPECT_EQ(wait_for(nginx.unit.service->verify(Action::restart, before)).verdict,
            ServiceVerdict::not_applied);
  EXPECT_EQ(nginx.identity().workers, before.workers);
}

TEST(NginxUpgrade, ANewMasterThatDoesNotStayIsTakenBack) {
  UpgradingNginx nginx;
  const auto before = nginx.identity();
  // Becomes nginx, and is ended as soon as the old workers are told to go.
  const std::string real = nginx.folder() + "/nginx-real";
  std::filesystem::copy_file("/usr/sbin/nginx", real);
  nginx.install([&](const std::string& to) {
    write_file(to,
               "#!/bin/sh\n( while [ -e /proc/" +
                   before.workers.front().substr(0, before.workers.front().find(':')) +
                   " ]; do sleep 0.02; done; kill -TERM $(cat " + nginx.folder() +
                   "/nginx.pid) ) >/dev/null 2>&1 &\nexec " + real + " \"$@\"\n",
               0755);
  });
  const auto outcome = nginx.restart(before);
  EXPECT_EQ(outcome.status, core::OutcomeStatus::failed) << outcome.detail;
  EXPECT_NE(outcome.detail.find("did not stay"), std::string::npos) << outcome.detail;
  EXPECT_TRUE(TestUnit::wait_until([&] {
    const auto now = nginx.identity();
    return now.main_pid == before.main_pid && !now.workers.empty();
  })) << "the old master has its workers back";
}

TEST(PendingEdits, ARestOfTimeIsSaidToBeUnknown) {
  UnitStatus unit = parse_unit_status("CanReload=yes\nStateChangeTimestampMonotonic=3000000000\n");
  ServiceIdentity identity;
  identity.start_time = "100000";  // 1000 s after boot
  const auto window = load_window(identity, unit, LoadedAt::main_process);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->until, 300'000);
  // Now is 5000 s after boot, and 10000 s on the wall.
  const std::string now = "n 10000.5 500050\n";
  EXPECT_FALSE(judge_edits(*window, now + "c 5999.0 /etc/a\nz"));
  const auto between = judge_edits(*window, now + "c 7000.0 /etc/a\nz");
  ASSERT_TRUE(between);
  EXPECT_NE(between->evidence.find("not known"), std::string::npos) << between->evidence;
  const auto after = judge_edits(*window, now + "c 8001.0 /etc/with blank\nz");
  ASSERT_TRUE(after);
  EXPECT_NE(after->evidence.find("/etc/with blank"), std::string::npos) << after->evidence;
  EXPECT_EQ(after->status, CheckStatus::warn);
  EXPECT_TRUE(judge_edits(*window, "c 8001.0 /etc/a\nz")) << "without a clock nothing is known";
  EXPECT_TRUE(judge_edits(*window, now + "c 1e300 /etc/a\nz"));
  EXPECT_FALSE(load_window({}, unit, LoadedAt::main_process));
  EXPECT_FALSE(load_window(identity, unit, LoadedAt::oldest_worker)) << "it has none";
}

}  // namespace
}  // namespace hitless::service
