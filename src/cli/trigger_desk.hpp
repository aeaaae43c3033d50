// Where findings go: each is said, made a plan, or begun as a rollout, as far as the policy of the
// service and the intent lets it. It is one more caller of the agents' tools: plans are made by
// plan_create and started by plan_apply, through the one registry and its gate, and the rollout's
// own process asks policy, approval, budget, freeze windows and kill switch again.
//
// One rollout at a time; it runs in a process of its own and is waited for, so that a unit of
// systemd that looks once does not end, and take the rollout with it, before that has ended. A
// crash of ours in between loses nothing: the case is kept before the act (cli/trigger_ledger.hpp).
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/trigger_cases.hpp"
#include "cli/tools.hpp"
#include "cli/trigger_look.hpp"

namespace hitless::cli {

// What has become of a case, to be said once.
struct DeskWord {
  std::string of;    // "app memory_growth"
  std::string step;  // planned, waits, started, ended, held, denied, failed
  std::string plan_id, rollout, result, text;
};

class TriggerDesk {
 public:
  TriggerDesk(const App& app, agent::Allow allow, std::function<void(const DeskWord&)> say);
  TriggerDesk(const TriggerDesk&) = delete;
  TriggerDesk& operator=(const TriggerDesk&) = delete;

  Task<void> tend(const fleet::Fleet* fleet, const TriggerLook* look);
  void stop() { stopped_ = true; }  // no further step; what runs goes on

  // Exit codes of the rollouts that it began and that did not succeed; kOk: none.
  [[nodiscard]] int worst() const { return worst_; }
  // Findings of the last round that nothing was done about.
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  struct Group {
    std::string key;  // service, trigger, intent
    std::vector<agent::Finding> findings;
  };
  struct Work;

  [[nodiscard]] std::vector<Group> groups_of(const TriggerLook& look) const;
  Task<void> tend_group(const fleet::Fleet* fleet, const Group* group, const TriggerLook* look);
  Task<bool> one_step(Work* work);
  Task<bool> make_plan(Work* work, std::vector<agent::Covered> open);
  Task<bool> start(Work* work);
  Task<void> follow(std::string rollout);
  Task<Status> learn(Work* work);
  void forget_drift_that_is_gone(const std::vector<Group>& groups, const TriggerLook& look);
  [[nodiscard]] Status keep(const std::string& key, const agent::Case& of);
  [[nodiscard]] Result<agent::Case> kept_case(const std::string& key);
  void word(const Work& work, std::string step, std::string text, std::string result = {});

  ToolWorld world_;
  agent::Registry registry_;
  agent::Allow allow_;
  std::function<void(const DeskWord&)> say_;
  std::map<std::string, std::string> said_;  // the last word about each case
  bool stopped_ = false;
  int worst_ = 0;
  std::size_t left_ = 0;
};

}  // namespace hitless::cli
