// The grammar of names that end up in argv, paths or sockets. Parsed once at the edge; a value that
// passed needs no further care than quoting. None may start with '-' or contain control characters.
#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless {

[[nodiscard]] Status check_host_name(std::string_view name);     // [A-Za-z0-9._-]{1,253}
[[nodiscard]] Status check_host_address(std::string_view text);  // host name, IPv4 or IPv6 literal
[[nodiscard]] Status check_unit_name(
    std::string_view name);  // systemd unit grammar, with a type suffix
[[nodiscard]] Status check_user_name(std::string_view name);  // [a-z_][a-z0-9_-]*[$]?
[[nodiscard]] Status check_identifier(
    std::string_view name);  // services, pools, servers: [A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}
[[nodiscard]] Status check_absolute_path(
    std::string_view path);  // no NUL, no '..' component, not ending in '/'

}  // namespace hitless
