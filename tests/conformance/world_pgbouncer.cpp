// PgBouncer with PostgreSQL behind it: the instances are two of its databases, and a request is a
// query. One that waits in PgBouncer's queue has not arrived.
#include <filesystem>
#include <fstream>

#include "adapters/traffic/pgbouncer.hpp"
#include "daemon_child.hpp"
#include "real_postgres.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

using tests::RealPostgres;
using tests::sh;

const char* database_of(const std::string& instance) {
  return instance == "a" ? "app" : "app-two";
}

// One pool per database, seen as one.
class BothPools final : public ports::Traffic {
 public:
  explicit BothPools(std::vector<std::unique_ptr<ports::Traffic>> pools)
      : pools_(std::move(pools)) {}
  [[nodiscard]] std::string describe() const override { return pools_.front()->describe(); }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    return pools_.front()->capabilities();
  }
  Task<std::vector<core::TargetReport>> read() override {
    std::vector<core::TargetReport> all;
    for (const auto& pool : pools_)
      for (core::TargetReport& report : co_await pool->read()) all.push_back(std::move(report));
    co_return all;
  }
  Task<Status> drain(core::InstanceId id) override { return of(id)->drain(id); }
  Task<Status> rejoin(core::InstanceId id) override { return of(id)->rejoin(id); }
  Task<Status> close_remaining(core::InstanceId id) override { return of(id)->close_remaining(id); }
  Task<std::vector<ports::PoolCounters>> counters() override {
    std::vector<ports::PoolCounters> all;
    for (const auto& pool : pools_)
      for (ports::PoolCounters& node : co_await pool->counters()) all.push_back(std::move(node));
    co_return all;
  }

 private:
  ports::Traffic* of(const core::InstanceId& id) {
    return pools_[id.value == "web@b" ? 1 : 0].get();
  }
  std::vector<std::unique_ptr<ports::Traffic>> pools_;
};

class HeldQuery final : public Held {
 public:
  HeldQuery(const std::string& command, const std::string& output) : output_(output) {
    client_.start({"sh", "-c", command}, output);
  }
  bool ended_well() override {
    return eventually([&] {
      std::stringstream said;
      said << std::ifstream(output_).rdbuf();
      return said.str().find("DO\n") != std::string::npos;
    });
  }

 private:
  std::string output_;
  DaemonChild client_;
};

class PgbouncerWorld final : public World {
 public:
  PgbouncerWorld() { server_.start_bouncer(); }
  ~PgbouncerWorld() override {  // the processes that would end a PAUSE end with it
    for (const char* name : {"a", "b"}) (void)rejoin(name);
  }
  [[nodiscard]] std::string driver_name() const override { return "pgbouncer"; }
  [[nodiscard]] std::string daemon() const override { return "PgBouncer and PostgreSQL"; }
  [[nodiscard]] std::string front() const override { return {}; }
  std::unique_ptr<ports::Traffic> make(ports::Host* host) override {
    std::vector<std::unique_ptr<ports::Traffic>> pools;
    for (const char* name : {"a", "b"}) {
      PgbouncerPool pool;
      pool.lb = "bouncer";
      pool.nodes.push_back(
          {"pgb-1", blind_ ? "unix:/nowhere/.s.PGSQL.1" : server_.bouncer_socket(), {}, host});
      pool.database = database_of(name);
      pool.instance = core::InstanceId{std::string("web@") + name};
      pool.user = "hitless";
      pool.password = [] { return Result<std::string>("secret"); };
      pools.push_back(make_pgbouncer(std::move(pool)));
    }
    return std::make_unique<BothPools>(std::move(pools));
  }
  void foreign_out(const std::string& instance) override { console("PAUSE", instance); }
  void foreign_in(const std::string& instance) override { console("RESUME", instance); }
  void reload() override { server_.console("RELOAD"); }
  void restart() override { server_.restart_bouncer(); }
  void blind() override { blind_ = true; }
  void see() override { blind_ = false; }

  void send(int n) override {
    for (int i = 0; i < n; ++i)
      for (const char* name : {"a", "b"}) sh(server_.psql(database_of(name), "select 1"));
  }
  // A query that is not answered in this time waits; a slow machine is asked again.
  bool reaches(const std::string& instance, int) override {
    return sh("timeout -s KILL 0.5 " + server_.psql(database_of(instance), "select 'served'"))
               .out == "served\n";
  }
  std::unique_ptr<Held> hold_at(const std::string& instance) override {
    std::filesystem::remove(flag());
    const std::string wait = "do \\$\\$ begin while (pg_stat_file('" + flag() +
                             "', true)).size is null loop perform pg_sleep(0.02); end loop; end "
                             "\\$\\$";
    auto held = std::make_unique<HeldQuery>(server_.psql(database_of(instance), wait),
                                            server_ / ("held" + std::to_string(++holds_)));
    const bool there = eventually([&] {
      return sh(server_.psql("postgres",
                             "select count(*) from pg_stat_activity where query like 'do %'",
                             RealPostgres::port))
                 .out == "1\n";
    });
    if (!there) throw std::runtime_error("no query reached " + instance);
    return held;
  }
  void release(const std::string&) override {
    std::ofstream(flag()) << "go\n";
    server_.own();
  }

 private:
  [[nodiscard]] std::string flag() const { return server_ / "release"; }
  void console(const std::string& verb, const std::string& instance) const {
    server_.console(verb + " \"" + database_of(instance) + "\"");
  }

  RealPostgres server_;
  int holds_ = 0;
  bool blind_ = false;
};

}  // namespace

std::unique_ptr<World> pgbouncer_world() {
  return std::make_unique<PgbouncerWorld>();
}

}  // namespace hitless::conformance
