#include "adapters/health/probes.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "adapters/health/address.hpp"
#include "tiny_server.hpp"

namespace hitless {
namespace {

using core::HealthReading;
using core::HealthStatus;
using tests::TinyServer;

HealthReading probe(ports::Health& health) {
  HealthReading result;
  run_until_done([&]() -> Task<void> { result = co_await health.probe(); });
  return result;
}

TinyServer::Answer answer(int status, std::string body = "ok") {
  TinyServer::Answer out;
  out.status = status;
  out.body = std::move(body);
  return out;
}

HttpHealth at(const TinyServer& server, const std::string& path = "/healthz") {
  HttpHealth config;
  config.url = "http://127.0.0.1:" + std::to_string(server.port()) + path;
  config.timeout_ms = 20'000;  // not what is tested, and no machine is that slow
  return config;
}

TEST(HttpHealth, PassesOnTheExactStatusAndBody) {
  TinyServer server([](const std::string&, const std::string&) { return answer(200, "all good"); });
  HttpHealth config = at(server);
  const HealthReading pass = probe(*make_http_health(config));
  EXPECT_EQ(pass.status, HealthStatus::pass);
  EXPECT_EQ(pass.evidence, "GET /healthz → HTTP 200");
  EXPECT_GT(pass.latency_us, 0);
  config.expect_body = "good";
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::pass);
  config.expect_body = "perfect";
  const HealthReading lacks = probe(*make_http_health(config));
  EXPECT_EQ(lacks.status, HealthStatus::fail);
  EXPECT_EQ(lacks.evidence, "GET /healthz → HTTP 200, body lacks `perfect`: all good");
  config.expect_body.clear();
  config.expect_status = 204;
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::fail) << "200 is not 204";
}

TEST(HttpHealth, ShowsHostileBodiesRedactedEscapedAndShort) {
  TinyServer server([](const std::string&, const std::string&) {
    return answer(502, "\x1b[2Jpassword=hunter2 " + std::string(5000, 'x'));
  });
  const HealthReading bad = probe(*make_http_health(at(server)));
  EXPECT_EQ(bad.status, HealthStatus::fail);
  EXPECT_TRUE(bad.evidence.starts_with("GET /healthz → HTTP 502, not 200: ")) << bad.evidence;
  EXPECT_EQ(bad.evidence.find('\x1b'), std::string::npos);
  EXPECT_EQ(bad.evidence.find("hunter2"), std::string::npos) << bad.evidence;
  EXPECT_LT(bad.evidence.size(), 160u);
}

TEST(HttpHealth, FollowsNoRedirectAndSendsTheHostHeader) {
  std::string head;
  TinyServer server([&](const std::string& path, const std::string& request) {
    head = request;
    TinyServer::Answer out = answer(path == "/target" ? 200 : 302);
    out.extra_headers = "Location: /target\r\n";
    return out;
  });
  HttpHealth config = at(server);
  config.host_header = "www.example.org";
  const HealthReading redirect = probe(*make_http_health(config));
  EXPECT_EQ(redirect.status, HealthStatus::fail);
  EXPECT_NE(redirect.evidence.find("redirects are not followed"), std::string::npos);
  EXPECT_EQ(server.requests(), 1);
  EXPECT_NE(head.find("Host: www.example.org\r\n"), std::string::npos) << head;
  config.host_header = "x\r\nInjected: 1";
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::unknown);
  EXPECT_EQ(server.requests(), 1);
}

TEST(HttpHealth, SilenceRefusalAndHangUpAreFailures) {
  TinyServer server([](const std::string& path, const std::string&) {
    TinyServer::Answer out;
    out.hold = path == "/hold";
    out.hang_up = path == "/hang-up";
    return out;
  });
  HttpHealth slow = at(server, "/hold");
  slow.timeout_ms = 100;
  const HealthReading late = probe(*make_http_health(slow));
  EXPECT_EQ(late.status, HealthStatus::fail);
  EXPECT_EQ(late.evidence, "GET /hold → no answer within 100ms");
  server.release();
  EXPECT_EQ(probe(*make_http_health(at(server, "/hang-up"))).status, HealthStatus::fail);
  server.stop();
  const HealthReading refused = probe(*make_http_health(at(server)));
  EXPECT_EQ(refused.status, HealthStatus::fail);
  EXPECT_NE(refused.evidence.find("Connection refused"), std::string::npos) << refused.evidence;
}

TEST(HttpHealth, TriesEachAddressOfAName) {
  TinyServer server([](const std::string&, const std::string&) { return answer(200); });
  HttpHealth config = at(server);
  config.url = "http://localhost:" + std::to_string(server.port()) + "/";
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::pass)
      << "localhost may be ::1 first, where nobody listens";
}

TEST(HttpHealth, OurOwnInabilityIsUnknown) {
  for (const char* url : {"", "not a url", "ftp://127.0.0.1/", "file:///etc/passwd", "http://",
                          "http://user:secret@127.0.0.1/", "http://127.0.0.1:0/", "http://-oX/",
                          "http://h\r\nX: 1/", "https://127.0.0.1:99999/"}) {
    HttpHealth config;
    config.url = url;
    const HealthReading reading = probe(*make_http_health(config));
    EXPECT_EQ(reading.status, HealthStatus::unknown) << url << ": " << reading.evidence;
    EXPECT_EQ(reading.evidence.find("secret"), std::string::npos);
    EXPECT_FALSE(reading.evidence.empty());
  }
  TinyServer server([](const std::string&, const std::string&) { return answer(200); });
  HttpHealth config = at(server);
  config.ca_file = "/no/such/ca.pem";
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::unknown);
}

TEST(HttpHealth, RefusesLinkLocalInEverySpelling) {
  for (const char* url :
       {"http://169.254.169.254/latest/meta-data", "http://2852039166/", "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/", "http://[fd00:ec2::254]/"}) {
    HttpHealth config;
    config.url = url;
    config.timeout_ms = 50;
    const HealthReading reading = probe(*make_http_health(config));
    EXPECT_EQ(reading.status, HealthStatus::unknown) << url;
    EXPECT_NE(reading.evidence.find("link-local"), std::string::npos)
        << url << ": " << reading.evidence;
  }
  EXPECT_FALSE(health::is_link_local("127.0.0.1"));
  EXPECT_FALSE(health::is_link_local("10.169.254.1"));
  EXPECT_FALSE(health::is_link_local("fd00::1"));
}

TEST(TcpHealth, ConnectsRefusedAndUnknown) {
  TinyServer server([](const std::string&, const std::string&) { return answer(200); });
  TcpHealth config;
  config.target = "127.0.0.1:" + std::to_string(server.port());
  config.timeout_ms = 20'000;
  const HealthReading up = probe(*make_tcp_health(config));
  EXPECT_EQ(up.status, HealthStatus::pass);
  EXPECT_EQ(up.evidence, "TCP " + config.target + " → connected");
  server.stop();
  EXPECT_EQ(probe(*make_tcp_health(config)).status, HealthStatus::fail);
  for (const char* target : {"", "127.0.0.1", "127.0.0.1:0", "::1:80", "-x:80", "169.254.1.1:80"}) {
    config.target = target;
    EXPECT_EQ(probe(*make_tcp_health(config)).status, HealthStatus::unknown) << target;
  }
}

TEST(CommandHealth, ExitCodesAndLostConnections) {
  std::vector<std::string> ran;
  Result<ports::ExecResult> next = ports::ExecResult{};
  CommandHealth config;
  config.argv = {"/usr/bin/check", "--port", "80"};
  config.exec = [&](std::vector<std::string> argv, DurationMs) -> Task<Result<ports::ExecResult>> {
    ran = std::move(argv);
    co_return next;
  };
  auto health = make_command_health(config);
  const HealthReading pass = probe(*health);
  EXPECT_EQ(pass.status, HealthStatus::pass);
  EXPECT_EQ(pass.evidence, "/usr/bin/check --port 80 → exit 0");
  EXPECT_EQ(ran, config.argv);
  next->exit_code = 2;
  next->err = "starting\nqueue is full \x1b[1m token=abc123\n";
  const HealthReading bad = probe(*health);
  EXPECT_EQ(bad.status, HealthStatus::fail);
  EXPECT_NE(bad.evidence.find("exit 2: queue is full"), std::string::npos) << bad.evidence;
  EXPECT_EQ(bad.evidence.find('\x1b'), std::string::npos);
  EXPECT_EQ(bad.evidence.find("abc123"), std::string::npos);
  next->exit_code = 127;
  EXPECT_EQ(probe(*health).status, HealthStatus::unknown) << "there is no such command";
  for (const ErrorCode code :
       {ErrorCode::transport_lost, ErrorCode::timed_out, ErrorCode::unavailable}) {
    next = fail(code, "lost");
    EXPECT_EQ(probe(*health).status, HealthStatus::unknown);
  }
  config.argv.clear();
  EXPECT_EQ(probe(*make_command_health(config)).status, HealthStatus::unknown);
}

// ---- HTTPS, against openssl s_server
// --------------------------------------------------------------
class TlsServer {
 public:
  TlsServer() {
    char name[] = "/tmp/hitless-health-XXXXXX";
    dir_ = ::mkdtemp(name);
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
        dir_ + "/key.pem -out " + dir_ + "/cert.pem 2>/dev/null";
    if (std::system(make.c_str()) != 0) return;
    int out[2];
    if (::pipe2(out, O_CLOEXEC) != 0) return;
    const std::string key = dir_ + "/key.pem", cert = dir_ + "/cert.pem";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(out[1], 1);
      ::dup2(::open("/dev/null", O_RDWR), 0);
      ::execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-naccept", "20",
               "-key", key.c_str(), "-cert", cert.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(out[1]);
    read_port(out[0]);
    out_ = out[0];
  }
  ~TlsServer() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    if (out_ >= 0) ::close(out_);
    std::filesystem::remove_all(dir_);
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string cert() const { return dir_ + "/cert.pem"; }

 private:
  void read_port(int fd) {  // "ACCEPT 127.0.0.1:43211"
    std::string text;
    char c = 0;
    while (::read(fd, &c, 1) == 1) {
      text += c;
      if (c != '\n') continue;
      if (const auto at = text.find("ACCEPT 127.0.0.1:"); at != std::string::npos) {
        port_ = std::atoi(text.c_str() + at + 17);
        return;
      }
    }
  }
  std::string dir_;
  pid_t pid_ = 0;
  int port_ = 0, out_ = -1;
};

TEST(HttpsHealth, VerifiesUnlessToldNotTo) {
  TlsServer server;
  if (server.port() == 0) GTEST_SKIP() << "no openssl s_server";
  HttpHealth config;
  config.url = "https://localhost:" + std::to_string(server.port()) + "/";
  config.timeout_ms = 20'000;
  const HealthReading untrusted = probe(*make_http_health(config));
  EXPECT_EQ(untrusted.status, HealthStatus::fail) << untrusted.evidence;
  EXPECT_NE(untrusted.evidence.find("certificate"), std::string::npos) << untrusted.evidence;
  config.ca_file = server.cert();
  const HealthReading trusted = probe(*make_http_health(config));
  EXPECT_EQ(trusted.status, HealthStatus::pass) << trusted.evidence;
  config.ca_file.clear();
  config.verify_tls = false;
  EXPECT_EQ(probe(*make_http_health(config)).status, HealthStatus::pass);
}

}  // namespace
}  // namespace hitless
