#include "adapters/traffic/pg_auth.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr std::size_t sha256_bytes = 32;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string digest(const EVP_MD* kind, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), out.data(), &size, kind, nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string md5_hex(std::string_view data) {
  std::string hex;
  for (const char c : digest(EVP_md5(), data))
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

std::string hmac(std::string_view key, std::string_view data) {
  std::array<unsigned char, sha256_bytes> out{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(data), data.size(), out.data(),
       &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string from_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes(text),
                                   static_cast<int>(text.size()));
  if (size < 0 || text.size() % 4 != 0) return {};
  std::size_t used = static_cast<std::size_t>(size);
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && used > 0; --i) --used;
  out.resize(used);
  return out;
}

// The value of "x=…" in "a=…,b=…"; empty when it is not there.
std::string_view attribute(std::string_view message, char name) {
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t end = std::min(message.find(',', at), message.size());
    const std::string_view part = message.substr(at, end - at);
    if (part.size() >= 2 && part[0] == name && part[1] == '=') return part.substr(2);
    at = end + 1;
  }
  return {};
}

}  // namespace

std::string md5_answer(std::string_view user, std::string_view password, std::string_view salt) {
  const std::string inner = md5_hex(std::string(password) + std::string(user));
  return "md5" + md5_hex(inner + std::string(salt));
}

Scram::Scram(std::string password, std::string nonce)
    : password_(std::move(password)), nonce_(std::move(nonce)) {}

// The user name is left out: the server has it from the start of the connection.
std::string Scram::first() const {
  return "n,,n=,r=" + nonce_;
}

Result<std::string> Scram::last(std::string_view server_first) {
  const std::string_view nonce = attribute(server_first, 'r');
  const std::string salt = from_base64(attribute(server_first, 's'));
  const std::string_view count = attribute(server_first, 'i');
  int rounds = 0;
  const auto [end, ec] = std::from_chars(count.data(), count.data() + count.size(), rounds);
  const bool whole = ec == std::errc{} && end == count.data() + count.size();
  if (!nonce.starts_with(nonce_) || nonce.size() <= nonce_.size() || salt.empty() || !whole ||
      rounds < 1 || rounds > max_scram_rounds) {
    return fail(ErrorCode::failed, "not a proper SCRAM challenge");
  }
  std::array<unsigned char, sha256_bytes> salted{};
  if (PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()), bytes(salt),
                        static_cast<int>(salt.size()), rounds, EVP_sha256(), sha256_bytes,
                        salted.data()) != 1) {
    return fail(ErrorCode::internal, "PBKDF2 failed");
  }
  const std::string key(reinterpret_cast<const char*>(salted.data()), salted.size());
  const std::string without_proof = "c=biws,r=" + std::string(nonce);
  const std::string signed_text =
      "n=,r=" + nonce_ + "," + std::string(server_first) + "," + without_proof;
  std::string proof = hmac(key, "Client Key");
  const std::string signature = hmac(digest(EVP_sha256(), proof), signed_text);
  for (std::size_t i = 0; i < proof.size() && i < signature.size(); ++i)
    proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  server_signature_ = base64(hmac(hmac(key, "Server Key"), signed_text));
  return without_proof + ",p=" + base64(proof);
}

bool Scram::server_is_right(std::string_view server_last) const {
  const std::string_view given = attribute(server_last, 'v');
  return !server_signature_.empty() && given.size() == server_signature_.size() &&
         CRYPTO_memcmp(given.data(), server_signature_.data(), given.size()) == 0;
}

}  // namespace hitless::traffic
