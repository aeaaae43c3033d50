// HAProxy, and the two kinds that are tried in front of it: a touch file that its checks follow,
// and commands that speak to its socket.
#include <sys/stat.h>

#include "adapters/traffic/command.hpp"
#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/traffic/touch_file.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

using traffic::HaproxyProcess;

class HaproxyWorld : public World {
 public:
  HaproxyWorld() {
    a.healthy = [this] { return is_healthy("a"); };
    b.healthy = [this] { return is_healthy("b"); };
    start();
  }
  [[nodiscard]] std::string driver_name() const override { return "haproxy"; }
  [[nodiscard]] std::string daemon() const override { return "HAProxy"; }
  [[nodiscard]] std::string front() const override { return haproxy_->path("front.sock"); }
  std::unique_ptr<ports::Traffic> make(ports::Host*) override {
    HaproxyPool pool;
    pool.lb = "edge";
    pool.backend = "be";
    pool.nodes = {{"lb-1",
                   blind_ ? "unix:/nowhere/admin.sock" : haproxy_->admin(),
                   haproxy_->master(),
                   {},
                   {}}};
    pool.servers = {{core::InstanceId{"web@a"}, "a"}, {core::InstanceId{"web@b"}, "b"}};
    pool.rejoin_check_wait_ms = 1'500;
    return make_haproxy(std::move(pool));
  }
  void foreign_out(const std::string& instance) override { set(instance, "maint"); }
  void foreign_in(const std::string& instance) override { set(instance, "ready"); }
  void reload() override { haproxy_->reload(); }
  void restart() override { start(); }
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }

 protected:
  [[nodiscard]] virtual bool is_healthy(const std::string& instance) const {
    return instance != "a" || healthy_a;
  }
  void set(const std::string& instance, const std::string& state) const {
    haproxy_->ask("set server be/" + instance + " state " + state);
  }
  void start() {
    haproxy_.reset();
    const auto line = [](const std::string& name, int port) {
      return "  server " + name + " 127.0.0.1:" + std::to_string(port) + " check\n";
    };
    haproxy_ = std::make_unique<HaproxyProcess>(
        "frontend f\n  bind unix@{dir}/front.sock\n  default_backend be\n"
        "backend be\n  balance roundrobin\n  option httpchk GET /healthz\n"
        "  default-server inter 50ms rise 2 fall 2\n" +
        line("a", a.port()) + line("b", b.port()));
    (void)eventually([&] {
      const std::string stat = haproxy_->ask("show stat be 4 -1");
      return stat.find("a,") != std::string::npos && stat.find("DOWN") == std::string::npos &&
             reaches("a", 4) && reaches("b", 4);
    });
  }
  std::unique_ptr<HaproxyProcess> haproxy_;
  bool blind_ = false;
};

// The instances' health endpoint is 200 only while their file is there.
class TouchFileWorld final : public HaproxyWorld {
 public:
  TouchFileWorld() {
    std::filesystem::create_directory(folder());
    for (const char* name : {"a", "b"}) foreign_in(name);
    (void)eventually([&] { return reaches("a", 4) && reaches("b", 4); });
  }
  [[nodiscard]] std::string driver_name() const override { return "touch_file"; }
  [[nodiscard]] std::string daemon() const override { return "HAProxy, by its health checks"; }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    return make_touch_file({"files",
                            {{core::InstanceId{"web@a"}, host, file("a"), a.port()},
                             {core::InstanceId{"web@b"}, host, file("b"), b.port()}},
                            notices_ms()});
  }
  void foreign_out(const std::string& instance) override {
    std::filesystem::remove(file(instance));
  }
  void foreign_in(const std::string& instance) override { std::ofstream(file(instance)) << "on\n"; }
  void blind() override { std::filesystem::rename(folder(), folder() + ".gone"); }
  void see() override { std::filesystem::rename(folder() + ".gone", folder()); }
  [[nodiscard]] int notices_ms() const override { return 1'000; }

 protected:
  [[nodiscard]] bool is_healthy(const std::string& instance) const override {
    return std::filesystem::exists(file(instance));
  }

 private:
  [[nodiscard]] std::string folder() const { return dir_.path() + "/state"; }
  [[nodiscard]] std::string file(const std::string& instance) const {
    return folder() + "/" + instance;
  }
  traffic::TempDir dir_;
};

constexpr const char* kTool = R"py(import socket, sys
def ask(path, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path); s.sendall((line + "\n").encode()); s.shutdown(socket.SHUT_WR)
        out = b""
        while chunk := s.recv(65536): out += chunk
    return out.decode()
admin, master, verb, server = sys.argv[1:]
if verb in ("drain", "ready"):
    sys.exit("refused" if ask(admin, f"set server be/{server} state {verb}").strip() else 0)
def row(text):
    lines = text.strip().splitlines()
    head = lines[0].lstrip("# ").split(",")
    return next(dict(zip(head, l.split(","))) for l in lines[1:] if l.split(",")[1] == server)
now = row(ask(admin, "show stat be 4 -1"))
mask = next(int(l.split()[6]) for l in ask(admin, "show servers state be").splitlines()
            if len(l.split()) > 6 and l.split()[3] == server)
flight, old = int(now["scur"]), False
for line in ask(master, "show proc").splitlines():
    old = old or line.startswith("# old workers")
    if line.startswith("# programs"): break
    if old and line.split()[1:2] == ["worker"]:
        flight += int(row(ask(master, f"@!{line.split()[0]} show stat be 4 -1"))["scur"])
state = "maint" if mask & 1 else "drain" if mask & 8 else "ready"
check = "pass" if now["check_status"].endswith("OK") else "fail"
pid = next(l.split()[1] for l in ask(admin, "show info").splitlines() if l.startswith("Pid:"))
errors = int(now["hrsp_5xx"]) + int(now["econ"])
print(f"{state} check={check} in_flight={flight} requests={now['stot']} errors={errors} epoch={pid}")
)py";

class CommandWorld final : public HaproxyWorld {
 public:
  CommandWorld() { std::ofstream(dir_.path() + "/tool.py") << kTool; }
  [[nodiscard]] std::string driver_name() const override { return "command"; }
  [[nodiscard]] std::string daemon() const override { return "HAProxy, by a script"; }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    CommandPool pool;
    pool.lb = "own";
    pool.pool = "be";
    CommandNode node{"lb-1", host, {}};
    for (const char* name : {"a", "b"}) {
      CommandMember member;
      member.instance = core::InstanceId{std::string("web@") + name};
      member.member = name;
      member.drain = words("drain", name);
      member.rejoin = words("ready", name);
      member.state = blind_ ? std::vector<std::string>{"false"} : words("state", name);
      node.members.push_back(std::move(member));
    }
    pool.nodes.push_back(std::move(node));
    return make_command_traffic(std::move(pool));
  }

 private:
  [[nodiscard]] std::vector<std::string> words(const char* verb, const char* name) const {
    return {"/usr/bin/python3",
            "-I",
            "-S",
            dir_.path() + "/tool.py",
            haproxy_->path("admin.sock"),
            haproxy_->path("master.sock"),
            verb,
            name};
  }
  traffic::TempDir dir_;
};

}  // namespace

std::unique_ptr<World> haproxy_world() {
  return std::make_unique<HaproxyWorld>();
}
std::unique_ptr<World> touch_file_world() {
  return std::make_unique<TouchFileWorld>();
}
std::unique_ptr<World> command_world() {
  return std::make_unique<CommandWorld>();
}

}  // namespace hitless::conformance
