// The names of the fleet file as `ask` knows them: services with their kind and unit as other
// names, hosts, inventory groups and zones. Pure.
#pragma once
#include "agent/ask.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

[[nodiscard]] agent::KnownFleet known_fleet(const fleet::Fleet& fleet);

}  // namespace hitless::cli
