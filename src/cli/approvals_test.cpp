#include "cli/approvals.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "adapters/journal/codec.hpp"
#include "cli/kill_switch.hpp"
#include "cli/permission.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

struct Place {
  Place() {
    char name[] = "/tmp/hitless-approvals-XXXXXX";
    dir = mkdtemp(name);
    journal = std::move(*journal::open_journal(dir, journal::Mode::read_write));
  }
  ~Place() {
    journal.reset();
    std::filesystem::remove_all(dir);
  }
  std::string dir;
  std::unique_ptr<journal::SqliteJournal> journal;
};

SavedPlan plan() {
  SavedPlan saved;
  saved.plan.rollout = "R-1";
  saved.plan.service = "web";
  saved.plan.hash = journal::hash_plan(saved.plan);
  saved.fingerprint = {{"web@web01 load balancer state", "in"}};
  saved.saved_at = wall_now_ms();
  saved.proposer = "agent mcp";
  saved.for_whom = "alice@ctl";
  return saved;
}

// As plan_create and `hitless plan` keep it.
SavedPlan noted(Place& place, SavedPlan saved = plan()) {
  EXPECT_TRUE(note_proposal(*place.journal, saved));
  return saved;
}

TEST(Approvals, AnEditedFileNamesNoOtherProposer) {
  Place place;
  const SavedPlan saved = noted(place);
  SavedPlan edited = saved;
  edited.for_whom = "carol@ctl";  // so that alice could approve what her own agent asked for
  const auto given = approve(*place.journal, edited, "alice@ctl", false);
  ASSERT_FALSE(given);
  EXPECT_NE(given.error().what.find("was edited"), std::string::npos);
  edited = saved;
  edited.proposer = "agent other";
  EXPECT_FALSE(approve(*place.journal, edited, "bob@ctl", false));
  edited = saved;
  edited.saved_at += 1;  // younger than it is
  EXPECT_FALSE(approve(*place.journal, edited, "bob@ctl", false));
  edited = saved;
  edited.plan.action = core::Action::reload;
  edited.plan.hash = journal::hash_plan(edited.plan);
  EXPECT_FALSE(approve(*place.journal, edited, "bob@ctl", false)) << "another plan";
  edited = saved;
  edited.proposer = "agent other";
  EXPECT_FALSE(note_proposal(*place.journal, edited)) << "the first note stays";
  EXPECT_TRUE(approve(*place.journal, saved, "bob@ctl", false));
  edited = saved;
  edited.for_whom = "carol@ctl";  // whom the journal would name as who it runs for
  EXPECT_FALSE(check_approval(*place.journal, edited));
  EXPECT_TRUE(check_approval(*place.journal, saved));
}

TEST(Approvals, NeverByWhoAskedNorByWhomTheirAgentWorksFor) {
  Place place;
  SavedPlan saved = noted(place);
  EXPECT_FALSE(approve(*place.journal, saved, "agent mcp", true));
  EXPECT_FALSE(approve(*place.journal, saved, "alice@ctl", false));
  EXPECT_FALSE(check_approval(*place.journal, saved));
  EXPECT_TRUE(approve(*place.journal, saved, "alice@ctl", true)) << "the policy says so";
  EXPECT_TRUE(approve(*place.journal, saved, "bob@ctl", false));
  EXPECT_TRUE(check_approval(*place.journal, saved));
  saved.proposer.clear();
  EXPECT_FALSE(approve(*place.journal, saved, "bob@ctl", false)) << "nobody knows who asked";
}

TEST(Approvals, CountOnceAndOnlyForThisPlanOnThisState) {
  Place place;
  const SavedPlan saved = noted(place);
  ASSERT_TRUE(approve(*place.journal, saved, "bob@ctl", false));
  SavedPlan moved = saved;
  moved.fingerprint[0].second = "out";
  EXPECT_FALSE(check_approval(*place.journal, moved));
  SavedPlan other = saved;
  other.plan.action = core::Action::reload;
  other.plan.hash = journal::hash_plan(other.plan);
  EXPECT_FALSE(check_approval(*place.journal, other));
  EXPECT_TRUE(use_approval(*place.journal, saved));
  EXPECT_FALSE(use_approval(*place.journal, saved));
  EXPECT_FALSE(approve(*place.journal, saved, "carol@ctl", false)) << "it has run";
}

TEST(Approvals, EndAndAreNotGivenForOldPlans) {
  Place place;
  SavedPlan saved = noted(place);
  ASSERT_TRUE(place.journal->put_fact(
      "approval:" + saved.plan.hash,
      R"({"plan":")" + saved.plan.hash + R"(","fingerprint":")" + digest_of(saved.fingerprint) +
          R"(","approver":"bob@ctl","at":1,"expires_at":2,"used_by":""})"));
  const Status ended = check_approval(*place.journal, saved);
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().what.find("ended"), std::string::npos);
  SavedPlan old = plan();
  old.plan.rollout = "R-2";
  old.plan.hash = journal::hash_plan(old.plan);
  old.saved_at -= kAwaitingApprovalMs + 1;
  EXPECT_FALSE(approve(*place.journal, noted(place, old), "bob@ctl", false));
}

TEST(Approvals, WhatALevelMeansForAgentsAndPeople) {
  using fleet::Autonomy;
  EXPECT_EQ(needs_of(Autonomy::unset, true), Needs::approval);
  EXPECT_EQ(needs_of(Autonomy::unset, false), Needs::nothing);
  EXPECT_EQ(needs_of(Autonomy::observe, true), Needs::person);
  EXPECT_EQ(needs_of(Autonomy::propose, true), Needs::person);
  EXPECT_EQ(needs_of(Autonomy::propose, false), Needs::nothing);
  EXPECT_EQ(needs_of(Autonomy::approve, true), Needs::approval);
  EXPECT_EQ(needs_of(Autonomy::approve, false), Needs::approval);
  EXPECT_EQ(needs_of(Autonomy::automatic, true), Needs::nothing);
}

TEST(Approvals, TheStrictestServiceCounts) {
  fleet::Fleet fleet;
  fleet.services["a"].policy.autonomy["reboot"] = fleet::Autonomy::automatic;
  fleet.services["b"].policy.autonomy["reboot"] = fleet::Autonomy::approve;
  fleet.services["c"] = {};
  using fleet::Autonomy;
  const auto level = [&](std::vector<std::string> services) {
    return autonomy_of(fleet, services, core::Intent::reboot);
  };
  EXPECT_EQ(level({"a"}), Autonomy::automatic);
  EXPECT_EQ(level({"a", "b"}), Autonomy::approve);
  EXPECT_EQ(level({"a", "c"}), Autonomy::unset) << "agents need an approval for c";
  EXPECT_EQ(level({"b", "c"}), Autonomy::approve);
}

// One rollout that an agent began, over whole hosts when `floors` are given.
void began(Place& place, const std::string& rollout, const std::string& service,
           core::Intent intent, const std::vector<std::string>& floors = {}) {
  core::RolloutStarted started;
  started.plan.rollout = rollout;
  started.plan.service = service;
  started.plan.intent = intent;
  for (const std::string& each : floors) started.plan.floors.push_back({each, 1, {}});
  started.plan.hash = journal::hash_plan(started.plan);
  started.actor = "agent mcp for alice@ctl";
  run_until_done([&]() -> Task<void> {
    auto appended = co_await place.journal->append(rollout, wall_now_ms(), {started});
    EXPECT_TRUE(appended);
  });
}

TEST(Budget, ARebootCountsForEachServiceOfItsHosts) {
  Place place;
  const auto used = [&](const char* service) {
    return agent_actions_of_last_hour(*place.journal, service, wall_now_ms());
  };
  began(place, "R-1", "web", core::Intent::restart);
  EXPECT_EQ(used("web"), 1);
  EXPECT_EQ(used("api"), 0);
  began(place, "R-2", "web", core::Intent::reboot, {"web", "api"});
  began(place, "R-3", "db", core::Intent::patch, {"db"});
  EXPECT_EQ(used("web"), 2);
  EXPECT_EQ(used("api"), 1) << "under another service's name";
  EXPECT_EQ(used("db"), 1);
  EXPECT_EQ(agent_actions_of_last_hour(*place.journal, "web", wall_now_ms() + 3'600'001), 0);
}

TEST(KillSwitch, TheFirstReasonStaysAndWhatCannotBeReadCountsAsEngaged) {
  Place place;
  EXPECT_TRUE(check_kill_switch(place.dir));
  ASSERT_TRUE(engage_kill_switch(place.dir, "alice@ctl", "database\x1b[2J is down"));
  ASSERT_TRUE(engage_kill_switch(place.dir, "agent mcp", "another"));
  const KillSwitch now = read_kill_switch(place.dir);
  EXPECT_EQ(now.by, "alice@ctl");
  EXPECT_EQ(now.reason, "database\\x1b[2J is down");
  EXPECT_FALSE(check_kill_switch(place.dir));
  ASSERT_TRUE(release_kill_switch(place.dir));
  EXPECT_FALSE(read_kill_switch(place.dir).engaged);
  ASSERT_TRUE(write_durably(place.dir + "/kill-switch", "not JSON"));
  EXPECT_TRUE(read_kill_switch(place.dir).engaged);
}

}  // namespace
}  // namespace hitless::cli
