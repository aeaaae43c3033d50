// The run loop of a rollout: observe -> decide -> journal -> act, until the core says it has ended.
//
// Invariants: what came in, what was decided from it and the intents of the effects that follow are
// one transaction of the journal, durable before anything is done on account of it (I3); the core's
// invariants are checked on each step, and a step that would break one is not taken. A crash at any
// point leaves a journal whose fold is the state; another call with that journal's entries takes
// the rollout over and ends it.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/state.hpp"
#include "engine/guard.hpp"
#include "engine/parts.hpp"
#include "engine/preflight.hpp"
#include "ports/journal.hpp"

namespace hitless::engine {

// How the outside talks to a running rollout: Ctrl-C, later pause and abort.
class Wishes {
 public:
  void push(core::OperatorWish wish, std::string actor) {
    asked_.push_back({wish, std::move(actor)});
    if (on_push_) on_push_();
  }
  [[nodiscard]] std::vector<core::OperatorAsked> take() { return std::exchange(asked_, {}); }
  void on_push(std::function<void()> f) { on_push_ = std::move(f); }

 private:
  std::vector<core::OperatorAsked> asked_;
  std::function<void()> on_push_;
};

struct RunContext {
  const ServiceParts* parts = nullptr;
  ports::Journal* journal = nullptr;
  core::Plan plan;                // of a new rollout
  std::vector<core::Entry> past;  // not empty: a rollout to take over, all that is journaled of it
  RecentPreflights preflights;    // may be empty
  std::string actor;
  GuardParts guard;
  Wishes* wishes = nullptr;  // may be null
  // Called for each entry of a transaction after all of it was applied, for screens; must not
  // block.
  std::function<void(const core::Entry&, const core::State&)> on_entry;
  // Called before and after each journal write ("before journal step", or "seen" when it holds
  // observations only) and each effect ("after act web@web01"): where the crash tests kill the
  // program. May be empty.
  std::function<void(std::string_view point)> on_point;
  // Looks at an instance that failed and keeps what it sees: begun when its failure is known, ended
  // before its rollback changes anything there. Must end within kKeepEvidenceMs. May be empty.
  std::function<Task<void>(core::Instance)> keep_evidence;
};
inline constexpr DurationMs kKeepEvidenceMs = 5'000;

// The state at the end. Fails with refused when another controller holds the service (nothing was
// done) or took it from us; otherwise only when the journal could not be written or a rule would
// have been broken. Then nothing more is done, but what can go back safely does, and the error says
// what is left out of rotation.
Task<Result<core::State>> run_rollout(RunContext context);

}  // namespace hitless::engine
