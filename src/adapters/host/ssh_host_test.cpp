#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/host/host.hpp"
#include "adapters/host/shell_host.hpp"
#include "adapters/host/ssh_command.hpp"
#include "base/digest.hpp"
#include "runtime/child.hpp"
#include "runtime/process.hpp"

namespace hitless::host {
namespace {
namespace fs = std::filesystem;
namespace asio = boost::asio;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

void run_tool(std::vector<std::string> argv) {
  run_until_done([&]() -> Task<void> {
    const auto result = co_await run_process(argv, {}, 30'000);
    EXPECT_TRUE(result && result->exit_code == 0) << argv[0];
  });
}

int free_port() {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

std::string user_name() {
  const auto* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "nobody";
}

// An sshd of our own on a loopback port, with keys of its own, for the user who runs the test.
class Sshd {
 public:
  explicit Sshd(const std::string& key_options = "", std::string path_first = "")
      : path_first_(std::move(path_first)) {
    char name[] = "/tmp/hitless-sshd-test-XXXXXX";
    folder_ = ::mkdtemp(name);
    if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);  // sshd wants it; no matter if it is there
    for (const char* key : {"host", "other_host", "user", "other_user"}) {
      run_tool({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key)});
    }
    write(path("authorized"), key_options + content_of(path("user.pub")));
    start();
  }
  ~Sshd() {
    child_.reset();
    fs::remove_all(folder_);
  }
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  void trust(const std::string& key) const {
    write(path("known_hosts"),
          "[127.0.0.1]:" + std::to_string(port_) + " " + content_of(path(key + ".pub")));
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  SshConfig config() const {
    SshConfig config;
    config.name = "web01";
    config.ssh_name = "127.0.0.1";
    config.user = user_name();
    config.port = port_;
    config.identity_file = path("user");
    config.known_hosts_file = path("known_hosts");
    config.config_file = path("ssh_config");
    return config;
  }
  std::string log() const { return content_of(path("log")); }

 private:
  void start() {
    write(path("ssh_config"), "Host *\n  IdentitiesOnly yes\n  IdentityAgent none\n");
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = free_port();
      write(path("sshd_config"),
            "Port " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nHostKey " + path("host") +
                "\nAuthorizedKeysFile " + path("authorized") +
                "\nPidFile none\nUsePAM no\nStrictModes no\n"
                "PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n" +
                (path_first_.empty() ? "" : "SetEnv PATH=" + path_first_ + ":/usr/bin:/bin\n"));
      auto child =
          Child::start({"/usr/sbin/sshd", "-D", "-f", path("sshd_config"), "-E", path("log")});
      ASSERT_TRUE(child) << child.error().what;
      child_ = std::make_unique<Child>(std::move(*child));
      for (int i = 0; i < 300 && !child_->try_reap(); ++i) {
        if (log().find("Server listening") != std::string::npos) {
          trust("host");
          return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    FAIL() << "no sshd: " << log();
  }
  std::string folder_, path_first_;
  int port_ = 0;
  std::unique_ptr<Child> child_;
};

template <class Body>
void with_host(const SshConfig& config, Body body) {
  run_until_done([&]() -> Task<void> {
    auto host = make_ssh_host(config);
    EXPECT_TRUE(host) << host.error().what;
    if (host) co_await body(host->get());
  });
}

// Cuts its connection.
void kill_client(ports::Host* host) {
  const int pid = dynamic_cast<ShellHost*>(host)->session().pid();
  if (pid > 1) ::kill(pid, SIGKILL);
}

Error error_of(const SshConfig& config) {
  Error error;
  with_host(config, [&](ports::Host* host) -> Task<void> {
    const auto result = co_await host->exec({"true"});
    EXPECT_FALSE(result);
    if (!result) error = result.error();
  });
  return error;
}

TEST(SshHost, CommandsFilesAndExitCodes) {
  const Sshd sshd;
  with_host(sshd.config(), [&](ports::Host* host) -> Task<void> {
    EXPECT_EQ(host->address(), "127.0.0.1");
    const auto result = co_await host->exec({"printf", "%s|", "a'b $HOME", "", "*"});
    EXPECT_TRUE(result) << result.error().what << result.error().help << sshd.log();
    if (!result) co_return;
    EXPECT_EQ(result->out, "a'b $HOME||*|");
    const auto code = co_await host->script("echo err >&2; exit 255");
    EXPECT_EQ(code ? code->exit_code : -1, 255);
    EXPECT_EQ(code->err, "err\n");
    std::string binary;
    for (int i = 0; i < 500'000; ++i) binary += static_cast<char>(i * 11);
    const auto put = co_await host->put_atomic(sshd.path("file"), binary, "0600");
    EXPECT_TRUE(put) << put.error().what;
    const auto back = co_await host->read_file(sshd.path("file"));
    EXPECT_TRUE(back && *back == binary);
    const auto boot = co_await host->boot_id();
    EXPECT_TRUE(boot);
    const auto stdin_read = co_await host->script("cat; head -c 1 <&1 >&2");
    EXPECT_EQ(stdin_read ? stdin_read->out : "lost", "");
  });
}

// A sudo that notes what it is asked for, and gives a shell only while `shell` is there.
class FakeSudo {
 public:
  FakeSudo() {
    char name[] = "/tmp/hitless-sudo-test-XXXXXX";
    folder_ = ::mkdtemp(name);
    write(folder_ + "/sudo",
          "#!/bin/sh\necho \"$*\" >>" + folder_ + "/log\n[ \"$2\" = -l ] && { [ -e " + folder_ +
              "/shell ]; exit; }\nshift 2\nMARK=sudo; export MARK\nexec \"$@\"\n");
    ::chmod((folder_ + "/sudo").c_str(), 0755);
  }
  ~FakeSudo() { fs::remove_all(folder_); }
  FakeSudo(const FakeSudo&) = delete;
  FakeSudo& operator=(const FakeSudo&) = delete;
  const std::string& folder() const { return folder_; }
  void gives_a_shell() const { write(folder_ + "/shell", ""); }
  std::string log() const { return content_of(folder_ + "/log"); }

 private:
  std::string folder_;
};

Task<std::string> who_runs(ports::Host* host, bool privileged) {
  const auto mark =
      co_await host->exec({"sh", "-c", "echo ${MARK:-login}"}, {}, 10'000, privileged);
  co_return mark ? mark->out : mark.error().what;
}

TEST(SshHost, OneShellOfRootsServesEveryPrivilegedCommand) {
  if (::geteuid() != 0) GTEST_SKIP() << "whose shell it is shows by its user id";
  const FakeSudo sudo;
  sudo.gives_a_shell();
  const Sshd sshd("", sudo.folder());
  SshConfig config = sshd.config();
  config.sudo = true;
  with_host(config, [&](ports::Host* host) -> Task<void> {
    const auto first = co_await host->exec({"echo", "one"}, {}, 10'000, true);
    EXPECT_EQ(first ? first->out : first.error().what, "one\n");
    const auto second = co_await host->script("echo two", {}, 10'000, true);
    EXPECT_EQ(second ? second->out : second.error().what, "two\n");
    EXPECT_EQ(sudo.log(), "-n -l -- /bin/sh\n-n -- /bin/sh\n");
    // A command that needs no root does not run in that shell.
    EXPECT_EQ(co_await who_runs(host, true), "sudo\n");
    EXPECT_EQ(co_await who_runs(host, false), "login\n");
    EXPECT_EQ(sudo.log(), "-n -l -- /bin/sh\n-n -- /bin/sh\n");
  });
}

TEST(SshHost, WhereSudoGivesNoShellTheOwnOneServes) {
  if (::geteuid() != 0) GTEST_SKIP() << "the shell's user must not matter, also when it is root";
  const FakeSudo sudo;
  const Sshd sshd("", sudo.folder());
  SshConfig config = sshd.config();
  config.sudo = true;
  with_host(config, [&](ports::Host* host) -> Task<void> {
    const auto first = co_await host->exec({"echo", "one"}, {}, 10'000, false);
    EXPECT_EQ(first ? first->out : first.error().what, "one\n");
    EXPECT_EQ(sudo.log(), "-n -l -- /bin/sh\n");
  });
}

TEST(SshHost, ASwappedOrUnknownHostKeyIsRefused) {
  const Sshd sshd;
  sshd.trust("other_host");
  const auto swapped = error_of(sshd.config());
  EXPECT_EQ(swapped.code, ErrorCode::refused);
  EXPECT_NE(swapped.what.find("its host key has changed"), std::string::npos) << swapped.what;
  EXPECT_EQ(swapped.what.find('@'), std::string::npos) << "the frame around the warning";
  EXPECT_EQ(swapped.where, "web01");
  EXPECT_FALSE(swapped.help.empty());
  write(sshd.path("known_hosts"), "");
  const auto unknown = error_of(sshd.config());
  EXPECT_EQ(unknown.code, ErrorCode::refused);
  EXPECT_NE(unknown.what.find("its host key is not known here"), std::string::npos) << unknown.what;
  EXPECT_EQ(content_of(sshd.path("known_hosts")), "") << "no key is ever accepted";
}

TEST(SshHost, AWrongKeyIsDeniedAndNobodyThereIsUnavailable) {
  const Sshd sshd;
  auto config = sshd.config();
  config.identity_file = sshd.path("other_user");
  const auto denied = error_of(config);
  EXPECT_EQ(denied.code, ErrorCode::refused);
  EXPECT_NE(denied.what.find("the login was denied"), std::string::npos) << denied.what;
  config = sshd.config();
  config.port = free_port();
  const auto nobody = error_of(config);
  EXPECT_EQ(nobody.code, ErrorCode::unavailable);
  EXPECT_NE(nobody.what.find("the connection was refused"), std::string::npos) << nobody.what;
  config.ssh_name = "no-such-host.invalid";
  EXPECT_EQ(error_of(config).code, ErrorCode::unavailable);
}

TEST(SshHost, AnAccountWithoutAShellIsExplained) {
  const Sshd sshd("command=\"echo no shell here\" ");
  EXPECT_EQ(error_of(sshd.config()).code, ErrorCode::unavailable);
}

TEST(SshHost, NamesThatAreOptionsNeverReachSsh) {
  const std::string canary = "/tmp/hitless-canary-" + random_hex(8);
  for (const std::string& name :
       {"-oProxyCommand=touch " + canary, std::string("-F/etc/passwd"), std::string("a b"),
        "x;touch " + canary, std::string(""), "$(touch " + canary + ")", std::string("a\nb")}) {
    SshConfig config;
    config.name = name;
    const auto host = make_ssh_host(config);
    ASSERT_FALSE(host) << name;
    EXPECT_EQ(host.error().code, ErrorCode::invalid);
    config.name = "fine";
    config.ssh_name = name;
    EXPECT_EQ(static_cast<bool>(make_ssh_host(config)), name.empty()) << name;
    config.ssh_name = "127.0.0.1";
    config.user = name;
    EXPECT_EQ(static_cast<bool>(make_ssh_host(config)), name.empty()) << name;
  }
  EXPECT_FALSE(fs::exists(canary));
}

TEST(SshHost, AConnectionLostInMidCommandIsToldFromAnExitCode) {
  const Sshd sshd;
  with_host(sshd.config(), [](ports::Host* host) -> Task<void> {
    const auto lost = co_await host->script("kill -KILL $PPID; sleep 60", {}, 30'000);
    EXPECT_FALSE(lost);
    EXPECT_EQ(lost.error().code, ErrorCode::transport_lost) << lost.error().what;
    EXPECT_NE(lost.error().what.find("closed by"), std::string::npos) << lost.error().what;
    const auto again = co_await host->exec({"echo", "fine"});
    EXPECT_EQ(again ? again->out : again.error().what, "fine\n");
  });
}

std::size_t logins(const Sshd& sshd) {
  const std::string log = sshd.log(), said = "Accepted publickey";
  std::size_t count = 0;
  for (auto at = log.find(said); at != std::string::npos; at = log.find(said, at + 1)) ++count;
  return count;
}

// A connection that is kept, and ended at the latest with the test.
class KeptConnection : public testing::Test {
 protected:
  KeptConnection() {
    config_ = sshd_.config();
    config_.keep_s = 60;
    config_.keep_folder = sshd_.path("kept");
  }
  ~KeptConnection() override { end(); }
  // Tells its master, as `ssh -O` does, and gives the answer.
  std::string tell(const std::string& what) {
    const auto folder = kept_connections_folder(config_);
    EXPECT_TRUE(folder);
    auto argv = ssh_kept_shell_argv(config_, false, folder.value_or(""));
    argv.insert(argv.begin() + 1, {"-O", what});
    std::string said;
    run_until_done([&]() -> Task<void> {
      if (const auto ran = co_await run_process(argv, {}, 30'000)) said = ran->err;
    });
    return said;
  }
  void end() { tell("exit"); }
  void runs() {
    with_host(config_, [](ports::Host* host) -> Task<void> {
      const auto ran = co_await host->exec({"true"});
      EXPECT_TRUE(ran && ran->exit_code == 0) << (ran ? "exit" : ran.error().what);
    });
  }
  Sshd sshd_;
  SshConfig config_;
};

TEST_F(KeptConnection, TheNextRunBeginsOnIt) {
  runs();
  runs();
  EXPECT_EQ(logins(sshd_), 1U);
  end();
  runs();
  EXPECT_EQ(logins(sshd_), 2U) << "it had gone";
  config_.keep_s = 0;
  runs();
  EXPECT_EQ(logins(sshd_), 3U) << "nothing is kept unless asked for";
}

TEST_F(KeptConnection, NobodyJoinsItByOtherRules) {
  runs();
  config_.connect_timeout_s = 7;
  runs();
  EXPECT_EQ(logins(sshd_), 2U);
  end();
  config_.connect_timeout_s = 5;
}

TEST_F(KeptConnection, OneThatWasLostIsFollowedByOneOfOurOwn) {
  with_host(config_, [this](ports::Host* host) -> Task<void> {
    EXPECT_TRUE(co_await host->exec({"true"}));
    kill_client(host);
    co_await sleep_for(50);
    EXPECT_TRUE(co_await host->exec({"true"}));
    EXPECT_EQ(logins(sshd_), 2U);
  });
}

TEST_F(KeptConnection, OneThatLeadsNowhereIsNotTakenForTheHost) {
  runs();
  tell("stop");  // it takes nobody any more
  runs();
  EXPECT_EQ(logins(sshd_), 2U);
}

TEST_F(KeptConnection, OneThatHangsIsNotWaitedForLong) {
  config_.connect_timeout_s = 1;
  runs();
  const std::string said = tell("check"), before_pid = "pid=";
  const auto at = said.find(before_pid);
  ASSERT_NE(at, std::string::npos) << said;
  const int master = std::stoi(said.substr(at + before_pid.size()));
  ASSERT_GT(master, 1);
  ASSERT_EQ(::kill(master, SIGSTOP), 0);
  runs();
  EXPECT_EQ(logins(sshd_), 2U);
  ::kill(master, SIGCONT);
}

TEST_F(KeptConnection, AFolderInWhichOthersCouldPutASocketIsNotUsed) {
  const auto folder = kept_connections_folder(config_);
  ASSERT_TRUE(folder);
  ASSERT_EQ(::chmod(folder->c_str(), 0770), 0);
  EXPECT_FALSE(kept_connections_folder(config_));
  ASSERT_EQ(::chmod(folder->c_str(), 0700), 0);
  EXPECT_TRUE(kept_connections_folder(config_));
  fs::create_directory_symlink(*folder, *folder + "2");
  config_.keep_folder = *folder + "2";
  EXPECT_FALSE(kept_connections_folder(config_));
  config_.keep_folder = *folder;
}

TEST(SshHost, WhatHungIsEndedAtTheNextConnect) {
  const Sshd sshd;
  with_host(sshd.config(), [&](ports::Host* host) -> Task<void> {
    const auto warm = co_await host->exec({"true"});
    EXPECT_TRUE(warm);
    const auto hung =
        co_await host->script("sleep 600 & echo $! > \"$1\"; wait", {sshd.path("pid")}, 1000);
    EXPECT_EQ(hung ? ErrorCode::internal : hung.error().code, ErrorCode::timed_out);
    const auto again = co_await host->exec({"true"});
    EXPECT_TRUE(again) << again.error().what;
    const int pid = std::stoi(content_of(sshd.path("pid")));
    EXPECT_GT(pid, 1);
    bool gone = false;
    for (int i = 0; i < 250 && !gone; ++i) {
      const std::string state = content_of("/proc/" + std::to_string(pid) + "/stat");
      gone = state.empty() || state.find(") Z ") != std::string::npos;
      if (!gone) co_await sleep_for(20);
    }
    EXPECT_TRUE(gone);
  });
}

TEST(SshHost, AnOperationOutlivesItsConnectionAndItsOutcomeIsFetched) {
  const Sshd sshd;
  with_host(sshd.config(), [&](ports::Host* host) -> Task<void> {
    const auto warm = co_await host->exec({"true"});
    EXPECT_TRUE(warm);
    auto cut = [](ports::Host* on, std::string started) -> Task<void> {
      while (!fs::exists(started)) co_await sleep_for(20);
      for (int i = 0; i < 2; ++i) {
        kill_client(on);
        co_await sleep_for(300);
      }
    };
    auto run = [](ports::Host* on, std::string folder) -> Task<void> {
      ports::Operation operation;
      operation.id = "test-" + random_hex(8);
      operation.argv = {"sh", "-c", "echo x >> \"$1/count\"; sleep 2; echo done; exit 4", "sh",
                        folder};
      const auto result = co_await on->run_operation(operation);
      EXPECT_TRUE(result) << result.error().what;
      if (!result) co_return;
      EXPECT_EQ(result->exit_code, 4);
      EXPECT_EQ(result->out, "done\n");
    };
    std::vector<Task<void>> both;
    both.push_back(cut(host, sshd.path("count")));
    both.push_back(run(host, sshd.path("")));
    co_await join_all(std::move(both));
    EXPECT_GE(dynamic_cast<ShellHost*>(host)->session().generation(), 2);
  });
  EXPECT_EQ(content_of(sshd.path("count")), "x\n") << "it ran once";
}

TEST(SshHost, OutcomeIsUnknownWhenTheHostStaysAway) {
  auto sshd = std::make_unique<Sshd>();
  const std::string mark = "/tmp/hitless-away-" + random_hex(8);
  const std::string id = "test-" + random_hex(8);
  with_host(sshd->config(), [&](ports::Host* host) -> Task<void> {
    auto stop = [](std::unique_ptr<Sshd>* server, ports::Host* on,
                   std::string started) -> Task<void> {
      while (!fs::exists(started)) co_await sleep_for(20);
      kill_client(on);
      server->reset();
    };
    auto run = [](ports::Host* on, std::string started, std::string name) -> Task<void> {
      ports::Operation operation;
      operation.id = name;
      operation.argv = {"sh", "-c", "touch \"$1\"; sleep 3", "sh", started};
      operation.deadline_ms = 1500;
      const auto result = co_await on->run_operation(operation);
      EXPECT_FALSE(result);
      EXPECT_EQ(result.error().code, ErrorCode::transport_lost);
      EXPECT_NE(result.error().what.find("outcome unknown"), std::string::npos);
    };
    std::vector<Task<void>> both;
    both.push_back(stop(&sshd, host, mark));
    both.push_back(run(host, mark, id));
    co_await join_all(std::move(both));
  });
  fs::remove(mark);
  // Its record was never received, so it is still there.
  for (const std::string base : {"/run", "/tmp"}) {
    fs::remove_all(base + "/hitless-ops-" + std::to_string(::geteuid()) + "/" + id);
  }
}

TEST(SshHost, ForwardsAUnixSocketAndCleansUp) {
  const Sshd sshd;
  const std::string remote = sshd.path("service.sock");
  asio::io_context context;
  asio::local::stream_protocol::acceptor acceptor(context, {remote});
  std::string local;
  with_host(sshd.config(), [&](ports::Host* host) -> Task<void> {
    const auto path = co_await host->forward_unix(remote);
    EXPECT_TRUE(path) << path.error().what;
    if (!path) co_return;
    local = *path;
    const auto same = co_await host->forward_unix(remote);
    EXPECT_EQ(same.value_or(""), local);
    struct stat about{};
    ::stat(fs::path(local).parent_path().c_str(), &about);
    EXPECT_EQ(about.st_mode & 0777u, 0700u);
    std::thread server([&] {
      for (int i = 0; i < 2; ++i) {  // the first is the probe that found it open
        auto socket = acceptor.accept();
        std::string line;
        boost::system::error_code code;
        asio::read_until(socket, asio::dynamic_buffer(line), '\n', code);
        asio::write(socket, asio::buffer("answer to " + line), code);
      }
    });
    asio::local::stream_protocol::socket client(context);
    client.connect({local});
    asio::write(client, asio::buffer(std::string("ping\n")));
    std::string reply;
    asio::read_until(client, asio::dynamic_buffer(reply), '\n');
    EXPECT_EQ(reply, "answer to ping\n");
    server.join();
    for (const std::string bad : {"relative", "/a:b", "/a b", "/x/../y", ""}) {
      const auto refused = co_await host->forward_unix(bad);
      EXPECT_FALSE(refused) << bad;
    }
  });
  EXPECT_FALSE(fs::exists(local));
  EXPECT_FALSE(fs::exists(fs::path(local).parent_path()));
}

Task<void> measure(ports::Host* host, std::string what) {
  const auto warm = co_await host->exec({"true"});
  EXPECT_TRUE(warm);
  std::vector<std::int64_t> times_us;
  for (int i = 0; i < 300; ++i) {
    const auto started = std::chrono::steady_clock::now();
    const auto result = co_await host->exec({i % 2 == 0 ? "true" : "/bin/true"});
    EXPECT_TRUE(result);
    times_us.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - started)
                           .count());
  }
  std::vector<std::int64_t> builtin, external;
  for (std::size_t i = 0; i < times_us.size(); ++i)
    (i % 2 == 0 ? builtin : external).push_back(times_us[i]);
  std::ranges::sort(builtin);
  std::ranges::sort(external);
  std::printf(
      "[ MEASURE  ] %s: builtin median %ld us, p95 %ld us; external median %ld us, p95 %ld us\n",
      what.c_str(), static_cast<long>(builtin[75]), static_cast<long>(builtin[142]),
      static_cast<long>(external[75]), static_cast<long>(external[142]));
}

TEST(SshHost, RoundTripTimes) {
  const Sshd sshd;
  with_host(sshd.config(), [](ports::Host* host) -> Task<void> { co_await measure(host, "ssh"); });
  run_until_done([]() -> Task<void> {
    auto host = make_local_host("here", "127.0.0.1");
    co_await measure(host.get(), "local");
  });
}

}  // namespace
}  // namespace hitless::host
