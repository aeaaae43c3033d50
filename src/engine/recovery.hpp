// What surrounds a takeover and a loss: waiting for the operations of a controller that is gone,
// and putting back what can safely go back when the journal cannot be written any more.
#pragma once
#include <vector>

#include "core/state.hpp"
#include "engine/guard.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

// The outcomes that can still be learnt of acts whose controller is gone; waits for those that
// still run (zombies). What leaves no trace gives no event: the core observes then.
// Precondition: our epoch was taken on the hosts, so that none of them starts from now on.
Task<std::vector<core::Event>> outcomes_left_behind(const ServiceParts* parts, core::State state);

// Rejoins what may go back without a journal entry; returns who went back.
Task<std::vector<core::InstanceId>> put_back_unjournaled(const ServiceParts* parts, Guard* guard,
                                                         core::State state);

}  // namespace hitless::engine
