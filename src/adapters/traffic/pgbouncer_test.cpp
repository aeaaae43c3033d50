// The driver against a real PgBouncer with a real PostgreSQL behind it.
#include "adapters/traffic/pgbouncer.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>

#include "adapters/host/host.hpp"
#include "adapters/traffic/pgbouncer_hold.hpp"
#include "adapters/traffic/pgbouncer_view.hpp"
#include "base/text.hpp"
#include "real_postgres.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using tests::RealPostgres;
using tests::sh;

const core::InstanceId db{"db@db01"};

// One event loop for all of a test: the driver keeps its connection, and a host its shell.
template <class T>
T run_on(boost::asio::io_context& loop, Task<T> task) {
  std::optional<T> result;
  const auto keep = [](Task<T> doing, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await std::move(doing));
  };
  boost::asio::co_spawn(loop, keep(std::move(task), &result), boost::asio::detached);
  loop.restart();
  while (!result && loop.run_one_for(std::chrono::seconds(60)) > 0) {
  }
  if (!result) throw std::runtime_error("a driver's call does not come back");
  return std::move(*result);
}

struct Bouncer {
  explicit Bouncer(const std::string& settings = {}) {
    server.start_bouncer(settings);
    for (const char* name : {"app", "app-two"})
      if (sh(server.psql(name, "select 1")).out != "1\n") throw std::runtime_error(name);
  }
  ~Bouncer() {  // no PAUSE and no process that would end it stay behind
    for (const char* name : {"app", "app-two"})
      (void)run(let_go(host.get(), {*parse_socket_address(server.bouncer_socket()), "pgbouncer",
                                    "postgres", name}));
  }

  // A new driver, as a new process of hitless would make it.
  std::unique_ptr<ports::Traffic> driver(const std::string& database = "app",
                                         DurationMs max_pause_ms = 20'000) {
    PgbouncerPool pool;
    pool.lb = "bouncer";
    pool.nodes.push_back({"pgb-1", server.bouncer_socket(), {}, host.get()});
    pool.database = database;
    pool.instance = db;
    pool.user = user;
    pool.password = [] { return Result<std::string>("secret"); };
    pool.max_pause_ms = max_pause_ms;
    return make_pgbouncer(std::move(pool));
  }
  template <class T>
  T run(Task<T> task) {
    return run_on(loop, std::move(task));
  }
  core::TargetReport read(ports::Traffic& traffic) {
    auto all = run(traffic.read());
    return all.at(0);
  }
  std::string drain(ports::Traffic& traffic) { return text(run(traffic.drain(db))); }
  std::string rejoin(ports::Traffic& traffic) { return text(run(traffic.rejoin(db))); }
  // A client of the application, on its own; its output, and how long it took.
  std::future<std::pair<std::string, double>> client(const std::string& sql) {
    return std::async(std::launch::async, [this, sql] {
      const auto begun = std::chrono::steady_clock::now();
      const auto said = sh(server.psql("app", sql));
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
      return std::make_pair(said.out, took.count());
    });
  }
  // Server connections of the entry that are in use, by psql.
  bool busy(int count) {
    return RealPostgres::eventually([&] {
      int active = 0;
      for (const std::string& row : split(server.console("SHOW POOLS").out, '\n')) {
        const auto fields = split(row, '|');
        if (fields.size() > 6 && fields[0] == "app") active += std::stoi(fields[6]);
      }
      return active == count;
    });
  }
  static std::string text(const Status& status) { return status ? "ok" : describe(status.error()); }

  RealPostgres server;
  boost::asio::io_context loop;
  std::unique_ptr<ports::Host> host = host::make_local_host("db01", "127.0.0.1");
  std::string user = "hitless";
};

TEST(PgbouncerView, WhatIsNotThereIsUnknown) {
  const PgRows config{
      {"key", "value"}, {{"pool_mode", "session"}, {"query_wait_timeout", "1.5"}}, {}};
  const auto limits = read_limits(config);
  ASSERT_TRUE(limits);
  EXPECT_TRUE(limits->session);
  EXPECT_EQ(limits->query_wait_timeout_ms, 1500);
  EXPECT_FALSE(read_limits({{"key", "value"}, {{"pool_mode", "session"}}, {}}));

  const PgRows old{{"name", "host"}, {{"app", ""}}, {}};
  EXPECT_FALSE(read_view(*limits, old, {}, {}));  // it does not say whether it is paused
  const PgRows databases{{"name", "paused", "disabled", "pool_mode"}, {{"app", "0", "0", ""}}, {}};
  const PgRows pools{{"database", "sv_active", "sv_idle"}, {{"app", "3", "x"}}, {}};
  const auto view = read_view(*limits, databases, pools, {});
  ASSERT_TRUE(view);
  const PgbouncerDatabase& app = view->databases.at("app");
  EXPECT_TRUE(app.session);
  EXPECT_EQ(app.active, std::nullopt);  // sv_login and sv_tested are missing
  EXPECT_EQ(app.idle, std::nullopt);
  EXPECT_EQ(app.max_wait_ms, std::nullopt);
  EXPECT_EQ(app.queries, std::nullopt);
  EXPECT_EQ(console_name("app_1"), "app_1");
  EXPECT_EQ(console_name("App-two"), "\"App-two\"");
}

TEST(Pgbouncer, WhatItSaysBeforeAnythingIsTouched) {
  Bouncer bouncer;
  auto traffic = bouncer.driver();
  const auto can = bouncer.run(traffic->capabilities());
  ASSERT_TRUE(can) << describe(can.error());
  EXPECT_FALSE(can->checked_rejoin);
  EXPECT_TRUE(can->survives_lb_reload);
  EXPECT_NE(join(can->remarks, "\n").find("wait at most 20s"), std::string::npos)
      << join(can->remarks, "\n");
  const core::TargetReport before = bouncer.read(*traffic);
  EXPECT_EQ(before.admin, AdminState::ready) << before.note;
  EXPECT_EQ(before.in_flight, 0);
  EXPECT_EQ(before.idle, 1);
  ASSERT_EQ(sh(bouncer.server.psql("app", "select 1")).out, "1\n");
  const core::TargetReport after = bouncer.read(*traffic);
  EXPECT_GT(after.requests.value(), before.requests.value());
  EXPECT_EQ(after.epoch, before.epoch);

  auto typo = bouncer.driver("ap");
  EXPECT_EQ(bouncer.read(*typo).admin, AdminState::absent);
  const auto near = bouncer.run(typo->capabilities());
  EXPECT_NE(describe(near.error()).find("did you mean app?"), std::string::npos);

  // Session pooling: nobody knows what is in flight, and it is not paused.
  auto session = bouncer.driver("sess");
  EXPECT_EQ(bouncer.read(*session).in_flight, std::nullopt);
  EXPECT_NE(bouncer.drain(*session).find("session pooling"), std::string::npos);
  EXPECT_FALSE(bouncer.run(session->capabilities()));
  EXPECT_EQ(bouncer.read(*session).admin, AdminState::ready);

  // One who may only look.
  bouncer.user = "reader";
  auto reader = bouncer.driver();
  const auto no = bouncer.run(reader->capabilities());
  ASSERT_FALSE(no);
  EXPECT_NE(describe(no.error()).find("admin_users"), std::string::npos) << describe(no.error());
}

TEST(Pgbouncer, DrainWaitsForTransactionsAndClientsWaitForTheRejoin) {
  Bouncer bouncer;
  auto traffic = bouncer.driver();
  auto running = bouncer.client("select pg_sleep(600)");
  ASSERT_TRUE(bouncer.busy(1));
  ASSERT_EQ(bouncer.drain(*traffic), "ok");
  core::TargetReport report = bouncer.read(*traffic);
  EXPECT_EQ(report.admin, AdminState::drain) << report.note;
  EXPECT_EQ(report.in_flight, 1);
  auto waiting = bouncer.client("select 'waited'");
  // It ends when we say so: a slow machine changes nothing.
  sh(bouncer.server.psql("postgres",
                         "select pg_cancel_backend(pid) from pg_stat_activity where query like "
                         "'select pg_sleep%'",
                         RealPostgres::port));
  EXPECT_NE(running.get().first.find("canceling"), std::string::npos);
  ASSERT_TRUE(RealPostgres::eventually([&] { return bouncer.read(*traffic).in_flight == 0; }));
  report = bouncer.read(*traffic);
  EXPECT_EQ(report.idle, 0);  // PgBouncer has let go of all its servers
  EXPECT_EQ(bouncer.drain(*traffic), "ok");

  // A reload keeps it; a driver that knows nothing sees that it is ours.
  bouncer.server.console("RELOAD");
  auto another = bouncer.driver();
  EXPECT_EQ(bouncer.read(*another).admin, AdminState::drain);
  EXPECT_NE(Bouncer::text(bouncer.run(another->close_remaining(db))).find("KILL"),
            std::string::npos);
  EXPECT_EQ(bouncer.rejoin(*another), "ok");
  EXPECT_EQ(waiting.get().first, "waited\n");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::ready);
  EXPECT_EQ(bouncer.rejoin(*traffic), "ok");  // again: the same meaning
}

TEST(Pgbouncer, APauseEndsWhenNobodyIsLeft) {
  Bouncer bouncer;
  {
    auto traffic = bouncer.driver("app", 2'000);
    ASSERT_EQ(bouncer.drain(*traffic), "ok");
  }
  const auto [said, seconds] = bouncer.client("select 'served'").get();
  EXPECT_EQ(said, "served\n");
  EXPECT_GT(seconds, 0.3);
  EXPECT_LT(seconds, 60);  // without an end, query_wait_timeout would drop it after 120 s
  auto traffic = bouncer.driver();
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::ready);
  EXPECT_EQ(bouncer.rejoin(*traffic), "ok");
  // The same with a name that the console wants quoted.
  auto two = bouncer.driver("app-two", 2'000);
  ASSERT_EQ(bouncer.drain(*two), "ok");
  EXPECT_TRUE(
      RealPostgres::eventually([&] { return bouncer.read(*two).admin == AdminState::ready; }));
}

TEST(Pgbouncer, SomebodyElsesHand) {
  Bouncer bouncer;
  auto traffic = bouncer.driver();
  bouncer.server.console("PAUSE app");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::maint);
  EXPECT_EQ(bouncer.drain(*traffic), "ok");  // out already; left as it is
  EXPECT_NE(bouncer.rejoin(*traffic).find("someone else"), std::string::npos);
  EXPECT_EQ(bouncer.server.console("SHOW DATABASES").out.find("app|"), 0u);
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::maint);
  bouncer.server.console("RESUME app");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::ready);
  // Ours, taken back by somebody: seen, and drained again.
  ASSERT_EQ(bouncer.drain(*traffic), "ok");
  bouncer.server.console("RESUME app");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::ready);
  ASSERT_EQ(bouncer.drain(*traffic), "ok");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::drain);
  // A restart of PgBouncer forgets it.
  const std::string epoch = bouncer.read(*traffic).epoch;
  bouncer.server.stop_bouncer();
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::unknown);
  bouncer.server.start_bouncer();
  const core::TargetReport report = bouncer.read(*traffic);
  EXPECT_EQ(report.admin, AdminState::ready) << report.note;
  EXPECT_NE(report.epoch, epoch);
  bouncer.server.console("DISABLE app");
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::maint);
  EXPECT_NE(bouncer.rejoin(*traffic).find("disabled"), std::string::npos);
}

TEST(Pgbouncer, NoClientIsHeldUntilItsQueryWaitTimeout) {
  Bouncer bouncer("query_wait_timeout=3\n");
  auto traffic = bouncer.driver();  // 20 s asked for, 3 s less a margin possible
  const auto refused = bouncer.run(traffic->capabilities());
  EXPECT_FALSE(refused);
  EXPECT_NE(bouncer.drain(*traffic).find("query_wait_timeout"), std::string::npos);
  EXPECT_EQ(bouncer.read(*traffic).admin, AdminState::ready);

  bouncer.server.console("SET query_wait_timeout = 6");
  ASSERT_EQ(bouncer.drain(*traffic), "ok");
  const auto [said, seconds] = bouncer.client("select 'in time'").get();
  EXPECT_EQ(said, "in time\n");
}

TEST(Pgbouncer, NothingIsPausedThatCouldNotBeEnded) {
  Bouncer bouncer;
  PgbouncerPool pool;
  pool.nodes.push_back({"pgb-1", bouncer.server.bouncer_socket(), {}, bouncer.host.get()});
  pool.database = "app";
  pool.instance = db;
  pool.user = "hitless";
  pool.password = [] { return Result<std::string>("secret"); };
  pool.resume_user = "nobody_here";
  auto traffic = make_pgbouncer(pool);
  const auto can = bouncer.run(traffic->capabilities());
  ASSERT_FALSE(can);
  EXPECT_NE(describe(can.error()).find("resume_user"), std::string::npos) << describe(can.error());

  for (const char* bad : {"", "-x", "a b", "pgbouncer", "a\"b"}) {
    pool.database = bad;
    EXPECT_FALSE(check_pgbouncer(pool)) << bad;
  }
  pool.database = "app";
  pool.nodes[0].socket = "unix:/run/haproxy.sock";
  EXPECT_FALSE(check_pgbouncer(pool));
  auto broken = make_pgbouncer(pool);
  EXPECT_EQ(bouncer.read(*broken).admin, AdminState::unknown);
  EXPECT_FALSE(bouncer.run(broken->drain(db)));
}

}  // namespace
}  // namespace hitless::traffic
