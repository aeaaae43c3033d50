#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adapters/traffic/caddy.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "daemon_child.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

class CaddyWorld final : public World {
 public:
  CaddyWorld() {
    constexpr int kTries = 3;
    for (int left = kTries;; --left) {
      admin_ = free_port();
      front_ = free_port();
      write();
      if (start()) return;
      if (left <= 1) throw std::runtime_error("caddy did not start");
    }
  }
  [[nodiscard]] std::string driver_name() const override { return "caddy"; }
  [[nodiscard]] std::string daemon() const override { return "Caddy"; }
  [[nodiscard]] std::string front() const override { return std::to_string(front_); }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    CaddyPool pool;
    pool.lb = "edge";
    pool.id = "web";
    pool.nodes = {{"lb-1", host, url(blind_ ? 1 : admin_)}};
    pool.members = {{core::InstanceId{"web@a"}, dial("a")}, {core::InstanceId{"web@b"}, dial("b")}};
    pool.sockets = {{core::InstanceId{"web@a"}, host, a.port()},
                    {core::InstanceId{"web@b"}, host, b.port()}};
    return make_caddy(std::move(pool));
  }
  void foreign_out(const std::string& instance) override {
    patch("[{\"dial\":\"" + dial(instance == "a" ? "b" : "a") + "\"}]");
  }
  void foreign_in(const std::string&) override {
    patch("[{\"dial\":\"" + dial("a") + "\"},{\"dial\":\"" + dial("b") + "\"}]");
  }
  // As `caddy reload` from its file does it.
  void reload() override {
    curl("-X POST -H Content-Type:application/json --data-binary @" + path("caddy.json") + " " +
         url(admin_) + "/load");
  }
  void restart() override {
    caddy_.stop(SIGKILL);
    if (!start()) throw std::runtime_error("caddy did not start again");
  }
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }

 private:
  [[nodiscard]] std::string path(const std::string& file) const { return dir_.path() + "/" + file; }
  [[nodiscard]] static std::string url(int port) {
    return "http://127.0.0.1:" + std::to_string(port);
  }
  [[nodiscard]] std::string dial(const std::string& instance) const {
    return "127.0.0.1:" + std::to_string(instance == "a" ? a.port() : b.port());
  }
  void curl(const std::string& arguments) const {
    const std::string line = "curl -q -sS -f --noproxy '*' -m 10 -o /dev/null " + arguments;
    if (std::system(line.c_str()) != 0) throw std::runtime_error("curl to caddy failed");
  }
  void patch(const std::string& list) const {
    std::ofstream(path("list.json")) << list;
    curl("-X PATCH -H Content-Type:application/json --data-binary @" + path("list.json") + " " +
         url(admin_) + "/id/web/upstreams");
  }
  void write() const {
    std::ofstream(path("caddy.json"))
        << R"({"admin":{"listen":"127.0.0.1:)" << admin_
        << R"("},"apps":{"http":{"servers":{"s":{"automatic_https":{"disable":true},"listen":["127.0.0.1:)"
        << front_ << R"("],"routes":[{"handle":[{"@id":"web","handler":"reverse_proxy",)"
        << R"("load_balancing":{"selection_policy":{"policy":"round_robin"}},"upstreams":[{"dial":")"
        << dial("a") << R"("},{"dial":")" << dial("b") << R"("}]}]}]}}}}})";
  }
  bool start() {
    caddy_.start({"env", "HOME=" + dir_.path(), "XDG_CONFIG_HOME=" + dir_.path(),
                  "XDG_DATA_HOME=" + dir_.path(), "caddy", "run", "--config", path("caddy.json")},
                 path("log"), SIGKILL);
    return eventually([&] { return get(front(), "/").status == 200; });
  }

  traffic::TempDir dir_;
  DaemonChild caddy_;
  int admin_ = 0, front_ = 0;
  bool blind_ = false;
};

}  // namespace

std::unique_ptr<World> caddy_world() {
  return std::make_unique<CaddyWorld>();
}

}  // namespace hitless::conformance
