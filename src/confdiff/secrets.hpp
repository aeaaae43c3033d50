// Which names carry a secret as their value. A Change never holds the value of one.
#pragma once
#include <string>
#include <string_view>

namespace hitless::confdiff {

// DB_PASSWORD, api-token, Authorization, Cookie … Names of files are not secrets
// (ssl_password_file, DB_PASSWORD_FILE, ssl_certificate_key), nor are cookie settings that only
// name one.
[[nodiscard]] bool is_secret_name(std::string_view name);

// value as it may be shown for a setting of this name: "[redacted]", or what base's redact()
// leaves.
[[nodiscard]] std::string shown_value(std::string_view name, std::string_view value);

}  // namespace hitless::confdiff
