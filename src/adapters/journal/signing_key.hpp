// Ed25519 keys (OpenSSL) for the signed head. Keys are read from PEM and written as PEM; a key that
// needs a passphrase is refused, because nobody is there to type it.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

struct evp_pkey_st;

namespace hitless::journal {

class PublicKey {
 public:
  [[nodiscard]] static Result<PublicKey> from_pem(std::string_view pem, const std::string& where);
  [[nodiscard]] std::string pem() const;
  // The first 16 hex digits of the SHA-256 of the raw key: names it in signed heads.
  [[nodiscard]] std::string id() const;
  [[nodiscard]] bool verifies(std::string_view data, std::string_view signature_hex) const;

 private:
  friend class SigningKey;
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

class SigningKey {
 public:
  [[nodiscard]] static Result<SigningKey> generate();
  [[nodiscard]] static Result<SigningKey> from_pem(std::string_view pem, const std::string& where);
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] PublicKey public_key() const { return PublicKey(key_); }
  [[nodiscard]] Result<std::string> sign(std::string_view data) const;  // hex

 private:
  explicit SigningKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace hitless::journal
