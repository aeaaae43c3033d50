// libFuzzer: any bytes as what AWS, its metadata services and the user's own AWS files say. First
// byte: which of them.
#include <cstddef>
#include <cstdint>
#include <string>

#include "adapters/aws/profile.hpp"
#include "adapters/aws/providers.hpp"
#include "adapters/aws/sigv4.hpp"
#include "adapters/aws/xml.hpp"

using namespace hitless::aws;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto tree = parse_xml(text)) (void)tree->list("TargetHealthDescriptions");
      break;
    case 1:
      (void)parse_ini(text, "config");
      break;
    case 2:
      // Whatever passes may stand in a header.
      if (const auto keys = credentials_from_json(text, "fuzz"))
        if (keys->access_key_id.find_first_of("\r\n ") != std::string::npos ||
            keys->session_token.reveal().find_first_of("\r\n ") != std::string::npos)
          __builtin_trap();
      break;
    case 3:
      (void)split_command(text);
      break;
    case 4:
      (void)check_container_url(text);
      (void)parse_iso_time(text);
      (void)parse_http_date(text);
      break;
    default:
      for (const char c : uri_encode(text))
        if (c <= ' ' || c == '&' || c == '=' || c >= 0x7f) __builtin_trap();
      break;
  }
  return 0;
}
