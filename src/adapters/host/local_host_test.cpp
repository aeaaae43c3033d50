#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>

#include "adapters/host/host.hpp"
#include "base/digest.hpp"

namespace hitless::host {
namespace {
namespace fs = std::filesystem;

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/hitless-host-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
};

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

unsigned mode_of(const std::string& path) {
  struct stat about{};
  return ::lstat(path.c_str(), &about) == 0 ? about.st_mode & 07777u : 0;
}

class LocalHostTest : public testing::Test {
 protected:
  template <class Body>
  void with_host(Body body, bool sudo = false) {
    run_until_done([&]() -> Task<void> {
      auto host = make_local_host("here", "127.0.0.1", sudo);
      co_await body(host.get());
    });
  }
  Folder folder;
};

TEST_F(LocalHostTest, ArgumentsArriveAsTheyAre) {
  with_host([&](ports::Host* host) -> Task<void> {
    const std::string canary = folder / "canary";
    const auto result = co_await host->exec({"printf", "%s|", "$(touch " + canary + ")", "a'b\"c",
                                             "", "-n", "x\ny", "`id`", "\\", "*"});
    EXPECT_TRUE(result);
    EXPECT_EQ(result->out, "$(touch " + canary + ")|a'b\"c||-n|x\ny|`id`|\\|*|");
    EXPECT_FALSE(fs::exists(canary));
    const auto script = co_await host->script("printf '%s,' \"$@\"; cat", {"$1", "two words"});
    EXPECT_EQ(script->out, "$1,two words,");
    const auto broken = co_await host->script("if then (");
    EXPECT_NE(broken->exit_code, 0);
  });
}

TEST_F(LocalHostTest, NonCommandsAreRefused) {
  with_host([](ports::Host* host) -> Task<void> {
    for (const std::string word : {"", "-n"}) {
      const auto result = co_await host->exec({word});
      EXPECT_FALSE(result);
      EXPECT_EQ(result.error().code, ErrorCode::invalid);
    }
    const auto nul = co_await host->exec({"echo", std::string("a\0b", 3)});
    EXPECT_FALSE(nul);
    const auto nothing = co_await host->exec({});
    EXPECT_FALSE(nothing);
  });
}

TEST_F(LocalHostTest, FilesAreReadWholeOrNotAtAll) {
  std::string binary;
  for (int i = 0; i < 100'000; ++i) binary += static_cast<char>(i * 13);
  write(folder / "f", binary);
  ::mkfifo((folder / "fifo").c_str(), 0600);
  with_host([&](ports::Host* host) -> Task<void> {
    const auto whole = co_await host->read_file(folder / "f");
    EXPECT_TRUE(whole && *whole == binary);
    const auto exact = co_await host->read_file(folder / "f", 100'000);
    EXPECT_TRUE(exact);
    const auto small = co_await host->read_file(folder / "f", 99'999);
    EXPECT_EQ(small.error().code, ErrorCode::refused);
    const auto missing = co_await host->read_file(folder / "none");
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    const auto fifo = co_await host->read_file(folder / "fifo");
    EXPECT_EQ(fifo.error().code, ErrorCode::failed);
    const auto dir = co_await host->read_file(folder.path);
    EXPECT_EQ(dir.error().code, ErrorCode::failed);
    const auto dots = co_await host->read_file(folder / "../x");
    EXPECT_EQ(dots.error().code, ErrorCode::invalid);
  });
}

TEST_F(LocalHostTest, StatTellsMissingFromUnreadable) {
  write(folder / "f", "12345");
  ::chmod((folder / "f").c_str(), 0640);
  fs::create_symlink(folder / "f", folder / "link");
  with_host([&](ports::Host* host) -> Task<void> {
    const auto file = co_await host->stat(folder / "f");
    EXPECT_TRUE(file && file->exists && file->is_regular);
    EXPECT_EQ(file->size, 5);
    EXPECT_EQ(file->mode, "0640");
    const auto link = co_await host->stat(folder / "link");
    EXPECT_TRUE(link && link->exists);
    EXPECT_FALSE(link->is_regular);
    const auto missing = co_await host->stat(folder / "none");
    EXPECT_TRUE(missing);
    EXPECT_FALSE(missing->exists);
    const auto below_file = co_await host->stat(folder / "f/x");
    EXPECT_FALSE(below_file) << "not a directory: nothing is known about it";
  });
}

// An ACL as the kernel has it: the owner rw, user 1234 r, the group r, the mask r, others nothing.
const unsigned char acl_of_1234[] = {2,  0, 0, 0,                          //
                                     1,  0, 6, 0, 0xff, 0xff, 0xff, 0xff,  //
                                     2,  0, 4, 0, 0xd2, 0x04, 0,    0,     //
                                     4,  0, 4, 0, 0xff, 0xff, 0xff, 0xff,  //
                                     16, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,  //
                                     32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
constexpr const char* acl_name = "system.posix_acl_access";

std::string acl_of(const std::string& path) {
  char acl[256];
  const auto size = ::getxattr(path.c_str(), acl_name, acl, sizeof acl);
  return size < 0 ? std::string("none") : std::string(acl, static_cast<std::size_t>(size));
}

TEST_F(LocalHostTest, PutKeepsTheAclAndWhatIsNewIsLikeAnother) {
  write(folder / "f", "old");
  ::chmod((folder / "f").c_str(), 0640);
  ASSERT_EQ(::setxattr((folder / "f").c_str(), acl_name, acl_of_1234, sizeof acl_of_1234, 0), 0);
  const bool other_owner = ::geteuid() == 0 && ::chown((folder / "f").c_str(), 1234, 4321) == 0;
  const std::string acl = acl_of(folder / "f");
  ASSERT_EQ(::symlink("f", (folder / "link").c_str()), 0);
  with_host([&](ports::Host* host) -> Task<void> {
    const auto again = co_await host->put_atomic(folder / "f", "new");
    EXPECT_TRUE(again) << again.error().what;
    const auto like = co_await host->put_atomic(folder / "g", "x", "0644", folder / "f");
    EXPECT_TRUE(like) << like.error().what;
    EXPECT_FALSE(co_await host->put_atomic(folder / "h", "x", "0644", folder / "link"));
    EXPECT_FALSE(co_await host->put_atomic(folder / "h", "x", "0644", folder / "none"));
  });
  EXPECT_EQ(content_of(folder / "f"), "new");
  EXPECT_NE(::access((folder / "h").c_str(), F_OK), 0);
  for (const std::string& name : {folder / "f", folder / "g"}) {
    EXPECT_EQ(acl_of(name), acl) << name;
    EXPECT_EQ(mode_of(name), 0640u) << name;
    struct stat about{};
    ASSERT_EQ(::stat(name.c_str(), &about), 0);
    EXPECT_TRUE(!other_owner || (about.st_uid == 1234 && about.st_gid == 4321)) << name;
  }
}

TEST_F(LocalHostTest, PutReplacesWithModeAndOwnerKept) {
  write(folder / "f", "old");
  ::chmod((folder / "f").c_str(), 0604);
  const bool other_owner = ::geteuid() == 0 && ::chown((folder / "f").c_str(), 1234, 4321) == 0;
  std::string binary;
  for (int i = 0; i < 300'000; ++i) binary += static_cast<char>(i * 7);
  with_host([&](ports::Host* host) -> Task<void> {
    const auto status = co_await host->put_atomic(folder / "f", binary);
    EXPECT_TRUE(status) << status.error().what;
    const auto fresh = co_await host->put_atomic(folder / "new", "", "0640");
    EXPECT_TRUE(fresh) << fresh.error().what;
  });
  EXPECT_TRUE(content_of(folder / "f") == binary);
  EXPECT_EQ(mode_of(folder / "f"), 0604u);
  EXPECT_EQ(mode_of(folder / "new"), 0640u);
  struct stat about{};
  ::stat((folder / "f").c_str(), &about);
  if (other_owner) EXPECT_EQ(about.st_uid, 1234u);
  if (other_owner) EXPECT_EQ(about.st_gid, 4321u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 2) << "no temp files stay";
}

TEST_F(LocalHostTest, PutRefusesWhatIsNotARegularFile) {
  write(folder / "f", "old");
  fs::create_symlink(folder / "f", folder / "link");
  fs::create_directory(folder / "dir");
  with_host([&](ports::Host* host) -> Task<void> {
    for (const std::string name : {"link", "dir"}) {
      const auto status = co_await host->put_atomic(folder / name, "new");
      EXPECT_EQ(status ? ErrorCode::internal : status.error().code, ErrorCode::refused) << name;
    }
    const auto no_folder = co_await host->put_atomic(folder / "none/f", "new");
    EXPECT_EQ(no_folder.error().code, ErrorCode::failed);
    for (const std::string mode : {"", "abc", "99", "0644;x", "-R"}) {
      const auto status = co_await host->put_atomic(folder / "f2", "x", mode);
      EXPECT_EQ(status.error().code, ErrorCode::invalid) << mode;
    }
  });
  EXPECT_EQ(content_of(folder / "f"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 3);
}

TEST_F(LocalHostTest, BootId) {
  with_host([](ports::Host* host) -> Task<void> {
    const auto id = co_await host->boot_id();
    EXPECT_TRUE(id) << id.error().what;
    EXPECT_EQ(id->size(), 36u);
  });
}

TEST_F(LocalHostTest, CountsEstablishedConnectionsOfThatPortOnly) {
  namespace asio = boost::asio;
  using asio::ip::tcp;
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  const auto endpoint = acceptor.local_endpoint();
  std::vector<tcp::socket> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(context).connect(endpoint);
  const auto count_all = [&](ports::Host* host) -> Task<void> {
    const auto count = co_await host->connections_on(endpoint.port());
    EXPECT_TRUE(count) << count.error().what;
    EXPECT_EQ(count.value_or(-1), 3) << "two ends each, one counts; unaccepted ones too";
    auto peers = co_await host->peers_on(endpoint.port());
    EXPECT_TRUE(peers) << peers.error().what;
    std::vector<std::string> ports;
    for (const std::string& peer : peers.value_or(std::vector<std::string>{}))
      ports.push_back(peer.substr(peer.rfind(':') + 1));
    std::vector<std::string> ours;
    for (const auto& client : clients)
      ours.push_back(std::to_string(client.local_endpoint().port()));
    std::ranges::sort(ports);
    std::ranges::sort(ours);
    EXPECT_EQ(ports, ours);
    const auto nobody = co_await host->peers_on(1);
    EXPECT_TRUE(nobody && nobody->empty());
    const auto none = co_await host->connections_on(1);
    EXPECT_EQ(none.value_or(-1), 0);
    const auto nonsense = co_await host->connections_on(0);
    EXPECT_FALSE(nonsense);
  };
  with_host(count_all);
  // A host whose ss does not work.
  const std::string old_path = ::getenv("PATH");
  fs::create_directory(folder / "bin");
  write(folder / "bin/ss", "#!/bin/sh\nexit 1\n");
  ::chmod((folder / "bin/ss").c_str(), 0755);
  ::setenv("PATH", ((folder / "bin") + ":" + old_path).c_str(), 1);
  with_host(count_all);
  ::setenv("PATH", old_path.c_str(), 1);
}

// A sudo that notes what it was asked to run.
TEST_F(LocalHostTest, PrivilegedCommandsGoThroughSudo) {
  fs::create_directory(folder / "bin");
  write(folder / "bin/sudo",
        "#!/bin/sh\n[ \"$1 $2\" = '-n --' ] || exit 9\nshift 2\n"
        "echo \"$*\" >> " +
            (folder / "log") +
            "\n"
            "[ \"$1\" = denied ] && { echo 'sudo: a password is required' >&2; exit 1; }\n"
            "exec \"$@\"\n");
  ::chmod((folder / "bin/sudo").c_str(), 0755);
  const std::string old_path = ::getenv("PATH");
  ::setenv("PATH", ((folder / "bin") + ":" + old_path).c_str(), 1);
  with_host(
      [&](ports::Host* host) -> Task<void> {
        const auto plain = co_await host->exec({"echo", "plain"});
        EXPECT_EQ(plain->out, "plain\n");
        EXPECT_FALSE(fs::exists(folder / "log"));
        const auto result = co_await host->exec({"echo", "two words"}, {}, 10'000, true);
        EXPECT_EQ(result->out, "two words\n");
        const auto denied = co_await host->exec({"denied"}, {}, 10'000, true);
        EXPECT_EQ(denied ? ErrorCode::internal : denied.error().code, ErrorCode::refused);
        const auto put = co_await host->put_atomic(folder / "f", "x");
        EXPECT_TRUE(put) << put.error().what;
      },
      true);
  ::setenv("PATH", old_path.c_str(), 1);
  const std::string log = content_of(folder / "log");
  EXPECT_TRUE(log.starts_with("echo two words\ndenied\n")) << log;
  for (const std::string word : {"dd of=", "chmod --", "sha256sum --", "mv -fT --", "sync --"}) {
    EXPECT_NE(log.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(log.find("sh -c"), std::string::npos) << "only narrow commands";
}

std::string new_id() {
  return "test-" + random_hex(8);
}

TEST_F(LocalHostTest, OperationsGiveTheirOutcome) {
  with_host([&](ports::Host* host) -> Task<void> {
    ports::Operation operation;
    operation.id = new_id();
    operation.argv = {"sh", "-c", "echo \"$1\"; echo err >&2; exit 5", "sh", "a $HOME 'b'"};
    const auto result = co_await host->run_operation(operation);
    EXPECT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->exit_code, 5);
    EXPECT_EQ(result->out, "a $HOME 'b'\n");
    EXPECT_EQ(result->err, "err\n");
  });
}

TEST_F(LocalHostTest, TheSameIdTwiceStartsOnce) {
  with_host([&](ports::Host* host) -> Task<void> {
    ports::Operation operation;
    operation.id = new_id();
    operation.argv = {"sh",
                      "-c",
                      "until [ -e \"$1\" ]; do sleep 0.05; done; "
                      "echo x >> \"$2\"; echo done",
                      "sh",
                      folder / "go",
                      folder / "count"};
    auto other = make_local_host("here too", "127.0.0.1");
    auto run = [&](ports::Host* on) -> Task<void> {
      const auto result = co_await on->run_operation(operation);
      // The one who comes second may find it collected already: then it is unknown, never a second
      // run.
      if (result)
        EXPECT_EQ(result->out, "done\n");
      else
        EXPECT_EQ(result.error().code, ErrorCode::transport_lost);
    };
    std::vector<Task<void>> both;
    both.push_back(run(host));
    both.push_back(run(other.get()));
    both.push_back([](std::string go) -> Task<void> {
      co_await sleep_for(1500);  // by now both have asked
      write(go, "");
    }(folder / "go"));
    co_await join_all(std::move(both));
  });
  EXPECT_EQ(content_of(folder / "count"), "x\n");
}

TEST_F(LocalHostTest, AnOutcomeSurvivesItsController) {
  ports::Operation operation;
  operation.id = new_id();
  operation.argv = {"sh", "-c", "sleep 0.5; echo x >> " + (folder / "count") + "; exit 3"};
  with_host([&](ports::Host* host) -> Task<void> {
    auto run = [&]() -> Task<void> { co_await host->run_operation(operation); };
    const bool in_time = co_await finish_within(run(), 250);
    EXPECT_FALSE(in_time);
  });  // the session's sh is killed here
  with_host([&](ports::Host* host) -> Task<void> {
    const auto result = co_await host->run_operation(operation);
    EXPECT_TRUE(result) << result.error().what;
    EXPECT_EQ(result->exit_code, 3);
  });
  EXPECT_EQ(content_of(folder / "count"), "x\n");
}

TEST_F(LocalHostTest, AnOperationIsKilledAtItsDeadline) {
  with_host([&](ports::Host* host) -> Task<void> {
    ports::Operation operation;
    operation.id = new_id();
    operation.argv = {"sleep", "600"};
    operation.deadline_ms = 1000;
    const auto result = co_await host->run_operation(operation);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::timed_out);
  });
}

TEST_F(LocalHostTest, ADaemonLeftRunningByAnOperationStays) {
  int daemon = 0;
  with_host([&](ports::Host* host) -> Task<void> {
    ports::Operation operation;
    operation.id = new_id();
    operation.argv = {"sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"};
    const auto result = co_await host->run_operation(operation);
    EXPECT_TRUE(result) << result.error().what;
    daemon = std::stoi(result->out);
    EXPECT_EQ(::kill(daemon, 0), 0);
  });
  EXPECT_EQ(::kill(daemon, SIGKILL), 0);
}

TEST_F(LocalHostTest, OperationIdsThatArePathsOrOptionsAreRefused) {
  with_host([](ports::Host* host) -> Task<void> {
    for (const std::string id : {"", "..", "../x", "a/b", "-p", "a b", "a\n", "$x", ".hidden"}) {
      ports::Operation operation;
      operation.id = id;
      operation.argv = {"true"};
      const auto result = co_await host->run_operation(operation);
      EXPECT_EQ(result ? ErrorCode::internal : result.error().code, ErrorCode::invalid) << id;
    }
  });
}

}  // namespace
}  // namespace hitless::host
