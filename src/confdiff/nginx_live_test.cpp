// The parser and the classes against the nginx of this machine: whatever a case says a reload does,
// a real nginx, started here on a free loopback port in a temporary folder, must do.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "confdiff/config_diff.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/nginx_rebase.hpp"
#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {
namespace {

namespace fs = std::filesystem;
constexpr const char* kNginx = "/usr/sbin/nginx";
constexpr int kDeadlineMs = 20'000;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_file(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "hitless-confdiff-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A child that dies with this process; its output goes to a file.
pid_t start(std::vector<std::string> argv, const std::string& output) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  if (std::freopen(output.c_str(), "w", stdout) == nullptr) ::_exit(127);
  ::dup2(1, 2);
  std::vector<char*> args;
  for (std::string& arg : argv) args.push_back(arg.data());
  args.push_back(nullptr);
  ::execv(args[0], args.data());
  ::_exit(127);
}

int run(std::vector<std::string> argv, const std::string& output) {
  int status = 0;
  const pid_t pid = start(std::move(argv), output);
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// One nginx master with its configuration in a temporary folder.
class LiveNginx {
 public:
  [[nodiscard]] std::string config(const std::string& main, const std::string& http,
                                   const std::string& listen) const {
    std::string text = "pid " + path("pid") + ";\nerror_log " + log() + " notice;\ndaemon off;\n" +
                       main + "events {}\nhttp {\n  access_log off;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      text += std::string("  ") + kind + "_temp_path " + path(kind) + ";\n";
    return text + http + "  server { " + listen + " return 200 ok; }\n}\n";
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return folder_.path() + "/" + name;
  }
  [[nodiscard]] std::string log() const { return path("error.log"); }
  [[nodiscard]] std::string main_path() const { return path("nginx.conf"); }

  ~LiveNginx() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }

  bool start_with(const std::string& config) {
    write_file(main_path(), config);
    pid_ = start({kNginx, "-c", main_path(), "-e", log()}, path("out"));
    return wait_for(0, {"start worker process "}) == "start worker process ";
  }

  [[nodiscard]] bool test_passes() const {
    return run({kNginx, "-t", "-c", main_path(), "-e", "/dev/null"}, path("out")) == 0;
  }

  // Did the reload take effect? From the log alone, as nginx tells nobody else.
  bool reload_with(const std::string& config) {
    write_file(main_path(), config);
    EXPECT_TRUE(test_passes()) << read_file(path("out"));
    const auto offset = static_cast<std::size_t>(fs::file_size(log()));
    ::kill(pid_, SIGHUP);
    const std::string said =
        wait_for(offset, {"start worker process ", "still could not bind", "previously"});
    EXPECT_FALSE(said.empty()) << read_file(log());
    return said == "start worker process ";
  }

 private:
  [[nodiscard]] std::string wait_for(std::size_t offset,
                                     const std::vector<std::string>& words) const {
    for (int waited = 0; waited < kDeadlineMs; waited += 20) {
      const std::string text = read_file(log());
      for (const std::string& word : words)
        if (text.size() > offset && text.find(word, offset) != std::string::npos) return word;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return {};
  }

  TempFolder folder_;
  pid_t pid_ = -1;
};

struct ReloadCase {
  const char* name;
  const char* old_http;
  const char* old_listen;
  const char* new_http;
  const char* new_listen;
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

class NginxReload : public testing::TestWithParam<ReloadCase> {};

// The class says restart if and only if a reload does not take effect (each passes nginx -t).
TEST_P(NginxReload, DoesWhatTheClassSays) {
  if (!fs::exists(kNginx)) GTEST_SKIP() << "no nginx here";
  const ReloadCase& one = GetParam();
  LiveNginx nginx;
  const std::string port = std::to_string(free_port()), other = std::to_string(free_port());
  const auto filled = [&](const char* text) {
    return replaced(replaced(replaced(text, "PORT", port), "OTHER", other), "DIR",
                    nginx.path("cache"));
  };
  const std::string before = nginx.config("", filled(one.old_http), filled(one.old_listen));
  const std::string after = nginx.config("", filled(one.new_http), filled(one.new_listen));
  ASSERT_TRUE(nginx.start_with(before)) << read_file(nginx.log()) << read_file(nginx.path("out"));
  const DiffResult diff =
      diff_config(Kind::nginx, {{nginx.main_path(), before}}, {{nginx.main_path(), after}},
                  nginx.main_path(), Context{"/", 1});
  ASSERT_FALSE(diff.before_error || diff.after_error);
  const bool restart = diff.summary.change_class == ChangeClass::restart;
  EXPECT_EQ(nginx.reload_with(after), !restart)
      << render_changes(diff.changes) << read_file(nginx.log());
}

constexpr const char* kOne = "listen 127.0.0.1:PORT;";
INSTANTIATE_TEST_SUITE_P(
    Live, NginxReload,
    testing::Values(
        ReloadCase{"limit_req_key", "limit_req_zone $uri zone=z:1m rate=1r/s;", kOne,
                   "limit_req_zone $args zone=z:1024k rate=1r/s;", kOne},
        ReloadCase{"limit_req_key_and_size", "limit_req_zone $uri zone=z:1m rate=1r/s;", kOne,
                   "limit_req_zone $args zone=z:2m rate=1r/s;", kOne},
        ReloadCase{"limit_req_rate", "limit_req_zone $uri zone=z:1m rate=1r/s;", kOne,
                   "limit_req_zone $uri zone=z:1m rate=2r/s;", kOne},
        ReloadCase{"limit_conn_key", "limit_conn_zone $uri zone=z:1m;", kOne,
                   "limit_conn_zone $args zone=z:1m;", kOne},
        ReloadCase{"cache_path", "proxy_cache_path DIR1 levels=1:2 keys_zone=c:1m;", kOne,
                   "proxy_cache_path DIR2 levels=1:2 keys_zone=c:1m;", kOne},
        ReloadCase{"cache_levels", "proxy_cache_path DIR levels=1:2 keys_zone=c:1m;", kOne,
                   "proxy_cache_path DIR levels=1 keys_zone=c:1m;", kOne},
        ReloadCase{"cache_size", "proxy_cache_path DIR levels=1:2 keys_zone=c:1m;", kOne,
                   "proxy_cache_path DIR levels=1:2 keys_zone=c:2m;", kOne},
        ReloadCase{"specific_to_wildcard", "", kOne, "", "listen PORT;"},
        ReloadCase{"wildcard_to_specific", "", "listen PORT;", "", kOne},
        ReloadCase{"unbound_specific_left_alone", "", "listen PORT; listen 127.0.0.1:PORT;", "",
                   kOne},
        ReloadCase{"reuseport_swap", "", "listen 127.0.0.1:PORT reuseport;", "",
                   "listen PORT reuseport;"},
        ReloadCase{"new_listen", "", kOne, "", "listen 127.0.0.1:PORT; listen 127.0.0.1:OTHER;"},
        ReloadCase{"other_address", "", kOne, "", "listen 127.0.0.1:PORT; listen 127.0.0.2:PORT;"},
        ReloadCase{"upstream", "upstream u { server 127.0.0.1:1; }", kOne,
                   "upstream u { server 127.0.0.1:1; server 127.0.0.1:2; }", kOne}),
    [](const auto& info) { return std::string(info.param.name); });

// Mutated configurations: what nginx -t calls a syntax error, the parser does too, and the reverse.
TEST(NginxLive, SyntaxVerdictsAgree) {
  if (!fs::exists(kNginx)) GTEST_SKIP() << "no nginx here";
  LiveNginx nginx;
  const std::string seed =
      nginx.config("", "map $a $b { default \"x\\\"y\"; ~^/x 'q;'; } # c\n",
                   "listen 127.0.0.1:1; if ($uri = \"a\") { set $x \"${uri}\\n\"; }");
  const std::size_t from = seed.find("events");
  const std::string alphabet = "{};\"'\\#$ \nx)";
  std::mt19937 random(5);
  int broken = 0;
  for (int round = 0; round < 150; ++round) {
    std::string text = seed;
    for (std::uint32_t i = 1 + random() % 2; i > 0; --i) {
      const std::size_t at = from + random() % (text.size() - from);
      if (random() % 2 == 0)
        text[at] = alphabet[random() % alphabet.size()];
      else
        text.insert(at, 1, alphabet[random() % alphabet.size()]);
    }
    write_file(nginx.main_path(), text);
    const bool passes = nginx.test_passes();
    const std::string said = read_file(nginx.path("out"));
    bool syntax_error = false;
    for (const char* word : {"unexpected", "too long parameter"})
      syntax_error |= said.find(word) != std::string::npos;
    const auto tree = parse_nginx({{nginx.main_path(), text}}, nginx.main_path());
    broken += tree ? 0 : 1;
    if (passes) {
      EXPECT_TRUE(tree.has_value()) << tree.error().what << "\n" << text;
    }
    if (syntax_error) {
      EXPECT_FALSE(tree.has_value()) << said << "\n" << text;
    }
  }
  EXPECT_GT(broken, 20);
}

Files read_folder(const std::string& folder) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
  return files;
}

// The files nginx -T prints, in its order.
std::vector<std::string> closure_told_by(const std::string& output) {
  std::vector<std::string> paths;
  const std::string mark = "# configuration file ";
  for (std::size_t at = 0; (at = output.find(mark, at)) != std::string::npos; at += mark.size()) {
    const std::size_t end = output.find(":\n", at);
    paths.push_back(output.substr(at + mark.size(), end - at - mark.size()));
  }
  return paths;
}

TEST(NginxLive, ClosureIsWhatNginxPrints) {
  if (!fs::exists(kNginx)) GTEST_SKIP() << "no nginx here";
  LiveNginx nginx;
  const std::string server = "server { listen 127.0.0.1:1; include parts/*; }\n";
  write_file(nginx.main_path(), nginx.config("include main.d/[!.]*.conf;", "include conf.d/*.conf;",
                                             "listen 127.0.0.1:1;"));
  write_file(nginx.path("main.d/env.conf"), "env A;\n");
  write_file(nginx.path("conf.d/b.conf"), server);
  write_file(nginx.path("conf.d/A.conf"), server);
  write_file(nginx.path("conf.d/a.conf"), server);
  write_file(nginx.path("conf.d/.z.conf"), "broken");
  write_file(nginx.path("conf.d/a.conf~"), "broken");
  write_file(nginx.path("parts/1"), "add_header A \"b;{\";\n");
  ASSERT_EQ(
      run({kNginx, "-T", "-q", "-c", nginx.main_path(), "-e", "/dev/null"}, nginx.path("out")), 0)
      << read_file(nginx.path("out"));
  const auto tree =
      parse_nginx(read_folder(fs::path(nginx.main_path()).parent_path()), nginx.main_path());
  ASSERT_TRUE(tree.has_value()) << tree.error().what;
  EXPECT_EQ(tree->files, closure_told_by(read_file(nginx.path("out"))));
}

TEST(NginxLive, RebasedTreePassesAndTouchesNothingLive) {
  if (!fs::exists(kNginx)) GTEST_SKIP() << "no nginx here";
  LiveNginx nginx;
  const std::string live = nginx.path("live"), staged = nginx.path("stage d");
  const std::string main = live + "/nginx.conf";
  const std::string text = nginx.config(
      "", "# include " + live + "/x;\n  include " + live + "/conf.d/*.conf; include conf.d/rel;\n",
      "listen 127.0.0.1:1; root " + live + "/www;");
  const Files files = {
      {main, text},
      {live + "/conf.d/a.conf",
       "include \"" + live +
           "/conf.d/inner\"; server { listen 127.0.0.1:2; auth_basic_user_file users; }\n"},
      {live + "/conf.d/inner", "gzip on;\n"},
      {live + "/conf.d/rel", "gzip_vary on;\n"},
      {"/opt/outside.conf", "x"}};
  const Files moved = rebase_nginx(files, main, live, staged);
  EXPECT_EQ(moved.at(staged + "/nginx.conf"), replaced(text, "include " + live + "/conf.d/*.conf",
                                                       "include \"" + staged + "/conf.d/*.conf\""));
  EXPECT_EQ(moved.at("/opt/outside.conf"), "x");
  EXPECT_EQ(moved.size(), files.size());
  EXPECT_EQ(staging_needs(files, main), (std::vector<std::string>{"users"}));
  for (const auto& [path, content] : moved)
    if (is_under(path, staged)) write_file(path, content);
  // The live tree does not even exist: all that is tested is the staged one.
  EXPECT_EQ(run({kNginx, "-t", "-c", staged + "/nginx.conf", "-e", "/dev/null"}, nginx.path("out")),
            0)
      << read_file(nginx.path("out"));
}

TEST(NginxLive, DebiansOwnConfigurationParses) {
  if (!fs::exists("/etc/nginx/nginx.conf")) GTEST_SKIP() << "no nginx here";
  Files files = read_folder("/etc/nginx");
  for (const auto& entry : fs::directory_iterator("/etc/nginx/sites-enabled"))
    files[entry.path().string()] = read_file(entry.path());  // links
  const auto tree = parse_nginx(files, "/etc/nginx/nginx.conf");
  ASSERT_TRUE(tree.has_value()) << place_of(tree.error()) << ": " << tree.error().what;
  EXPECT_NE(include_matching(*tree, "/etc/nginx/sites-enabled/default.bak"), nullptr);
  EXPECT_EQ(include_matching(*tree, "/etc/nginx/nginx.conf.backup-20260218"), nullptr);
}

}  // namespace
}  // namespace hitless::confdiff
