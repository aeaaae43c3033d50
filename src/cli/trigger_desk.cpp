#include "cli/trigger_desk.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cli/applies.hpp"
#include "cli/approvals.hpp"
#include "cli/plan_store.hpp"
#include "cli/trigger_ledger.hpp"
#include "core/names.hpp"
#include "core/plan.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Fate;
using agent::Reach;
using agent::Step;

constexpr int kMostSteps = 4;     // of one case in one round: plan, start, its end, and what then
constexpr int kLookBack = 1'000;  // rollouts
constexpr DurationMs kPollMs = 300;
constexpr DurationMs kMostFollowMs = 24LL * 3'600'000;
constexpr std::size_t kMaxReason = 480;
constexpr std::size_t kMaxHosts = 200;

agent::Source source_of(agent::Trigger trigger) {
  switch (trigger) {
    case agent::Trigger::drift:
      return agent::Source::config_diff;
    case agent::Trigger::pending_restart:
      return agent::Source::changes;
    case agent::Trigger::certificate:
      return agent::Source::certificate;
    case agent::Trigger::memory_growth:
    case agent::Trigger::alert:
    case agent::Trigger::schedule:
      break;
  }
  return agent::Source::metrics;
}

// Unset is as strict for whoever is not a person as `approve`.
Reach reach_of(fleet::Autonomy autonomy, agent::Allow allow) {
  if (allow == agent::Allow::read || autonomy == fleet::Autonomy::observe) return Reach::say;
  if (allow == agent::Allow::propose || autonomy == fleet::Autonomy::propose) return Reach::propose;
  return autonomy == fleet::Autonomy::automatic ? Reach::act : Reach::approve;
}

Fate fate_of(const json::object& rollout) {
  const std::string state = text_of(rollout, "state"), result = text_of(rollout, "result");
  if (state == "starting" || state == "running") return Fate::running;
  if (state == "cut_off") return Fate::cut_off;
  if (state == "refused" || result == "blocked") return Fate::refused;
  return result == "succeeded" ? Fate::succeeded : Fate::failed;
}

bool may_change(const agent::Attempt& attempt) {
  return attempt.started && (attempt.fate == Fate::none || attempt.fate == Fate::running ||
                             attempt.fate == Fate::cut_off);
}

// What could not be looked at may still stand.
std::vector<agent::Covered> with_unseen(std::vector<agent::Covered> still, const agent::Case& kept,
                                        agent::Trigger trigger, const TriggerLook& look) {
  for (const agent::Attempt& attempt : kept.attempts)
    for (const agent::Covered& each : attempt.covers)
      if (look.blind.contains({trigger, each.instance})) still.push_back(each);
  return still;
}

int exit_code_of(const std::string& result) {
  for (const auto each : {core::RolloutResult::rolled_back, core::RolloutResult::aborted})
    if (result == core::to_string(each)) return cli::exit_code_of(each);
  return kHumanNeeded;
}

}  // namespace

struct TriggerDesk::Work {
  const Group* group = nullptr;
  const fleet::Fleet* fleet = nullptr;
  agent::Case kept;
  agent::Standing standing;
  agent::Caller caller;
  std::string last_result;
  bool done = false;  // a rollout of this round has succeeded
};

TriggerDesk::TriggerDesk(const App& app, agent::Allow allow,
                         std::function<void(const DeskWord&)> say)
    : world_(app), registry_(make_tools(&world_)), allow_(allow), say_(std::move(say)) {}

std::vector<TriggerDesk::Group> TriggerDesk::groups_of(const TriggerLook& look) const {
  std::vector<Group> groups;
  for (const agent::Finding& found : look.findings) {
    if (found.proposal.wish == agent::Wish::none) continue;  // only said
    const std::string key = found.proposal.service + " " + name_of(found) + " " +
                            std::string(agent::to_string(found.proposal.wish));
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const Group& each) { return each.key == key; });
    if (known == groups.end())
      groups.push_back({key, {found}});
    else
      known->findings.push_back(found);
  }
  return groups;
}

void TriggerDesk::word(const Work& work, std::string step, std::string text, std::string result) {
  std::string& before = said_[work.group->key];
  if (before == step + " " + text) return;
  before = step + " " + text;
  DeskWord made{
      work.group->findings.front().proposal.service + " " + name_of(work.group->findings.front()),
      std::move(step),
      {},
      {},
      std::move(result),
      std::move(text)};
  if (!work.kept.attempts.empty()) {
    made.plan_id = work.kept.attempts.back().plan_id;
    if (work.kept.attempts.back().started) made.rollout = work.kept.attempts.back().rollout;
  }
  say_(made);
}

// The journal tells what became of rollouts, whether an approval is there, and how the service is.
Task<Status> TriggerDesk::learn(Work* work) {
  for (agent::Attempt& attempt : work->kept.attempts) {
    if (!may_change(attempt)) continue;
    auto answer = co_await registry_.call(
        "rollout_get", json::object{{"rollout_id", attempt.rollout}}, work->caller);
    const bool never_began = !answer && answer.error().code == ErrorCode::not_found;
    if (!answer && !never_began) co_return tl::unexpected<Error>(answer.error());
    attempt.fate = never_began ? Fate::refused : fate_of(*answer);
    if (answer) work->last_result = text_of(*answer, "result");
  }
  auto journal = open_journal(world_.app, true);
  if (!journal) co_return tl::unexpected<Error>(journal.error());
  agent::Standing& standing = work->standing;
  standing.approved = standing.mended = false;
  standing.troubled.clear();
  const auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) co_return tl::unexpected<Error>(rows.error());
  bool newest = true;
  for (const ports::RolloutRow& row : *rows) {
    if (row.service != work->group->findings.front().proposal.service) continue;
    if (row.result.empty() || row.result == core::to_string(core::RolloutResult::blocked)) continue;
    const bool good = row.result == core::to_string(core::RolloutResult::succeeded);
    if (newest && !good) standing.troubled = row.rollout;
    newest = false;
    standing.mended = standing.mended || (good && !work->kept.attempts.empty() &&
                                          row.rollout != work->kept.attempts.back().rollout &&
                                          row.started_at > work->kept.attempts.back().at);
  }
  if (!work->kept.attempts.empty() && !work->kept.attempts.back().started) {
    auto saved = find_plan(world_.app, work->kept.attempts.back().plan_id);
    standing.approved = saved && check_approval(**journal, *saved).has_value();
  }
  Status kept = put_case(**journal, work->group->key, work->kept);
  if (kept) kept = (*journal)->close();
  co_return kept;
}

Status TriggerDesk::keep(const std::string& key, const agent::Case& of) {
  auto journal = open_journal(world_.app, true);
  if (!journal) return tl::unexpected<Error>(journal.error());
  if (Status ok = put_case(**journal, key, of); !ok) return ok;
  return (*journal)->close();
}

Result<agent::Case> TriggerDesk::kept_case(const std::string& key) {
  auto journal = open_journal(world_.app, true);
  if (!journal) return tl::unexpected<Error>(journal.error());
  return get_case(**journal, key);
}

Task<bool> TriggerDesk::make_plan(Work* work, std::vector<agent::Covered> open) {
  const agent::Finding& first = work->group->findings.front();
  json::array hosts, evidence;
  std::string why;
  for (const agent::Finding& each : work->group->findings) {
    const agent::Covered covered{each.instance, each.occurrence};
    if (std::find(open.begin(), open.end(), covered) == open.end()) continue;
    for (const std::string& host : each.proposal.hosts)
      if (hosts.size() < kMaxHosts &&
          std::find(hosts.begin(), hosts.end(), json::value(json::string(host))) == hosts.end())
        hosts.emplace_back(json::string(host));
    why += (why.empty() ? "" : "; ") + each.instance + ": " + each.evidence;
    const std::string seen = remember(world_, source_of(each.trigger), each.instance, why);
    if (!seen.empty() && evidence.size() < 40) evidence.emplace_back(json::string(seen));
  }
  why = truncate_utf8(name_of(first) + ": " + escape_for_terminal(why), kMaxReason);
  auto made =
      co_await registry_.call("plan_create",
                              json::object{{"service", first.proposal.service},
                                           {"intent", agent::to_string(first.proposal.wish)},
                                           {"hosts", std::move(hosts)},
                                           {"reason", why},
                                           {"evidence_ids", std::move(evidence)}},
                              work->caller);
  if (!made) {
    word(*work, "failed", "no plan: " + describe(made.error()));
    co_return false;
  }
  if (text_of(*made, "verdict") == "denied") {
    word(*work, "denied", "no plan: " + join(texts_of(*made, "deny_reasons"), "; "));
    co_return false;
  }
  auto saved = find_plan(world_.app, text_of(*made, "plan_id"));
  if (!saved) {
    word(*work, "failed", "no plan: " + describe(saved.error()));
    co_return false;
  }
  add_attempt(work->kept, {text_of(*made, "plan_id"), saved->plan.hash, saved->plan.rollout,
                           wall_now_ms(), false, Fate::none, std::move(open)});
  if (work->standing.reach == Reach::act)
    word(*work, "planned", work->kept.attempts.back().plan_id + ", the policy says auto");
  co_return true;
}

// Kept as started first: if we die now, this attempt is used up and nothing runs twice.
Task<bool> TriggerDesk::start(Work* work) {
  agent::Attempt& attempt = work->kept.attempts.back();
  attempt.started = true;
  if (Status kept = keep(work->group->key, work->kept); !kept) {
    attempt.started = false;
    word(*work, "failed", "not started: " + describe(kept.error()));
    co_return false;
  }
  auto begun =
      co_await registry_.call("plan_apply",
                              json::object{{"plan_id", attempt.plan_id},
                                           {"plan_hash", attempt.plan_hash},
                                           {"idempotency_key", "trigger " + attempt.plan_hash}},
                              work->caller);
  if (!begun) {
    // Refused before anything was noted there: the same plan may be asked for again.
    attempt.started = apply_status(world_.app, attempt.rollout).has_value();
    (void)keep(work->group->key, work->kept);  // if that fails, it counts as used up
    word(*work, "failed", "not started: " + describe(begun.error()));
    co_return false;
  }
  word(*work, "started", attempt.rollout + " (hitless watch " + attempt.rollout + ")");
  co_await follow(attempt.rollout);
  co_return !stopped_;
}

// Its process, not its journal: notifications and the report come after the end.
Task<void> TriggerDesk::follow(std::string rollout) {
  const DurationMs until = steady_now_ms() + kMostFollowMs;
  for (;;) {
    const auto status = apply_status(world_.app, rollout);
    if (!status || !status->running || stopped_ || steady_now_ms() > until) co_return;
    co_await sleep_for(kPollMs);
  }
}

// False: nothing more to do about it in this round.
Task<bool> TriggerDesk::one_step(Work* work) {
  if (Status ok = co_await learn(work); !ok) {
    word(*work, "failed", describe(ok.error()));
    co_return false;
  }
  const agent::Attempt* last = work->kept.attempts.empty() ? nullptr : &work->kept.attempts.back();
  if (last != nullptr && last->started && said_[work->group->key].starts_with("started ")) {
    const bool good = last->fate == Fate::succeeded;
    const std::string log = " (applies/" + last->rollout + ".log in the state folder)";
    word(*work, "ended",
         last->rollout + ": " + (work->last_result.empty() ? "refused" + log : work->last_result),
         work->last_result.empty() ? "refused" : work->last_result);
    if (last->fate == Fate::failed || last->fate == Fate::cut_off)
      worst_ = std::max(worst_, exit_code_of(work->last_result));
    work->done = good;
    // What it installed is there, so the same difference would be a new one.
    if (good && work->group->findings.front().trigger == agent::Trigger::drift) {
      work->kept.attempts.back().covers.clear();
      (void)keep(work->group->key, work->kept);
    }
    if (good) co_return false;  // the next look tells whether it has helped
  }
  agent::Next next = next_step(work->kept, work->standing);
  switch (next.step) {
    case Step::plan:
      co_return co_await make_plan(work, std::move(next.open));
    case Step::start:
      co_return co_await start(work);
    case Step::wait:
      word(*work, "waits",
           work->standing.reach == Reach::propose
               ? "a person runs: hitless " +
                     std::string(agent::to_string(work->group->findings.front().proposal.wish)) +
                     " --plan " + last->plan_id
               : next.why);
      break;
    case Step::hold:
      word(*work, "held", next.why);
      break;
    case Step::nothing:
      work->done = true;  // a schedule that was kept
      break;
  }
  co_return false;
}

Task<void> TriggerDesk::tend_group(const fleet::Fleet* fleet, const Group* group,
                                   const TriggerLook* look) {
  const agent::Finding& first = group->findings.front();
  const std::string service = first.proposal.service;
  const core::Intent intent = core::intent_named(agent::to_string(first.proposal.wish));
  std::vector<std::string> services{service};
  if (core::works_on_hosts(intent)) {
    auto wiring = wire_for(*fleet, service, intent);
    if (wiring) services = (*wiring)->service_names();
  }
  Work work;
  work.group = group;
  work.fleet = fleet;
  work.caller = {"trigger " + name_of(first), person_name(), allow_};
  work.standing.reach = reach_of(autonomy_of(*fleet, services, intent), allow_);
  if (work.standing.reach == Reach::say) {
    ++left_;
    co_return;
  }
  work.standing.scheduled = first.trigger == agent::Trigger::schedule;
  work.standing.plan_valid_ms = kPlanValidMs;
  work.standing.approval_wait_ms = kAwaitingApprovalMs;
  for (const agent::Finding& each : group->findings)
    work.standing.findings.push_back({each.instance, each.occurrence});
  auto kept = kept_case(group->key);
  if (!kept) {
    ++left_;
    word(work, "failed", describe(kept.error()));
    co_return;
  }
  work.kept = std::move(*kept);
  if (first.trigger == agent::Trigger::drift)
    forget_gone(work.kept, with_unseen(work.standing.findings, work.kept, first.trigger, *look));
  bool goes_on = true;
  for (int i = 0; goes_on && !stopped_ && i < kMostSteps; ++i) {
    work.standing.now = wall_now_ms();
    goes_on = co_await one_step(&work);
  }
  if (!work.done) ++left_;
}

Task<void> TriggerDesk::tend(const fleet::Fleet* fleet, const TriggerLook* look) {
  left_ = 0;
  const std::vector<Group> groups = groups_of(*look);
  std::erase_if(said_, [&](const auto& each) {
    return std::none_of(groups.begin(), groups.end(),
                        [&](const Group& group) { return group.key == each.first; });
  });
  for (const Group& group : groups) {
    if (stopped_) co_return;
    co_await tend_group(fleet, &group, look);
  }
  forget_drift_that_is_gone(groups, *look);
}

// The same difference can come again; other occurrences have names that never do.
void TriggerDesk::forget_drift_that_is_gone(const std::vector<Group>& groups,
                                            const TriggerLook& look) {
  if (allow_ == agent::Allow::read) return;
  for (const std::string& service : look.services) {
    const std::string key = service + " " + std::string(to_string(agent::Trigger::drift)) + " " +
                            std::string(agent::to_string(agent::Wish::apply));
    if (std::any_of(groups.begin(), groups.end(), [&](const Group& g) { return g.key == key; }))
      continue;
    auto kept = kept_case(key);
    if (!kept || kept->attempts.empty()) continue;
    const std::string before = case_to_text(*kept);
    forget_gone(*kept, with_unseen({}, *kept, agent::Trigger::drift, look));
    if (case_to_text(*kept) != before) (void)keep(key, *kept);
  }
}

}  // namespace hitless::cli
