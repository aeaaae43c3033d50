// What a driver is tested in: a load balancer (the real daemon unless it says so) with the
// instances web@a and web@b behind it. Every call of the driver is made by a new one, as after a
// crash.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/host/host.hpp"
#include "backend.hpp"
#include "ports/traffic.hpp"

namespace hitless::conformance {

class Held {
 public:
  virtual ~Held() = default;
  [[nodiscard]] virtual bool ended_well() = 0;  // waits for its end
};

class World {
 public:
  virtual ~World() = default;
  [[nodiscard]] virtual std::string driver_name() const = 0;
  [[nodiscard]] virtual std::string daemon() const = 0;  // "HAProxy", "a fake of …"
  [[nodiscard]] virtual std::string front()
      const = 0;  // where clients connect: UNIX socket, or port
  // A new driver. host: this machine.
  virtual std::unique_ptr<ports::Traffic> make(ports::Host* host) = 0;
  // Somebody else, by the load balancer's own means; instance "a" or "b".
  virtual void foreign_out(const std::string& instance) = 0;
  virtual void foreign_in(const std::string& instance) = 0;
  virtual void reload() = 0;
  virtual void restart() = 0;
  // From now on the load balancer cannot be asked; and again it can.
  virtual void blind() = 0;
  virtual void see() = 0;
  // False: nobody can reload or restart it (AWS runs it).
  [[nodiscard]] virtual bool has_process() const { return true; }
  // How long the load balancer may need to notice (for drivers that settle), and a health check.
  [[nodiscard]] virtual int notices_ms() const { return 0; }

  // ---- the driver, blocking ---------------------------------------------------------------------
  [[nodiscard]] Result<ports::TrafficCapabilities> capabilities();
  // What the driver leaves uncounted is counted by the instance's sockets, as the engine does it.
  [[nodiscard]] std::vector<core::TargetReport> read();
  [[nodiscard]] core::TargetReport read(const std::string& instance);
  Status drain(const std::string& instance, int cut_after_ms = 0);  // > 0: we die then
  Status rejoin(const std::string& instance, int cut_after_ms = 0);
  [[nodiscard]] std::vector<ports::PoolCounters> counters();
  [[nodiscard]] bool has_counters();

  // ---- clients ----------------------------------------------------------------------------------
  // Requests over HTTP, unless the load balancer speaks something else.
  virtual void send(int n);
  [[nodiscard]] virtual bool reaches(const std::string& instance, int tries = 20);
  // A request that is being worked on at the instance, until it is released.
  [[nodiscard]] virtual std::unique_ptr<Held> hold_at(const std::string& instance);
  virtual void release(const std::string& instance) { backend(instance).release(); }
  [[nodiscard]] Backend& backend(const std::string& instance) { return instance == "a" ? a : b; }

  Backend a{"a"}, b{"b"};
  bool healthy_a = true;

 private:
  template <class T>
  T with(std::function<Task<T>(ports::Traffic*)> ask);
};

[[nodiscard]] bool eventually(const std::function<bool()>& is_so, int within_ms = 15'000);

struct WorldMaker {
  std::string name;
  std::function<std::unique_ptr<World>()> make;
};
[[nodiscard]] std::vector<WorldMaker> all_worlds();
[[nodiscard]] std::unique_ptr<World> haproxy_world();
[[nodiscard]] std::unique_ptr<World> command_world();
[[nodiscard]] std::unique_ptr<World> touch_file_world();
[[nodiscard]] std::unique_ptr<World> nginx_world();
[[nodiscard]] std::unique_ptr<World> caddy_world();
[[nodiscard]] std::unique_ptr<World> elbv2_world();
[[nodiscard]] std::unique_ptr<World> pgbouncer_world();
[[nodiscard]] std::unique_ptr<World> envoy_world();
[[nodiscard]] std::unique_ptr<World> nginx_plus_world();
[[nodiscard]] std::unique_ptr<World> traefik_world();
[[nodiscard]] std::unique_ptr<World> consul_world();
[[nodiscard]] std::unique_ptr<World> ipvs_world();

// ---- properties
// -----------------------------------------------------------------------------------
struct Cell {
  enum class Kind { holds, not_promised, none, broken } kind = Kind::holds;
  std::string why;
};
struct Property {
  std::string name;
  std::string about;
  Cell (*check)(World&, const ports::TrafficCapabilities&);
};
[[nodiscard]] const std::vector<Property>& properties();

}  // namespace hitless::conformance
