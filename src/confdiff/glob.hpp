// glob(3) on names, as nginx uses it for "include": '*', '?' and '[…]' never match '/', a leading
// '.' is matched only by a '.', '\' escapes. Linear in pattern × name, so a hostile pattern cannot
// hang.
#pragma once
#include <string>
#include <string_view>

namespace hitless::confdiff {

[[nodiscard]] bool has_glob(std::string_view pattern);  // contains '*', '?' or '['
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view path);
// The part of the pattern before its first special character.
[[nodiscard]] std::string_view glob_literal_prefix(std::string_view pattern);

// "/etc/nginx/../x//y" → "/etc/x/y"; relative paths are joined to folder first.
[[nodiscard]] std::string absolute_path(std::string_view path, std::string_view folder);
[[nodiscard]] std::string folder_of(std::string_view path);  // "/etc/nginx"; "/" for "/x"
[[nodiscard]] std::string base_name(std::string_view path);
// Is path inside folder (or folder itself)?
[[nodiscard]] bool is_under(std::string_view path, std::string_view folder);

}  // namespace hitless::confdiff
