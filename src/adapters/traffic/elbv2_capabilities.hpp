// What a target group can promise, for the plan: read from its attributes.
#pragma once
#include "adapters/traffic/elbv2_group.hpp"

namespace hitless::elbv2 {

Task<Result<ports::TrafficCapabilities>> find_capabilities(Group* group, const Elbv2Pool* pool);

}  // namespace hitless::elbv2
