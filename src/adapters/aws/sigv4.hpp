// AWS Signature Version 4, header form. Pure functions; signed anew for each try, as the time is
// part of it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "adapters/aws/credentials.hpp"

namespace hitless::aws {

struct SigningScope {
  std::string region, service;  // "eu-west-1", "elasticloadbalancing"
};

struct Signable {
  std::string method = "POST";
  std::string host;                                          // with the port when it is no default
  std::string path = "/";                                    // decoded
  std::vector<std::pair<std::string, std::string>> query;    // decoded
  std::vector<std::pair<std::string, std::string>> headers;  // beside Host and X-Amz-…
  std::string body;
};

// RFC 3986: all but A–Z a–z 0–9 - . _ ~ as %XX.
[[nodiscard]] std::string uri_encode(std::string_view text, bool keep_slash = false);

// "20150830T123600Z"
[[nodiscard]] std::string amz_date(TimeMs at);

// The steps, for tests. `headers` must hold all that is signed, Host included.
[[nodiscard]] std::string canonical_request(const Signable& request);
[[nodiscard]] std::string signed_header_names(const Signable& request);
[[nodiscard]] std::string string_to_sign(const std::string& canonical, const SigningScope& scope,
                                         TimeMs at);

// The headers to send as "Name: value": those given, Host, X-Amz-Date, X-Amz-Security-Token when
// the keys are temporary, and Authorization.
[[nodiscard]] std::vector<std::string> sign(Signable request, const Credentials& keys,
                                            const SigningScope& scope, TimeMs at);

}  // namespace hitless::aws
