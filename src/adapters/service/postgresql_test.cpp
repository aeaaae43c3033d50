// The driver against a real PostgreSQL, restarted and reloaded with pg_ctl.
#include <gtest/gtest.h>

#include "adapters/service/postgresql_facts.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/test_host.hpp"
#include "real_postgres.hpp"

namespace hitless::service {
namespace {

using core::Action;
using core::CheckStatus;
using core::OutcomeStatus;
using core::ServiceVerdict;
using tests::RealPostgres;
using tests::sh;

TEST(PostgresqlFacts, AnAnswerThatIsCutIsNone) {
  const std::string whole =
      "version 15.3\nstarted 2026-01-01 00:00:00.000001\nloaded 2026-01-02 00:00:00.000002\n"
      "loaded_s 1767312000.000002\nrecovery false\nsessions 3\npending max_connections\nerror /a:3 work_mem: bad\nhba line 2: "
      "x\n"
      "context DateStyle user\nend\n";
  const auto facts = parse_postgresql_facts(whole);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->sessions, 3);
  EXPECT_EQ(facts->contexts.at("DateStyle"), "user");
  EXPECT_EQ(generation_of(*facts), (std::vector<std::string>{"loaded 2026-01-02 00:00:00.000002",
                                                             "pending max_connections"}));
  for (const std::string cut : {"\nend", "recovery false", "loaded", "started"}) {
    std::string less = whole;
    less.replace(less.find(cut), cut.size(), "x");
    EXPECT_FALSE(parse_postgresql_facts(less)) << cut;
  }
  EXPECT_FALSE(parse_postgresql_facts(""));
}

TEST(PostgresqlFacts, SettingsAsPostgresqlReadsThem) {
  const auto settings = postgresql_settings(
      "# a comment\nWork_Mem = 4MB # more\nshared_buffers 8MB\nlog_line_prefix = '%t # %u'\n"
      "port=1\nport=2\ninclude_dir 'conf.d'\napp.name = 'it''s'\n");
  EXPECT_EQ(settings.at("work_mem"), "4MB");
  EXPECT_EQ(settings.at("shared_buffers"), "8MB");
  EXPECT_EQ(settings.at("log_line_prefix"), "%t # %u");
  EXPECT_EQ(settings.at("port"), "2");
  EXPECT_EQ(settings.count("include_dir"), 0u);

  const std::map<std::string, std::string> contexts{
      {"work_mem", "user"}, {"shared_buffers", "postmaster"}, {"DateStyle", "user"}};
  const auto needs = [&](const std::string& before, const std::string& after,
                         const std::string& path = "/c/postgresql.conf") {
    return judge_postgresql_change(postgresql_change({{path, before}}, {{path, after}}), contexts)
        .action;
  };
  EXPECT_EQ(needs("work_mem=1", "# said\nwork_mem = '1'"), Action::none);
  EXPECT_EQ(needs("work_mem=1", "work_mem=2"), Action::reload);
  EXPECT_EQ(needs("work_mem=1", ""), Action::reload);
  EXPECT_EQ(needs("", "datestyle='iso'"), Action::reload);
  EXPECT_EQ(needs("work_mem=1", "work_mem=2\nshared_buffers=9MB"), Action::restart);
  EXPECT_EQ(needs("", "what_is_this=1"), Action::restart);
  EXPECT_EQ(needs("", "include 'x'"), Action::restart);
  EXPECT_EQ(needs("a", "b", "/c/pg_hba.conf"), Action::reload);
}

class Postgresql : public ::testing::Test {
 protected:
  Postgresql() {
    config_.bin_dir = "/usr/lib/postgresql/15/bin";
    config_.data_dir = server_.data();
    config_.log_file = server_ / "postgres.log";
    config_.socket_dir = server_.folder();
    config_.port = RealPostgres::port;
    config_.config_files = {server_.data() + "/postgresql.conf", server_.data() + "/pg_hba.conf",
                            server_.data() + "/postgresql.auto.conf"};
    service_ = make_postgresql_service(host_, config_);
  }
  core::ServiceIdentity identity() { return *wait_for(service_->identity()); }
  core::ServiceReading verify(Action action, const core::ServiceIdentity& before) {
    return wait_for(service_->verify(action, before));
  }
  std::string act(Action action, const core::ServiceIdentity& expected) {
    ports::ActOrder order;
    order.action = action;
    order.operation_id = "op-1";
    order.expected = expected;
    const auto outcome = wait_for(service_->act(order));
    if (!outcome) return describe(outcome.error());
    return outcome->status == OutcomeStatus::ok ? "ok" : outcome->detail;
  }
  // Until it is no longer "not yet".
  core::ServiceReading settled(Action action, const core::ServiceIdentity& before) {
    core::ServiceReading reading;
    RealPostgres::eventually([&] {
      reading = verify(action, before);
      return reading.verdict != ServiceVerdict::indeterminate;
    });
    return reading;
  }
  void append(const std::string& line, const char* file = "/postgresql.conf") {
    std::ofstream(server_.data() + file, std::ios::app) << line << "\n";
  }
  const core::Check* find(const std::vector<core::Check>& checks, const std::string& name) {
    for (const core::Check& each : checks)
      if (each.name == name) return &each;
    return nullptr;
  }

  RealPostgres server_;
  TestHost host_;
  PostgresqlConfig config_;
  std::unique_ptr<ports::Service> service_;
};

TEST_F(Postgresql, ARestartIsANewPostmasterThatAcceptsQueries) {
  const auto can = wait_for(service_->capabilities());
  ASSERT_TRUE(can) << describe(can.error());
  EXPECT_TRUE(can->proves_reload);
  const core::ServiceIdentity before = identity();
  EXPECT_TRUE(before.active);
  EXPECT_EQ(verify(Action::restart, before).verdict, ServiceVerdict::indeterminate);  // the old one
  ASSERT_EQ(act(Action::restart, before), "ok");
  const core::ServiceReading after = settled(Action::restart, before);
  EXPECT_EQ(after.verdict, ServiceVerdict::proven) << after.evidence;
  EXPECT_NE(after.evidence.find("accepts queries"), std::string::npos) << after.evidence;
  EXPECT_NE(after.now.main_pid, before.main_pid);
  // Somebody else's restart since it was looked at: nothing is done.
  EXPECT_NE(act(Action::restart, before).find("someone"), std::string::npos);
  sh(tests::as_postgres() + "/usr/lib/postgresql/15/bin/pg_ctl -s -m fast -w stop -D " +
     server_.data());
  EXPECT_EQ(verify(Action::restart, before).verdict, ServiceVerdict::down);
}

TEST_F(Postgresql, AReloadIsProvenByWhatTheServerSaysOfIt) {
  core::ServiceIdentity before = identity();
  EXPECT_EQ(verify(Action::reload, before).verdict, ServiceVerdict::indeterminate);
  append("work_mem = 5MB");
  ASSERT_EQ(act(Action::reload, before), "ok");
  core::ServiceReading reading = settled(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::proven) << reading.evidence;
  EXPECT_EQ(sh(server_.psql("postgres", "show work_mem", RealPostgres::port)).out, "5MB\n");

  // A bad value: the exit code is 0, and pg_conf_load_time moves all the same.
  before = identity();
  append("work_mem = lots");
  ASSERT_EQ(act(Action::reload, before), "ok");
  reading = settled(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied);
  EXPECT_NE(reading.evidence.find("work_mem"), std::string::npos) << reading.evidence;
  const core::Check* disk = nullptr;
  const auto checks = wait_for(service_->validate());
  ASSERT_NE(disk = find(checks, "Configuration on disk"), nullptr);
  EXPECT_EQ(disk->status, CheckStatus::fail);
}

TEST_F(Postgresql, WhatNeedsARestartIsNotProvenByAReload) {
  core::ServiceIdentity before = identity();
  append("max_connections = 31");
  ASSERT_EQ(act(Action::reload, before), "ok");
  core::ServiceReading reading = settled(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied);
  EXPECT_NE(reading.evidence.find("max_connections"), std::string::npos) << reading.evidence;
  // From now on it was waiting before: the next reload is not blamed for it.
  before = identity();
  append("work_mem = 7MB");
  ASSERT_EQ(act(Action::reload, before), "ok");
  EXPECT_EQ(settled(Action::reload, before).verdict, ServiceVerdict::proven);
  const auto checks = wait_for(service_->validate());
  const core::Check* disk = find(checks, "Configuration on disk");
  ASSERT_NE(disk, nullptr);
  EXPECT_EQ(disk->status, CheckStatus::warn);
  before = identity();
  ASSERT_EQ(act(Action::restart, before), "ok");
  EXPECT_EQ(settled(Action::restart, before).verdict, ServiceVerdict::proven);
  // pg_hba.conf is checked by the server alone.
  before = identity();
  append("host all nobody", "/pg_hba.conf");
  ASSERT_EQ(act(Action::reload, before), "ok");
  reading = settled(Action::reload, before);
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied);
  EXPECT_NE(reading.evidence.find("pg_hba.conf"), std::string::npos) << reading.evidence;
}

TEST_F(Postgresql, ANewConfigurationIsTestedAndClassed) {
  const std::string path = server_.data() + "/postgresql.conf";
  const std::string now = read_text(path);
  const auto test = [&](const std::string& more) {
    return wait_for(service_->test_config({{path, now + more}}));
  };
  EXPECT_EQ(test("work_mem = 9MB\n").status, CheckStatus::pass)
      << test("work_mem = 9MB\n").evidence;
  const core::Check bad = test("work_mem = lots\n");
  EXPECT_EQ(bad.status, CheckStatus::fail);
  EXPECT_NE(bad.evidence.find("work_mem"), std::string::npos) << bad.evidence;
  EXPECT_EQ(test("no_such_setting = 1\n").status, CheckStatus::fail);
  EXPECT_EQ(read_text(path), now);

  const auto needs = [&](const std::string& more) {
    const auto made = wait_for(service_->needed_for({{path, now}}, {{path, now + more}}));
    return made && *made ? (*made)->action : Action::none;
  };
  EXPECT_EQ(needs("work_mem = 9MB\n"), Action::reload);
  EXPECT_EQ(needs("shared_buffers = 9MB\n"), Action::restart);
  EXPECT_EQ(needs("work_mem;drop = 9MB\n"), Action::restart);

  // Nobody answers: unknown, not "no change".
  config_.port = 1;
  auto blind = make_postgresql_service(host_, config_);
  EXPECT_FALSE(wait_for(blind->needed_for({{path, now}}, {{path, now + "work_mem = 9MB\n"}})));
  EXPECT_FALSE(wait_for(blind->capabilities()));
  const auto checks = wait_for(blind->validate());
  ASSERT_NE(find(checks, "PostgreSQL"), nullptr);
  EXPECT_EQ(find(checks, "PostgreSQL")->status, CheckStatus::unknown);
}

}  // namespace
}  // namespace hitless::service
