// Free TCP ports of 127.0.0.1, outside the range that the kernel gives to outgoing connections: a
// server that is restarted must not find its port taken by a client.
#pragma once
#include <cstdint>
#include <vector>

#include "base/error.hpp"

namespace hitless::demo {

// All different. They are free now; a server that fails to bind later means somebody was faster.
[[nodiscard]] Result<std::vector<std::uint16_t>> free_ports(std::size_t count);

}  // namespace hitless::demo
