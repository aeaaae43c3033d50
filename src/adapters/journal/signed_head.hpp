// The signed head: "the journal that begins with this entry has this entry as number N", under an
// Ed25519 key. A journal whose entries were changed and chained anew fits itself, but no head that
// was signed before.
//
// `journal.db.signed` holds the latest one as one line; the same line kept on another machine tells
// a cut, a fork and a new chain from the real journal, whatever happened to this folder. The key
// pair (`journal.key`, `journal.pub`) is made with the first journal, or the private key is given
// by path and kept elsewhere.
//
// What is signed was committed before; so the signed head is never ahead of the journal. A crash
// leaves the one before (write, fsync, rename). Files of a new key come in the order key, signed
// head, public key: a public key without a signed head means that the signed head was removed. When
// the last of them could not be written, the next writer writes it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/journal/seal.hpp"
#include "adapters/journal/signing_key.hpp"

namespace hitless::journal {

struct SignedHead {
  std::string journal;  // the first digits of the hash of entry 1; zeros before there is one
  Head head;
  std::int64_t at_ms = 0;
  std::string key;        // PublicKey::id()
  std::string signature;  // hex
};

inline constexpr std::size_t journal_id_digits = 16;

[[nodiscard]] std::string signed_path(const std::string& db_path);
[[nodiscard]] std::string private_key_path(const std::string& dir);
[[nodiscard]] std::string public_key_path(const std::string& dir);

// hitless-head 1 JOURNAL SEQ HASH AT_MS KEY SIGNATURE
[[nodiscard]] std::string to_line(const SignedHead& head);
[[nodiscard]] Result<SignedHead> signed_head_from_line(std::string_view line);
// One head per line; empty lines and lines that begin with # do not count. At least one.
[[nodiscard]] Result<std::vector<SignedHead>> signed_heads_from_text(std::string_view text);
[[nodiscard]] bool is_signed_by(const SignedHead& head, const PublicKey& key);

// nullopt: there is no such file.
[[nodiscard]] Result<std::optional<SignedHead>> read_signed_head(const std::string& db_path);
[[nodiscard]] Result<std::optional<PublicKey>> read_public_key(const std::string& path);
// journal.pub; while it is not written yet, from journal.key. nullopt: no key is there.
[[nodiscard]] Result<std::optional<PublicKey>> own_public_key(const std::string& dir);
// The line of the latest signed head of the journal in dir, checked against journal.pub: for
// notifications and other places that this machine cannot change.
[[nodiscard]] Result<std::string> signed_head_line(const std::string& dir);

// Of the writers: several processes may sign one journal; none replaces a head by an older one.
class HeadSigner {
 public:
  // key_file empty: journal.key in dir, made when there is none. The head is that of now.
  [[nodiscard]] static Result<HeadSigner> open(const std::string& dir, const std::string& key_file,
                                               const std::string& journal, const Head& head);
  // A crash between the first signed head and its public key is mended; anything else is left for
  // verify() to tell.
  [[nodiscard]] static Status finish_creation(const std::string& dir, const std::string& key_file);
  [[nodiscard]] Status sign(const std::string& journal, const Head& head);
  [[nodiscard]] std::int64_t signed_seq() const { return signed_seq_; }

 private:
  HeadSigner(std::string db_path, SigningKey key)
      : db_path_(std::move(db_path)), key_(std::move(key)) {}
  std::string db_path_;
  SigningKey key_;
  std::int64_t signed_seq_ = -1;
};

}  // namespace hitless::journal
