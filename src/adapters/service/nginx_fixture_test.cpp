#include "adapters/service/nginx_fixture.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "base/time.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kWatchMs = 15'000;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

PortHolder::PortHolder(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(port);
  EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket_, 1), 0);
}
PortHolder::~PortHolder() {
  ::close(socket_);
}

NginxTest::NginxTest()
    : port_(free_port()),
      main_(folder_ / "conf/nginx.conf"),
      site_(folder_ / "conf/conf.d/site.conf") {
  std::filesystem::create_directories(folder_ / "logs");
  std::filesystem::create_directories(folder_ / "tmp");
  configure({});
  // Waits for the old one's end, as a restart command should.
  write_file(folder_ / "restart.sh",
             "pid=$(cat \"$1/nginx.pid\" 2>/dev/null)\n"
             "if [ -n \"$pid\" ]; then kill -QUIT \"$pid\"; while [ -e \"$1/nginx.pid\" ]; do "
             "sleep 0.02; done; fi\n"
             "exec nginx -c \"$1/conf/nginx.conf\" -p \"$1\" </dev/null >/dev/null 2>&1\n");
  service_ = make_command_service(host_, command_config());
}

CommandConfig NginxTest::command_config() const {
  CommandConfig config;
  config.flavor = CommandFlavor::nginx;
  config.test = {"nginx", "-t", "-c", "{config}", "-p", folder_.path};
  config.reload = {"nginx", "-c", main_, "-p", folder_.path, "-s", "reload"};
  config.restart = {"sh", folder_ / "restart.sh", folder_.path};
  config.pid_file = folder_ / "nginx.pid";
  config.config_files = {main_};
  return config;
}

std::string NginxTest::main_text(const NginxSettings& settings) const {
  const std::string temp = folder_ / "tmp/";
  return "worker_processes 2;\nuser root;\npid " +
         (settings.pid.empty() ? folder_ / "nginx.pid" : settings.pid) +
         ";\nerror_log logs/error.log notice;\nevents { worker_connections 64; }\nhttp {\n"
         "  access_log off;\n  client_body_temp_path " +
         temp + "1;\n  proxy_temp_path " + temp +
         "2;\n"
         "  fastcgi_temp_path " +
         temp + "3;\n  uwsgi_temp_path " + temp + "4;\n  scgi_temp_path " + temp +
         "5;\n"
         "  limit_req_zone " +
         settings.limit_key +
         " zone=a:1m rate=1000r/s;\n"
         "  proxy_cache_path " +
         (folder_ / settings.cache_path) +
         " keys_zone=c:1m;\n"
         "  include " +
         (folder_ / "conf/conf.d/*.conf") + ";\n}\n";
}

std::string NginxTest::site_text(const NginxSettings& settings) const {
  const std::string listen =
      settings.listen.empty() ? "127.0.0.1:" + std::to_string(port_) : settings.listen;
  return "server {\n  listen " + listen +
         ";\n  limit_req zone=a burst=100 nodelay;\n  location / {\n    return 200 \"" +
         settings.body +
         "\";\n  }\n  location /c/ { proxy_cache c; proxy_pass http://127.0.0.1:9; }\n}\n";
}

void NginxTest::configure(const NginxSettings& settings) {
  write_file(main_, main_text(settings));
  write_file(site_, site_text(settings));
}

core::ServiceIdentity NginxTest::identity() {
  const auto seen = wait_for(service_->identity());
  EXPECT_TRUE(seen) << (seen ? "" : describe(seen.error()));
  return seen.value_or(core::ServiceIdentity{});
}

void NginxTest::start() {
  core::ServiceIdentity none;
  none.state = "inactive";
  const auto outcome = wait_for(service_->act({core::Action::restart, "t.1", none, 10'000}));
  ASSERT_TRUE(outcome);
  ASSERT_EQ(outcome->status, core::OutcomeStatus::ok) << outcome->detail;
  const TimeMs end = wall_now_ms() + kWatchMs;
  while (identity().workers.size() != 2 && wall_now_ms() < end) ::usleep(20'000);
  ASSERT_EQ(identity().workers.size(), 2u) << read_text(folder_ / "logs/error.log");
}

core::ServiceReading NginxTest::watch(core::Action action, const core::ServiceIdentity& before) {
  const TimeMs end = wall_now_ms() + kWatchMs;
  for (;;) {
    auto reading = wait_for(service_->verify(action, before));
    if (reading.verdict != core::ServiceVerdict::indeterminate || wall_now_ms() > end)
      return reading;
    ::usleep(30'000);
  }
}

core::ServiceReading NginxTest::reload_and_watch(const core::ServiceIdentity& before) {
  const auto outcome = wait_for(service_->act({core::Action::reload, "t.2", before, 10'000}));
  EXPECT_TRUE(outcome && outcome->status == core::OutcomeStatus::ok)
      << (outcome ? outcome->detail : "");
  return watch(core::Action::reload, before);
}

}  // namespace hitless::service
