#include "agent/trigger_cases.hpp"

#include <algorithm>

namespace hitless::agent {
namespace {

constexpr int kMostRefused = 3;  // in a row
// More rollouts than this within a day mean that restarting is not what helps.
constexpr int kMostADay = 3;
constexpr DurationMs kDayMs = 24LL * 3'600'000;

bool has_ended(Fate fate) {
  return fate == Fate::succeeded || fate == Fate::failed || fate == Fate::cut_off;
}

bool covers(const Attempt& attempt, const Covered& finding) {
  return std::find(attempt.covers.begin(), attempt.covers.end(), finding) != attempt.covers.end();
}

std::vector<Covered> not_acted_on(const Case& of, const std::vector<Covered>& findings) {
  std::vector<Covered> open;
  for (const Covered& finding : findings) {
    const auto was_acted_on = [&](const Attempt& attempt) {
      return attempt.started && has_ended(attempt.fate) && covers(attempt, finding);
    };
    if (std::none_of(of.attempts.begin(), of.attempts.end(), was_acted_on)) open.push_back(finding);
  }
  std::sort(open.begin(), open.end());
  return open;
}

int refused_in_a_row(const Case& of) {
  int count = 0;
  for (auto each = of.attempts.rbegin(); each != of.attempts.rend(); ++each, ++count)
    if (!each->started || each->fate != Fate::refused) break;
  return count;
}

int rollouts_of_a_day(const Case& of, TimeMs now) {
  return static_cast<int>(
      std::count_if(of.attempts.begin(), of.attempts.end(), [&](const Attempt& each) {
        return each.started && has_ended(each.fate) && each.at > now - kDayMs;
      }));
}

// While the last rollout says that nothing new may begin.
Next held_by_last(const Case& of, const Standing& standing) {
  const Attempt& last = of.attempts.back();
  if (!last.started) return {};
  switch (last.fate) {
    case Fate::running:
      return {Step::wait, last.rollout + " is under way", {}};
    case Fate::cut_off:
      return {Step::hold,
              last.rollout + " was cut off; a person ends it: hitless resume " + last.rollout,
              {}};
    case Fate::failed:
      if (standing.mended) return {};
      return {Step::hold,
              last.rollout +
                  " did not succeed, and nothing is tried again by itself before a "
                  "rollout of the service has succeeded: hitless show " +
                  last.rollout,
              {}};
    case Fate::refused:
      if (refused_in_a_row(of) < kMostRefused) return {};
      return {Step::hold,
              "it was refused " + std::to_string(kMostRefused) + " times, last as " + last.rollout +
                  "; a person runs the command",
              {}};
    case Fate::none:
    case Fate::succeeded:
      break;
  }
  return {};
}

// The plan that is there and was not started: does it still serve?
Next of_waiting_plan(const Attempt& last, const Standing& standing, std::vector<Covered> open) {
  std::vector<Covered> covered = last.covers;
  std::sort(covered.begin(), covered.end());
  const DurationMs age = standing.now - last.at;
  if (standing.reach == Reach::approve && standing.approved)
    return {Step::start, "approved", std::move(open)};
  if (covered != open) return {Step::plan, {}, std::move(open)};
  if (standing.reach == Reach::propose)
    return {Step::wait, "a person runs " + last.plan_id, std::move(open)};
  if (standing.reach == Reach::act) {
    const Step step = age < standing.plan_valid_ms ? Step::start : Step::plan;
    return {step, {}, std::move(open)};
  }
  if (age >= standing.approval_wait_ms) return {Step::plan, {}, std::move(open)};
  return {Step::wait, last.plan_id + " waits for `hitless approve " + last.plan_id + "`",
          std::move(open)};
}

}  // namespace

void add_attempt(Case& of, Attempt attempt) {
  of.attempts.push_back(std::move(attempt));
  if (of.attempts.size() > kMaxAttempts)
    of.attempts.erase(of.attempts.begin(), of.attempts.end() - kMaxAttempts);
}

void forget_gone(Case& of, const std::vector<Covered>& still) {
  for (Attempt& attempt : of.attempts) {
    if (!has_ended(attempt.fate)) continue;
    std::erase_if(attempt.covers, [&](const Covered& each) {
      return std::find(still.begin(), still.end(), each) == still.end();
    });
  }
}

Next next_step(const Case& of, const Standing& standing) {
  if (standing.findings.empty() || standing.reach == Reach::say) return {};
  if (!of.attempts.empty()) {
    if (Next held = held_by_last(of, standing); held.step != Step::nothing) return held;
  }
  if (standing.reach == Reach::act && !standing.troubled.empty())
    return {Step::hold,
            standing.troubled +
                ", the last rollout of the service, did not succeed; a "
                "person looks first: hitless show " +
                standing.troubled,
            {}};
  std::vector<Covered> open = not_acted_on(of, standing.findings);
  if (open.empty() && standing.scheduled && of.attempts.back().fate == Fate::succeeded) return {};
  if (open.empty())
    return {Step::hold,
            "it was acted on already (" + of.attempts.back().rollout +
                ") and is still there; a person looks",
            {}};
  if (!of.attempts.empty() && !of.attempts.back().started)
    return of_waiting_plan(of.attempts.back(), standing, std::move(open));
  if (!standing.scheduled && rollouts_of_a_day(of, standing.now) >= kMostADay)
    return {Step::hold,
            "it came back " + std::to_string(kMostADay) + " times within a day; a person looks",
            {}};
  return {Step::plan, {}, std::move(open)};
}

}  // namespace hitless::agent
