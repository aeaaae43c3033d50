// Anonymous memory of all processes of a unit, now: what a leak grows, without the page cache.
// Reads only.
#pragma once
#include <cstdint>
#include <string>

#include "ports/host.hpp"

namespace hitless::cli {

// For `sh`: prints the KiB of unit "$1", nothing when it has no process that may be looked at. No
// quotes around it are needed inside of $( ).
extern const std::string kUnitMemoryScript;

// KiB. Fails when the unit does not run or may not be looked at.
Task<Result<std::int64_t>> unit_memory_kib(ports::Host* host, std::string unit);

}  // namespace hitless::cli
