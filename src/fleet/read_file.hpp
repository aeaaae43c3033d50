// Reads a regular file whole, never more than max_bytes of it: a FIFO, a device or a file that
// grows while it is read cannot hold us up or fill the memory.
#pragma once
#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace hitless::fleet {

[[nodiscard]] Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes);
// "20 KiB", "10.0 MiB"
[[nodiscard]] std::string show_size(std::size_t bytes);

}  // namespace hitless::fleet
