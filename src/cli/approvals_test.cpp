#include "cli/approvals.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "adapters/journal/codec.hpp"
#include "cli/kill_switch.hpp"
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

TEST(Approvals, NeverByWhoAskedNorByWhomTheirAgentWorksFor) {
  Place place;
  SavedPlan saved = plan();
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
  const SavedPlan saved = plan();
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
  SavedPlan saved = plan();
  ASSERT_TRUE(place.journal->put_fact(
      "approval:" + saved.plan.hash,
      R"({"plan":")" + saved.plan.hash + R"(","fingerprint":")" + digest_of(saved.fingerprint) +
          R"(","approver":"bob@ctl","at":1,"expires_at":2,"used_by":""})"));
  const Status ended = check_approval(*place.journal, saved);
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().what.find("ended"), std::string::npos);
  saved.saved_at -= kAwaitingApprovalMs + 1;
  EXPECT_FALSE(approve(*place.journal, saved, "bob@ctl", false));
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
