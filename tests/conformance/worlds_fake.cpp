// Load balancers that cannot be installed where this runs: fakes of their protocols
// (tests/fakes/lb) that move real connections.
#include "adapters/traffic/consul.hpp"
#include "adapters/traffic/envoy.hpp"
#include "adapters/traffic/ipvs.hpp"
#include "adapters/traffic/nginx_plus.hpp"
#include "adapters/traffic/traefik.hpp"
#include "fake_lb.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

constexpr const char* kNobody = "http://127.0.0.1:1";

class FakeWorld : public World {
 public:
  FakeWorld(std::string kind, std::string name, const std::string& more)
      : kind_(std::move(kind)), name_(std::move(name)) {
    a.healthy = [this] { return healthy_a; };
    fake_ = std::make_unique<tests::FakeLb>(
        kind_, "{\"members\":{\"web-a\":" + std::to_string(a.port()) +
                   ",\"web-b\":" + std::to_string(b.port()) + "}" + more + "}");
  }
  [[nodiscard]] std::string driver_name() const override { return kind_; }
  [[nodiscard]] std::string daemon() const override { return "a fake of " + name_; }
  [[nodiscard]] std::string front() const override { return fake_->front(); }
  void reload() override { fake_->reload(); }
  void restart() override { fake_->restart(); }
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }

 protected:
  // The fields that most pools have.
  template <class Pool, class Member>
  Pool pool(ports::Host* host, std::string Member::* place, const std::string& before = "") {
    Pool made;
    made.lb = "edge";
    for (const char* name : {"a", "b"}) {
      Member member;
      member.instance = core::InstanceId{std::string("web@") + name};
      member.*place = before + address(name);
      made.members.push_back(std::move(member));
      made.sockets.push_back({made.members.back().instance, host, backend(name).port()});
    }
    return made;
  }
  [[nodiscard]] std::string address(const std::string& instance) {
    return "127.0.0.1:" + std::to_string(backend(instance).port());
  }
  [[nodiscard]] std::string url() const { return blind_ ? kNobody : fake_->url(); }
  void wait_until_served() {
    (void)eventually([&] { return reaches("a", 4) && reaches("b", 4); });
  }

  std::string kind_, name_;
  std::unique_ptr<tests::FakeLb> fake_;
  bool blind_ = false;
};

class EnvoyWorld final : public FakeWorld {
 public:
  EnvoyWorld() : FakeWorld("envoy", "Envoy", R"(,"checks":"/healthz","file":"{dir}/eds.json")") {
    fake_->move_in("eds.json", tests::envoy_endpoints({{a.port(), ""}, {b.port(), ""}}));
    wait_until_served();
  }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    auto made = pool<EnvoyPool>(host, &EnvoyMember::endpoint);
    made.cluster = "web";
    made.file = fake_->path("eds.json");
    made.nodes = {{"lb-1", host, url()}};
    return make_envoy(std::move(made));
  }
  void foreign_out(const std::string&) override {
    fake_->move_in("eds.json", tests::envoy_endpoints(
                                   {{a.port(), R"(,"health_status":"DRAINING")"}, {b.port(), ""}}));
    settle();
  }
  void foreign_in(const std::string&) override {
    fake_->move_in("eds.json", tests::envoy_endpoints({{a.port(), ""}, {b.port(), ""}}));
    settle();
  }

 private:
  static void settle() {
    (void)eventually([] { return false; }, 200);
  }
};

class NginxPlusWorld final : public FakeWorld {
 public:
  NginxPlusWorld() : FakeWorld("nginx_plus", "the API of NGINX Plus", R"(,"checks":"/healthz")") {
    wait_until_served();
  }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    auto made = pool<NginxPlusPool>(host, &NginxPlusMember::server);
    made.upstream = "web";
    made.nodes = {{"lb-1", host, url() + "/api/9"}};
    return make_nginx_plus(std::move(made));
  }
  void foreign_out(const std::string&) override { patch(R"({"down":true})"); }
  void foreign_in(const std::string&) override { patch(R"({"down":false})"); }

 private:
  void patch(const std::string& said) const {
    const std::string file = fake_->path("patch.json");
    std::ofstream(file) << said;
    const std::string line =
        "curl -q -sS -f --noproxy '*' -m 10 -o /dev/null -X PATCH -H "
        "Content-Type:application/json --data-binary @" +
        file + " " + fake_->url() + "/api/9/http/upstreams/web/servers/0";
    if (std::system(line.c_str()) != 0) throw std::runtime_error("curl to the fake failed");
  }
};

class TraefikWorld final : public FakeWorld {
 public:
  TraefikWorld() : FakeWorld("traefik", "Traefik", R"(,"file":"{dir}/web.yml")") {
    fake_->move_in("web.yml", file(true));
    wait_until_served();
  }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    auto made = pool<TraefikPool>(host, &TraefikMember::server, "http://");
    made.service = "web";
    made.file = fake_->path("web.yml");
    made.nodes = {{"lb-1", host, url()}};
    return make_traefik(std::move(made));
  }
  void foreign_out(const std::string&) override { write(false); }
  void foreign_in(const std::string&) override { write(true); }

 private:
  void write(bool with_a) {
    fake_->move_in("web.yml", file(with_a));
    (void)eventually([] { return false; }, 400);
  }
  std::string file(bool with_a) {
    std::string text =
        "# kept by hand\nhttp:\n  routers: {}\n  services:\n    web:\n      loadBalancer:\n"
        "        servers:\n";
    if (with_a) text += "          - url: \"http://" + address("a") + "\"\n";
    return text + "          - url: \"http://" + address("b") +
           "\"\n        passHostHeader: true\n";
  }
};

class ConsulWorld final : public FakeWorld {
 public:
  ConsulWorld() : FakeWorld("consul", "Consul", R"(,"checks":"/healthz")") { wait_until_served(); }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    ConsulPool made;
    made.lb = "edge";
    made.service = "web";
    made.url = url();
    made.settle_ms = notices_ms();
    for (const char* name : {"a", "b"})
      made.members.push_back({core::InstanceId{std::string("web@") + name}, host,
                              std::string("web-") + name, backend(name).port()});
    return make_consul(std::move(made));
  }
  void foreign_out(const std::string&) override { maintain("?enable=true&reason=by%20hand"); }
  void foreign_in(const std::string&) override { maintain("?enable=false"); }
  [[nodiscard]] int notices_ms() const override { return 1'000; }

 private:
  void maintain(const std::string& query) {
    (void)fake_->ask("PUT", "/v1/agent/service/maintenance/web-a" + query);
    (void)eventually([] { return false; }, 400);  // until the catalogue has heard of it
  }
};

class IpvsWorld final : public FakeWorld {
 public:
  IpvsWorld() : FakeWorld("ipvs", "IPVS and ipvsadm", "") { wait_until_served(); }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    auto made = pool<IpvsPool>(host, &IpvsMember::server);
    made.service = "tcp:127.0.0.1:80";
    made.binary = blind_ ? "/nowhere/ipvsadm" : fake_->ipvsadm();
    made.state_folder = fake_->path("state");
    made.nodes = {{"lb-1", host}};
    return make_ipvs(std::move(made));
  }
  void foreign_out(const std::string&) override { weight("0"); }
  void foreign_in(const std::string&) override { weight("3"); }

 private:
  void weight(const std::string& weight) {
    const std::string line =
        fake_->ipvsadm() + " -e -t 127.0.0.1:80 -r " + address("a") + " -m -w " + weight;
    if (std::system(line.c_str()) != 0) throw std::runtime_error("the fake of ipvsadm failed");
  }
};

}  // namespace

std::unique_ptr<World> envoy_world() {
  return std::make_unique<EnvoyWorld>();
}
std::unique_ptr<World> nginx_plus_world() {
  return std::make_unique<NginxPlusWorld>();
}
std::unique_ptr<World> traefik_world() {
  return std::make_unique<TraefikWorld>();
}
std::unique_ptr<World> consul_world() {
  return std::make_unique<ConsulWorld>();
}
std::unique_ptr<World> ipvs_world() {
  return std::make_unique<IpvsWorld>();
}

}  // namespace hitless::conformance
