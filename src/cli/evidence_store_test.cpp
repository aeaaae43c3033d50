// What is diagnosed when no instance failed: a gate said no, the kill switch, a person.
#include "cli/evidence_store.hpp"

#include <gtest/gtest.h>

#include <map>

#include "cli/refusal_evidence.hpp"

namespace hitless::cli {
namespace {

// Only what diagnosed_cases() asks for.
class Entries : public ports::Journal {
 public:
  std::vector<core::Entry> entries;
  std::map<std::string, std::string> facts;

  Task<Result<std::vector<core::Entry>>> append(std::string, std::int64_t,
                                                std::vector<core::Event>) override {
    co_return std::vector<core::Entry>{};
  }
  Result<std::vector<core::Entry>> read(std::string, std::int64_t) override { return entries; }
  Result<std::vector<ports::RolloutRow>> rollouts(int) override {
    return std::vector<ports::RolloutRow>{};
  }
  Result<ports::ChainReport> verify() override { return ports::ChainReport{}; }
  Status put_fact(std::string key, std::string value) override {
    facts[key] = std::move(value);
    return {};
  }
  Result<std::string> get_fact(std::string key) override { return facts[key]; }
  Result<std::string> next_incident_id() override { return std::string("INC-1"); }
};

core::State stopped() {
  core::State state;
  state.plan.rollout = "R-1";
  state.plan.service = "web";
  state.stop_asked = state.halted = true;
  state.halt_reason = "stopped by the operator";
  return state;
}

TEST(EvidenceStore, TheKillSwitchIsNamed) {
  Entries journal;
  journal.entries = {
      {7, "R-1", 5,
       core::OperatorAsked{core::OperatorWish::stop, "kill switch, engaged by alice: fire"}}};
  const auto cases = diagnosed_cases(journal, stopped());
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0].diagnosis.category, agent::Category::kill_switch);
  EXPECT_EQ(cases[0].diagnosis.recommended, agent::Recommendation::stop_at_safe_point);
  EXPECT_EQ(cases[0].diagnosis.components, std::vector<std::string>{"web"});
  EXPECT_EQ(agent::check_quotes(cases[0].diagnosis, cases[0].kept.store), "");
}

TEST(EvidenceStore, WhatAPersonStoppedNeedsNoDiagnosis) {
  Entries journal;
  journal.entries = {
      {7, "R-1", 5, core::OperatorAsked{core::OperatorWish::stop, "bob@ctl the kill switch"}}};
  EXPECT_TRUE(diagnosed_cases(journal, stopped()).empty());
}

TEST(EvidenceStore, AGateThatSaidNoIsDiagnosedFromItsChecks) {
  core::State state;
  state.plan.service = "web";
  state.halted = state.blocked = true;
  state.halt_reason = "web@web01: Configuration syntax: nginx -t";
  core::Instance instance;
  instance.plan.id = {"web@web01"};
  instance.plan.host = "web01";
  core::PreflightReport report;
  report.checks = {{"Service", core::CheckStatus::pass, "active", {}},
                   {"Configuration syntax",
                    core::CheckStatus::fail,
                    "[emerg] unknown directive \"upstrem\" in /etc/nginx/nginx.conf:12",
                    {}}};
  instance.report = report;
  state.instances = {instance};
  Entries journal;
  const auto cases = diagnosed_cases(journal, state);
  ASSERT_EQ(cases.size(), 1u);
  EXPECT_EQ(cases[0].diagnosis.category, agent::Category::config_syntax);
  EXPECT_EQ(cases[0].diagnosis.recommended, agent::Recommendation::stop_before_drain);
  EXPECT_EQ(agent::check_quotes(cases[0].diagnosis, cases[0].kept.store), "");
  const std::string json = cases_as_json(cases);
  EXPECT_NE(json.find("\"category\":\"config_syntax\""), std::string::npos);
  EXPECT_NE(json.find(cases[0].kept.store.all().front().id), std::string::npos);
}

TEST(EvidenceStore, DependenciesOfAChecklistAreNamed) {
  core::State state;
  state.plan.service = "web";
  core::Instance instance;
  core::PreflightReport report;
  report.checks = {{"Downstream dependencies",
                    core::CheckStatus::fail,
                    "db reports healthy, api-gateway is not healthy: HTTP 503",
                    {}}};
  instance.report = report;
  state.instances = {instance};
  const KeptEvidence kept = refusal_evidence(state);
  const agent::Diagnosis found = agent::reason(kept.situation, kept.store);
  EXPECT_EQ(found.category, agent::Category::dependency_down);
  EXPECT_EQ(found.components, std::vector<std::string>{"api-gateway"});
}

}  // namespace
}  // namespace hitless::cli
