#include "demo/world.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "demo/lb_probe.hpp"
#include "demo/ports.hpp"
#include "runtime/http.hpp"
#include "runtime/process.hpp"
#include "runtime/task.hpp"

namespace hitless::demo {

namespace fs = std::filesystem;

namespace {

constexpr DurationMs kStartDeadlineMs = 10'000;
constexpr DurationMs kHealthyDeadlineMs = 15'000;
constexpr DurationMs kPollMs = 50;
constexpr int kAttempts = 3;               // a port may be taken between finding and using it
constexpr std::size_t kMaxTmpLength = 60;  // a UNIX socket's path has at most 107 bytes

// Like execvp, but also where Debian keeps daemons, which is not in every user's PATH.
Result<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const std::string& folder :
       split(std::string(path != nullptr ? path : "") + ":/usr/local/sbin:/usr/sbin:/sbin", ':')) {
    const std::string file = folder + "/" + name;
    if (plain_path(file) && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return fail(ErrorCode::not_found, name + " is not installed", {},
              "apt-get install nginx haproxy");
}

Result<std::string> make_private_dir() {
  const char* wanted = std::getenv("TMPDIR");
  std::string base = wanted != nullptr ? wanted : "/tmp";
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  if (!plain_path(base) || base.size() > kMaxTmpLength) base = "/tmp";
  std::string name = base + "/hitless-demo-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return fail(ErrorCode::unavailable, "cannot make a folder for the demo", base,
                "set TMPDIR to a folder that you can write to");
  std::error_code error;
  const std::string real = fs::canonical(name, error).string();  // as /proc/PID/cwd will show it
  if (error || !plain_path(real)) return fail(ErrorCode::unavailable, "odd path of a folder", name);
  return real;
}

Status write_file(const std::string& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write, error);
  out << text;
  out.close();
  if (out) fs::rename(fresh, path, error);
  if (!out || error) return fail(ErrorCode::storage, "cannot write", path);
  return {};
}

// Runs one command to its end, on an io_context of its own.
Status run_tool(std::vector<std::string> argv) {
  Result<ProcessOutput> result = fail(ErrorCode::internal, "not run");
  const std::string what = join(argv, " ");
  run_until_done(
      [&]() -> Task<void> { result = co_await run_process(argv, {}, kStartDeadlineMs); });
  if (!result) return tl::unexpected(result.error());
  if (result->exit_code != 0 || result->signal != 0)
    return fail(
        ErrorCode::failed,
        fmt::format("exit {}: {}", result->exit_code, escape_for_terminal(trim(result->err))),
        what);
  return {};
}

Task<bool> answers_200(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout_ms = 2000;
  const auto response = co_await http_request(request);
  co_return response && response->status == 200;
}

}  // namespace

Result<std::unique_ptr<DemoWorld>> DemoWorld::up() {
  const auto nginx = find_program("nginx");
  const auto haproxy = find_program("haproxy");
  if (!nginx) return tl::unexpected(nginx.error());
  if (!haproxy) return tl::unexpected(haproxy.error());
  Status made;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::unique_ptr<DemoWorld> world(new DemoWorld);
    world->layout_.nginx = *nginx;
    world->layout_.haproxy = *haproxy;
    made = world->make();
    if (made) return world;
    if (made.error().code != ErrorCode::failed) break;
  }
  return tl::unexpected(made.error());
}

Status DemoWorld::make() {
  layout_.as_root = ::geteuid() == 0;
  auto dir = make_private_dir();
  if (!dir) return tl::unexpected(dir.error());
  layout_.dir = *dir;
  Status ok = keeper_.start(layout_.dir);
  if (!ok) {
    std::error_code ignored;
    fs::remove_all(layout_.dir, ignored);
    return ok;
  }
  webhook_secret_ = random_hex(24);
  receiver_ = std::make_unique<WebhookReceiver>(webhook_secret_);
  ok = receiver_->start();
  if (ok) ok = choose_ports();
  if (ok) ok = write_files();
  if (ok) ok = start_servers();
  if (ok) ok = wait_until_healthy();
  return ok;
}

Status DemoWorld::choose_ports() {
  constexpr std::size_t kGateways = 3;
  auto ports = free_ports(layout_.hosts.size() + kGateways + 2);
  if (!ports) return tl::unexpected(ports.error());
  const auto take = [&] {
    const std::uint16_t port = ports->back();
    ports->pop_back();
    return port;
  };
  for (std::size_t i = 0; i < layout_.hosts.size(); ++i) layout_.host_ports.push_back(take());
  for (std::size_t i = 0; i < kGateways; ++i) layout_.gateway_ports.push_back(take());
  layout_.lb_port = take();
  layout_.dead_port = take();
  return {};
}

Status DemoWorld::write_files() {
  std::vector<std::pair<std::string, std::string>> files = {
      {layout_.script(), service_script(layout_)},
      {fleet_path(), fleet_file(layout_, kClientsPerS)},
      {layout_.webhook_url_file(), receiver_->url() + "\n"},
      {layout_.webhook_key_file(), webhook_secret_ + "\n"},
      {layout_.home("lb") + "/haproxy.cfg", lb_config(layout_)},
      {layout_.home("api-gateway") + "/nginx.conf", gateway_config(layout_)},
      {layout_.home("api-gateway") + "/tmp/.keep", ""}};
  for (std::size_t i = 0; i < layout_.hosts.size(); ++i) {
    const std::string& host = layout_.hosts[i];
    files.emplace_back(live_config(host), web_config(layout_, i, ConfigSource::initial));
    files.emplace_back(layout_.home(host) + "/tmp/.keep", "");
    for (const ConfigSource which :
         {ConfigSource::initial, ConfigSource::good, ConfigSource::sabotaged})
      files.emplace_back(layout_.source(which, host), web_config(layout_, i, which));
  }
  for (const Download& file : downloads())
    files.emplace_back(fmt::format("{}/files/download/{}", layout_.dir, file.name),
                       std::string(file.bytes, 'x'));
  for (const auto& [path, text] : files)
    if (auto ok = write_file(path, text); !ok) return ok;
  return offer(ConfigSource::initial);
}

Status DemoWorld::start_servers() {
  std::vector<std::string> names = {"api-gateway"};
  names.insert(names.end(), layout_.hosts.begin(), layout_.hosts.end());
  for (const std::string& name : names)
    if (auto ok = run_tool({"/bin/sh", layout_.script(), "start", name}); !ok) return ok;
  // The master socket is for operators of the LB; through sh for the working directory.
  const std::string lb = layout_.home("lb");
  return run_tool({"/bin/sh", "-c",
                   "cd \"$1\" && exec \"$2\" -W -D -f haproxy.cfg -p haproxy.pid -S "
                   "\"$1/master.sock,mode,600,level,admin\" </dev/null",
                   "start-haproxy", lb, layout_.haproxy});
}

Status DemoWorld::wait_until_healthy() {
  std::string missing;
  run_until_done([&]() -> Task<void> {
    std::vector<std::pair<std::string, std::string>> urls = {
        {"api-gateway", fmt::format("http://127.0.0.1:{}/healthz", layout_.gateway_ports[0])},
        {"the load balancer", url() + "/healthz"}};
    for (std::size_t i = 0; i < layout_.hosts.size(); ++i)
      urls.emplace_back(layout_.hosts[i],
                        fmt::format("http://127.0.0.1:{}/healthz", layout_.host_ports[i]));
    const TimeMs deadline = wall_now_ms() + kHealthyDeadlineMs;
    for (;;) {
      missing.clear();
      for (const auto& [name, at] : urls) {
        const bool good = co_await answers_200(at);
        if (!good && missing.empty()) missing = name + " does not answer 200";
      }
      const std::size_t passing = servers_passing(layout_.admin_socket(), "be_web");
      if (passing < layout_.hosts.size() && missing.empty())
        missing = fmt::format("the load balancer's check passes on {} of {} instances", passing,
                              layout_.hosts.size());
      if (missing.empty() || wall_now_ms() > deadline) co_return;
      co_await sleep_for(kPollMs);
    }
  });
  if (!missing.empty())
    return fail(ErrorCode::failed, "the demo did not come up: " + missing, dir());
  return {};
}

Status DemoWorld::down() {
  if (receiver_) receiver_->stop();
  return keeper_.end();
}

std::string DemoWorld::url() const {
  return fmt::format("http://127.0.0.1:{}", layout_.lb_port);
}

std::string DemoWorld::next_config(const std::string& host) const {
  return fmt::format("{}/sources/next/{}.conf", layout_.dir, host);
}

std::string DemoWorld::live_config(const std::string& host) const {
  return layout_.home(host) + "/nginx.conf";
}

Status DemoWorld::offer(ConfigSource which) {
  for (std::size_t i = 0; i < layout_.hosts.size(); ++i) {
    auto ok = write_file(next_config(layout_.hosts[i]), web_config(layout_, i, which));
    if (!ok) return ok;
  }
  return {};
}

witness::ProberConfig DemoWorld::clients(double rate_per_s) const {
  witness::ProberConfig config;
  config.address = "127.0.0.1";
  config.port = layout_.lb_port;
  config.host_header = "demo";
  config.rate_per_s = rate_per_s;
  config.paths = {{"/", 3}, {"/api/items", 2}};
  return config;
}

witness::ProberConfig DemoWorld::slow_downloads(double rate_per_s) const {
  witness::ProberConfig config = clients(rate_per_s);
  config.paths.clear();
  for (const Download& file : downloads())
    config.paths.push_back({fmt::format("/download/{}", file.name), 1});
  config.weights = {1, 0, 0, 0};
  config.timeout_ms = 20'000;
  return config;
}

}  // namespace hitless::demo
