// The pure part of the run loop: what to journal next, and what may be dispatched once it is
// durable. The engine and the simulator drive the same class.
//
//   observe:  turn = take(what came in)      append turn.events, then journaled()
//   decide:   turn = next()                  append turn.events, then journaled(), then dispatch
//
// Invariants: nothing changes the state but journaled(); effects are handed out only together with
// their intents, to be dispatched after those are durable (I3); a turn that would break a rule is
// handed out empty but for what it would break. A crash loses nothing that the journal does not
// hold: the next controller begins with the fold of it.
#pragma once
#include <optional>
#include <vector>

#include "core/census.hpp"
#include "core/decide.hpp"
#include "core/invariants.hpp"
#include "core/state.hpp"

namespace hitless::core {

struct Turn {
  std::vector<Event> events;    // one transaction; nothing else happens before it is durable
  std::vector<Effect> effects;  // to be dispatched after that
  std::optional<Violation> broken;
  bool at_rest = false;  // next() only: nothing more to decide until something happens; then:
  std::vector<Watch> watches;
  std::optional<TimeMs> wake_at;
};

// Wall-clock time that never steps: the wall clock is read once, at the start, and a monotonic one
// counts from there. A wall clock that is set back must not hold up deadlines, one that is set
// forward must not end them.
class RolloutClock {
 public:
  // `not_before`: the time of the journal's last entry.
  RolloutClock(TimeMs wall, DurationMs monotonic, TimeMs not_before)
      : offset_((wall > not_before ? wall : not_before) - monotonic) {}
  RolloutClock() = default;
  [[nodiscard]] TimeMs at(DurationMs monotonic) const { return offset_ + monotonic; }

 private:
  TimeMs offset_ = 0;
};

class Controller {
 public:
  Controller() = default;
  explicit Controller(State state) : state_(std::move(state)), census_(state_) {}

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const Census& census() const { return census_; }
  [[nodiscard]] Turn take(std::vector<Event> came_in, TimeMs now) const;
  [[nodiscard]] Turn next(TimeMs now) const;
  // These events are durable. What is broken after them is a bug that the caller must stop for.
  std::optional<Violation> journaled(const Event& event, TimeMs at);

  // The engine's way to the same: decided() is next() before its rules were asked, and fold() asks
  // them for each event just before it is applied, so that no copy of the state is needed. What is
  // folded becomes durable in one transaction later, before anything is dispatched; a state that is
  // ahead of a journal that cannot be written, or broke a rule, is thrown away for the journal's.
  [[nodiscard]] Turn decided(TimeMs now) const;
  std::optional<Violation> fold(const Event& event, TimeMs at);

 private:
  State state_;
  Census census_;  // of state_
};

// Who may be put back into rotation when nothing can be journaled any more: only what we took out
// and did not change, or changed and have proven. Going back can do no harm then, staying out does.
[[nodiscard]] std::vector<InstanceId> safe_to_put_back(const State& state);

}  // namespace hitless::core
