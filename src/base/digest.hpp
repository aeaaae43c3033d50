// Hashes and encodings (OpenSSL). Hex is lower case.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace hitless {

[[nodiscard]] std::string sha256_hex(std::string_view data);
[[nodiscard]] std::string hmac_sha256_base64(std::string_view key, std::string_view data);
[[nodiscard]] std::string base64(std::string_view data);
// nullopt: not base64 (with its padding, without line breaks).
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);
// n random bytes from the system, as hex (2n characters).
[[nodiscard]] std::string random_hex(int n);

}  // namespace hitless
