#include "core/transitions.hpp"

#include <algorithm>

namespace hitless::core {
namespace {

using P = PhaseName;

constexpr Transition kTransitions[] = {
    {P::waiting, P::preflight, "the rollout started"},
    {P::waiting, P::skipped, "the plan leaves it alone"},
    {P::preflight, P::skipped, "out of rotation by someone else's hand, or up to date"},
    {P::preflight, P::draining, "all preflights passed, re-checked, its turn, the floor allows it"},
    {P::draining, P::skipped, "someone else took it out before our drain was on its way"},
    {P::draining, P::drained,
     "out on every node, nothing in flight for the quiet window, looked again"},
    {P::drained, P::acting, "at once"},
    {P::acting, P::draining, "the load balancer put it back before anything was started"},
    {P::acting, P::verifying, "reload or restart was carried out, or its outcome is unknown"},
    {P::verifying, P::draining,
     "the act of a controller that is gone never happened: once more from the drain"},
    {P::verifying, P::rejoining, "proven new, stable, healthy, latency within the baseline"},
    {P::rejoining, P::soaking, "in rotation and healthy on every node, live traffic seen"},
    {P::soaking, P::done, "forward: no new errors while it took traffic"},
    {P::soaking, P::rolled_back, "backward: no new errors while it took traffic"},
    {P::draining, P::rolling_back, "drain failed or was aborted"},
    {P::drained, P::rolling_back, "aborted"},
    {P::acting, P::rolling_back, "install, reload or restart failed"},
    {P::verifying, P::rolling_back, "not proven, flapping, down, unhealthy or slow"},
    {P::rejoining, P::rolling_back, "the load balancer does not agree, or sends it nothing"},
    {P::soaking, P::rolling_back, "errors while it took traffic"},
    {P::done, P::rolling_back, "every changed instance is rolled back"},
    {P::rolling_back, P::draining, "it was changed: take it out under the floor first"},
    {P::rolling_back, P::rejoining, "it was taken out but not changed: put it back"},
    {P::rolling_back, P::rolled_back, "nothing of it was changed"},
    {P::rolling_back, P::done, "kept: it could not be taken out under the floor"},
    {P::rolling_back, P::quarantined,
     "it cannot be seen whether it serves, and the floor does not let it leave"},
    {P::draining, P::quarantined, "rollback failed"},
    {P::acting, P::quarantined, "rollback failed"},
    {P::verifying, P::quarantined,
     "rollback failed, or a dependency is down for old and new alike"},
    {P::rejoining, P::quarantined, "rollback failed"},
    {P::soaking, P::quarantined, "rollback failed"},
};

}  // namespace

std::span<const Transition> transitions() {
  return kTransitions;
}

bool may_follow(PhaseName from, PhaseName to) {
  return std::any_of(std::begin(kTransitions), std::end(kTransitions),
                     [&](const Transition& t) { return t.from == from && t.to == to; });
}

}  // namespace hitless::core
