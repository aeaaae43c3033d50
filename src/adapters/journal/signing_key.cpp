#include "adapters/journal/signing_key.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

#include "base/digest.hpp"

namespace hitless::journal {
namespace {

constexpr std::size_t raw_key_bytes = 32;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t id_digits = 16;

using Key = std::shared_ptr<EVP_PKEY>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string to_hex(const unsigned char* data, std::size_t size) {
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) hex += fmt::format("{:02x}", data[i]);
  return hex;
}

int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Result<Key> ed25519_only(EVP_PKEY* raw, const std::string& where, std::string_view what) {
  const Key key(raw, EVP_PKEY_free);
  if (raw != nullptr && EVP_PKEY_get_id(raw) == EVP_PKEY_ED25519) return key;
  return fail(
      ErrorCode::invalid, fmt::format("is not an Ed25519 {} key in PEM", what), where,
      "make one with `openssl genpkey -algorithm ed25519`, without a passphrase; its public "
      "part with `openssl pkey -pubout`");
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem, const std::string& where) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  auto key = ed25519_only(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr), where,
                          "public");
  if (!key) return tl::unexpected(key.error());
  return PublicKey(std::move(*key));
}

std::string PublicKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PUBKEY(bio.get(), key_.get());
  return text_of(bio.get());
}

std::string PublicKey::id() const {
  std::array<unsigned char, raw_key_bytes> raw{};
  std::size_t size = raw.size();
  EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size);
  return sha256_hex({reinterpret_cast<const char*>(raw.data()), raw.size()}).substr(0, id_digits);
}

bool PublicKey::verifies(std::string_view data, std::string_view signature_hex) const {
  if (signature_hex.size() != 2 * signature_bytes) return false;
  std::array<unsigned char, signature_bytes> signature{};
  for (std::size_t i = 0; i < signature.size(); ++i) {
    const int high = digit(signature_hex[2 * i]);
    const int low = digit(signature_hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    signature[i] = static_cast<unsigned char>(high * 16 + low);
  }
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes_of(data),
                          data.size()) == 1;
}

Result<SigningKey> SigningKey::generate() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  if (key == nullptr) return fail(ErrorCode::internal, "OpenSSL cannot make an Ed25519 key");
  return SigningKey(key);
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, const std::string& where) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  auto key = ed25519_only(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr),
                          where, "private");
  if (!key) return tl::unexpected(key.error());
  return SigningKey(std::move(*key));
}

std::string SigningKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio.get());
}

Result<std::string> SigningKey::sign(std::string_view data) const {
  std::array<unsigned char, signature_bytes> signature{};
  std::size_t size = signature.size();
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, bytes_of(data), data.size()) != 1) {
    return fail(ErrorCode::internal, "OpenSSL cannot sign with the Ed25519 key");
  }
  return to_hex(signature.data(), size);
}

}  // namespace hitless::journal
