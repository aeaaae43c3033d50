#include "adapters/aws/sigv4.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr const char* kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(const Secret& key, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const std::string& k = key.reveal();  // never empty: it starts with AWS4 or is a digest
  if (HMAC(EVP_sha256(), k.data(), static_cast<int>(k.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(),
           &size) == nullptr)
    throw std::runtime_error("OpenSSL cannot do HMAC-SHA-256");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string hex(std::string_view data) {
  std::string out;
  for (const char c : data) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// Outer blanks gone, runs of inner ones as one.
std::string trim_all(std::string_view text) {
  std::string out;
  for (const char c : trim(text))
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// By name; a repeated header is one with its values in order.
std::map<std::string, std::string> sorted_headers(const Signable& request) {
  std::map<std::string, std::string> all;
  for (const auto& [name, value] : request.headers) {
    const auto [at, is_new] = all.emplace(lower(name), trim_all(value));
    if (!is_new) at->second += "," + trim_all(value);
  }
  return all;
}

std::string scope_text(const SigningScope& scope, TimeMs at) {
  return amz_date(at).substr(0, 8) + "/" + scope.region + "/" + scope.service + "/aws4_request";
}

std::string signature(const Secret& secret_key, const SigningScope& scope, TimeMs at,
                      const std::string& to_sign) {
  Secret key("AWS4" + secret_key.reveal());
  for (const std::string& part :
       {amz_date(at).substr(0, 8), scope.region, scope.service, std::string("aws4_request")})
    key = Secret(hmac(key, part));
  return hex(hmac(key, to_sign));
}

}  // namespace

std::string uri_encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain || (keep_slash && c == '/')) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string amz_date(TimeMs at) {
  std::string text = format_timestamp(at).substr(0, 19) + "Z";
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string signed_header_names(const Signable& request) {
  std::string names;
  for (const auto& [name, value] : sorted_headers(request))
    names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string canonical_request(const Signable& request) {
  Pairs query;
  for (const auto& [name, value] : request.query)
    query.emplace_back(uri_encode(name), uri_encode(value));
  std::sort(query.begin(), query.end());
  std::string text = request.method + "\n" + uri_encode(request.path, true) + "\n";
  for (std::size_t i = 0; i < query.size(); ++i)
    text += (i == 0 ? "" : "&") + query[i].first + "=" + query[i].second;
  text += "\n";
  for (const auto& [name, value] : sorted_headers(request)) text += name + ":" + value + "\n";
  return text + "\n" + signed_header_names(request) + "\n" + sha256_hex(request.body);
}

std::string string_to_sign(const std::string& canonical, const SigningScope& scope, TimeMs at) {
  return std::string(kAlgorithm) + "\n" + amz_date(at) + "\n" + scope_text(scope, at) + "\n" +
         sha256_hex(canonical);
}

std::vector<std::string> sign(Signable request, const Credentials& keys, const SigningScope& scope,
                              TimeMs at) {
  request.headers.emplace_back("Host", request.host);
  request.headers.emplace_back("X-Amz-Date", amz_date(at));
  if (!keys.session_token.empty())
    request.headers.emplace_back("X-Amz-Security-Token", keys.session_token.reveal());
  const std::string to_sign = string_to_sign(canonical_request(request), scope, at);
  std::vector<std::string> lines;
  for (const auto& [name, value] : request.headers) lines.push_back(name + ": " + value);
  lines.push_back(fmt::format("Authorization: {} Credential={}/{}, SignedHeaders={}, Signature={}",
                              kAlgorithm, keys.access_key_id, scope_text(scope, at),
                              signed_header_names(request),
                              signature(keys.secret_key, scope, at, to_sign)));
  return lines;
}

}  // namespace hitless::aws
