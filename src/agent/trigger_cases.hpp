// What becomes of findings: who may act on them, and that nothing is done twice. Pure.
//
// A case is what was made of one trigger at one service, the newest attempt last. Invariants: an
// occurrence (this leak of this process, this alert) that a rollout was started for is never acted
// on again by itself, however that rollout ended; after one that did not succeed nothing more is
// begun here until a rollout of the service has succeeded; what was cut off is never gone on with.
// Whoever acts keeps the case durably before the act, so that a crash in between uses the attempt
// up and cannot repeat it.
#pragma once
#include <compare>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace hitless::agent {

// How far it may go by itself: the policy of service and intent, and what the watch was given.
enum class Reach { say, propose, approve, act };

struct Covered {
  std::string instance, occurrence;  // the latter tells this standing finding from the next one
  auto operator<=>(const Covered&) const = default;
};

enum class Fate {
  none,     // no rollout: the plan waits
  running,  // or starting
  succeeded,
  failed,   // rolled back, aborted, or a person is needed
  refused,  // a gate said no; nothing was touched
  cut_off,
};

struct Attempt {
  std::string plan_id, plan_hash, rollout;
  TimeMs at = 0;         // when the plan was made
  bool started = false;  // kept before the rollout was asked for
  Fate fate = Fate::none;
  std::vector<Covered> covers;
};

struct Case {
  std::vector<Attempt> attempts;
};
inline constexpr std::size_t kMaxAttempts = 20;
void add_attempt(Case& of, Attempt attempt);  // the oldest goes when there are too many
// Occurrences that no longer stand are forgotten in attempts that have ended.
void forget_gone(Case& of, const std::vector<Covered>& still);

struct Standing {
  std::vector<Covered> findings;
  Reach reach = Reach::say;
  TimeMs now = 0;
  bool approved = false;   // the last attempt's plan
  bool mended = false;     // a rollout of the service has succeeded since the last attempt
  std::string troubled;    // the service's last rollout, whoever began it, if it did not succeed
  bool scheduled = false;  // comes back because it was told to
  DurationMs plan_valid_ms = 0, approval_wait_ms = 0;
};

enum class Step {
  nothing,
  plan,   // make one, for `open`
  start,  // the last attempt's plan
  wait,   // for an approval, or for a rollout that runs
  hold,   // a person looks first
};
struct Next {
  Step step = Step::nothing;
  std::string why;
  std::vector<Covered> open;
};
[[nodiscard]] Next next_step(const Case& of, const Standing& standing);

}  // namespace hitless::agent
