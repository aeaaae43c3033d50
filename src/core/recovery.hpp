// Taking a rollout over from a controller that is gone (killed, paused past its lease, cut off).
//
// The journal explains what was wanted; it does not say what became of it. So nothing that was seen
// or reported before counts any more: every reading is void, every pending effect may or may not
// have happened, every stretch of time that had to pass under observation begins anew. What may
// have been changed stays marked as changed. The old controller's epoch is fenced off on the hosts
// and its operations have ended before this event is recorded.
// A crash in the middle of a takeover is one more takeover.
#pragma once
#include "core/state.hpp"

namespace hitless::core {

void take_over(State& state, const ControllerTookOver& event, TimeMs at);

// What may still be folded in of `came` by a controller that was stopped for long (SIGSTOP, a
// suspended machine): what it saw before, and what it had asked for, is void. One reading that
// knows nothing stands for all; nobody leaves and nothing is done before somebody has looked again.
[[nodiscard]] std::vector<Event> after_sleep(const State& state, std::vector<Event> came);
// What an effect that only looks has answered, when its controller slept meanwhile: unknown. Others
// keep their outcome.
void slept_through(EffectKind kind, Outcome& outcome);

}  // namespace hitless::core
