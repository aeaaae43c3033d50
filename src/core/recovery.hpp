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

}  // namespace hitless::core
