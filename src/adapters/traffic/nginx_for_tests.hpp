// A real nginx as a load balancer, as a child of the test: own folder, a UNIX socket for clients,
// gone with the test.
#pragma once
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/traffic/nginx_lb.hpp"
#include "daemon_child.hpp"

namespace hitless::traffic {

class NginxProcess {
 public:
  // upstreams: the text of the upstream file, with an upstream `web`. http: more of that block.
  explicit NginxProcess(const std::string& upstreams, const std::string& http = "") {
    write("upstreams.conf", upstreams);
    write("nginx.conf", config(http));
    start();
  }
  ~NginxProcess() { child_.stop(SIGTERM); }

  [[nodiscard]] std::string path(const std::string& file) const { return dir_.path() + "/" + file; }
  [[nodiscard]] std::string front() const { return path("front.sock"); }
  [[nodiscard]] NginxLbFiles files() const {
    return {path("upstreams.conf"), "/usr/sbin/nginx", path("nginx.conf"), path("error.log"),
            path("nginx.pid")};
  }
  [[nodiscard]] std::string config(const std::string& http) const {
    std::string text = ::geteuid() == 0 ? "user root;\n" : "";
    text +=
        "daemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log "
        "notice;\n"
        "events {}\nhttp {\n  access_log off;\n  client_body_temp_path {dir}/t1;\n"
        "  proxy_temp_path {dir}/t2;\n  fastcgi_temp_path {dir}/t3;\n  uwsgi_temp_path {dir}/t4;\n"
        "  scgi_temp_path {dir}/t5;\n" +
        http +
        "  include {dir}/upstreams.conf;\n  server {\n    listen unix:{dir}/front.sock;\n"
        "    location / { proxy_pass http://web; proxy_next_upstream off; }\n  }\n}\n";
    for (std::size_t at; (at = text.find("{dir}")) != std::string::npos;)
      text.replace(at, 5, dir_.path());
    return text;
  }
  void write(const std::string& file, const std::string& text) const {
    std::ofstream(path(file)) << text;
  }
  [[nodiscard]] std::string read(const std::string& file) const {
    std::stringstream text;
    text << std::ifstream(path(file)).rdbuf();
    return text.str();
  }
  // In place, as an editor of somebody else would.
  void edit(const std::string& from, const std::string& to) const {
    std::string text = read("upstreams.conf");
    if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
    write("upstreams.conf", text);
  }
  // Reloads that nginx was told of.
  [[nodiscard]] int reloads() const {
    const std::string log = read("error.log");
    int count = 0;
    for (std::size_t at = 0; (at = log.find("(SIGHUP) received", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
  [[nodiscard]] std::string children() const {
    const std::string pid = std::to_string(child_.pid());
    std::stringstream text;
    text << std::ifstream("/proc/" + pid + "/task/" + pid + "/children").rdbuf();
    return text.str();
  }
  void reload() const {
    const std::string before = children();
    child_.signal(SIGHUP);
    if (!eventually([&] { return children().size() > 1 && !children().starts_with(before); }))
      throw std::runtime_error("nginx did not reload");
  }
  void restart() {
    child_.stop(SIGTERM);
    start();
  }

 private:
  void start() {
    std::filesystem::remove(front());
    child_.start({"/usr/sbin/nginx", "-c", path("nginx.conf"), "-e", path("error.log")},
                 path("output"));
    if (!eventually([&] { return std::filesystem::exists(front()) && has_worker(); }))
      throw std::runtime_error("nginx did not start: " + read("error.log"));
  }

  // A child has the master's title for a moment.
  [[nodiscard]] bool has_worker() const {
    std::istringstream pids(children());
    for (std::string pid; pids >> pid;) {
      std::stringstream title;
      title << std::ifstream("/proc/" + pid + "/cmdline").rdbuf();
      if (title.str().starts_with("nginx: worker process")) return true;
    }
    return false;
  }

  TempDir dir_;
  DaemonChild child_;
};

}  // namespace hitless::traffic
