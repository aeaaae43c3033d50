#include "adapters/traffic/nginx_for_tests.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

class NginxWorld final : public World {
 public:
  NginxWorld() {
    (void)eventually([&] { return reaches("a", 4) && reaches("b", 4); });
  }
  [[nodiscard]] std::string driver_name() const override { return "nginx"; }
  [[nodiscard]] std::string daemon() const override { return "nginx"; }
  [[nodiscard]] std::string front() const override { return nginx_.front(); }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    NginxLbPool pool;
    pool.lb = "edge";
    pool.upstream = "web";
    pool.files = nginx_.files();
    if (blind_) pool.files.pid_file += ".gone";
    pool.nodes = {{"lb-1", host}};
    for (const char* name : {"a", "b"}) {
      const core::InstanceId id{std::string("web@") + name};
      pool.members.push_back({id, server(name)});
      pool.sockets.push_back({id, host, backend(name).port()});
    }
    return make_nginx_lb(std::move(pool));
  }
  void foreign_out(const std::string& instance) override {
    nginx_.edit(server(instance) + " max_fails=0;", server(instance) + " max_fails=0 down;");
    reload();
  }
  void foreign_in(const std::string& instance) override {
    nginx_.edit(server(instance) + " max_fails=0 down;", server(instance) + " max_fails=0;");
    reload();
  }
  void reload() override { nginx_.reload(); }
  void restart() override { nginx_.restart(); }
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }

 private:
  [[nodiscard]] std::string server(const std::string& instance) {
    return "127.0.0.1:" + std::to_string(backend(instance).port());
  }
  traffic::NginxProcess nginx_{"# kept by hand\nupstream web {\n  server " + server("a") +
                               " max_fails=0;\n  server " + server("b") +
                               " max_fails=0; # the other\n}\n"};
  bool blind_ = false;
};

}  // namespace

std::unique_ptr<World> nginx_world() {
  return std::make_unique<NginxWorld>();
}

}  // namespace hitless::conformance
