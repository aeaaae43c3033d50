// What a TLS certificate says of itself. Nothing is verified here: its time and its names are read.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless {

struct CertificateFacts {
  std::string sha256;  // of its DER form
  TimeMs not_before = 0, not_after = 0;
  std::vector<std::string> names;  // DNS names and addresses, else the common name; sorted
};
// The first one in PEM text.
[[nodiscard]] Result<CertificateFacts> read_certificate(std::string_view pem);

}  // namespace hitless
