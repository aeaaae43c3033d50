// AWS ELBv2: the fake of its wire protocol (tests/fakes/aws), whose load balancer is a real
// HAProxy.
#include "adapters/traffic/elbv2.hpp"
#include "fake_aws.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

constexpr const char* kIdA = "i-0aaaaaaaaaaaaaaa1";
constexpr const char* kIdB = "i-0aaaaaaaaaaaaaaa2";
constexpr const char* kArn =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-tg/6d0ecf83";
// The deregistration delay outlasts the test: what it would cut is not what is tried here.
constexpr const char* kConfig = R"({"region":"eu-west-1","account":"123456789012",
  "keys":{"AKIDT":"shh"},
  "instances":[{"id":"$1","ip":"127.0.0.1","name":"a"},{"id":"$2","ip":"127.0.0.1","name":"b"}],
  "load_balancers":[{"name":"web","type":"application","port":$L,"default_group":"web-tg"}],
  "target_groups":[{"name":"web-tg","protocol":"HTTP","port":$A,"type":"instance","lb":"web",
    "health_path":"/healthz","attributes":{"deregistration_delay.timeout_seconds":"600"},
    "targets":[["$1",$A],["$2",$B]]}]})";

class Elbv2World final : public World {
 public:
  Elbv2World() {
    a.healthy = [this] { return healthy_a; };
    (void)eventually([&] { return reaches("a", 4) && reaches("b", 4); });
    (void)eventually([&] { return read("a").check == core::LbCheck::pass; });
  }
  [[nodiscard]] std::string driver_name() const override { return "elbv2"; }
  [[nodiscard]] std::string daemon() const override {
    return "a fake of AWS's protocol over HAProxy";
  }
  [[nodiscard]] std::string front() const override { return std::to_string(front_); }
  std::unique_ptr<ports::Traffic> make(ports::Host*) override {
    Elbv2Pool pool;
    pool.lb = "alb";
    pool.group = "web-tg";
    pool.account = tests::fake_aws_account(blind_ ? "http://127.0.0.1:1" : aws_.url());
    pool.targets = {{core::InstanceId{"web@a"}, kIdA, "a", "127.0.0.1", a.port(), ""},
                    {core::InstanceId{"web@b"}, kIdB, "b", "127.0.0.1", b.port(), ""}};
    pool.poll_ms = 100;
    return make_elbv2(std::move(pool));
  }
  void foreign_out(const std::string& instance) override { by_hand("deregister", instance); }
  void foreign_in(const std::string& instance) override { by_hand("register", instance); }
  [[nodiscard]] bool has_process() const override { return false; }
  void reload() override {}
  void restart() override {}
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }
  [[nodiscard]] int notices_ms() const override { return 1'000; }

 private:
  void by_hand(const std::string& verb, const std::string& instance) {
    aws_.faults("{\"" + verb + "\":[\"" + kArn + "\",\"" + (instance == "a" ? kIdA : kIdB) + "\"," +
                std::to_string(backend(instance).port()) + "]}");
  }

  int front_ = free_port();
  bool blind_ = false;
  tests::FakeAwsProcess aws_{tests::filled(kConfig, {{"$1", kIdA},
                                                     {"$2", kIdB},
                                                     {"$L", std::to_string(front_)},
                                                     {"$A", std::to_string(a.port())},
                                                     {"$B", std::to_string(b.port())}})};
};

}  // namespace

std::unique_ptr<World> elbv2_world() {
  return std::make_unique<Elbv2World>();
}

}  // namespace hitless::conformance
