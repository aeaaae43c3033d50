// Placeholders where ADDRESS:PORT is meant: an IPv6 address gets its brackets there.
#pragma once
#include "fleet/fleet.hpp"

namespace hitless::fleet {

// `{address}:…` as [::1]:…; an {address} that stands alone stays as it is.
[[nodiscard]] std::string expand_endpoint(const std::string& text, Placeholders values);

}  // namespace hitless::fleet
