// Small durable files: written whole or not at all. Names are ours, never from outside.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless {

// Makes dir (and its parents) with mode 0700. Refuses one that others may write to.
[[nodiscard]] Status make_private_dir(const std::string& dir);
// Temporary file, fsync, rename, fsync of the folder. Mode 0600.
[[nodiscard]] Status write_durably(const std::string& path, std::string_view content);
// unlink and fsync of the folder; fine when it is not there.
[[nodiscard]] Status remove_durably(const std::string& path);
// nullopt: there is no such file. Symbolic links are not followed.
[[nodiscard]] Result<std::optional<std::string>> read_if_there(const std::string& path,
                                                               std::size_t max_bytes);
// -1: there is no such file.
[[nodiscard]] std::int64_t size_of(const std::string& path);

// errno as an Error about path.
[[nodiscard]] Error storage_error(std::string_view doing, const std::string& path,
                                  int error_number);

}  // namespace hitless
