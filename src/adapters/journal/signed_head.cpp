#include "adapters/journal/signed_head.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <charconv>
#include <chrono>
#include <thread>

#include "adapters/journal/schema.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "runtime/child.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr std::string_view title = "hitless-head 1";
constexpr std::size_t max_line_bytes = 1024;
constexpr std::size_t max_key_bytes = 16 << 10;
constexpr std::size_t max_heads = 10'000;
constexpr int lock_attempts = 1000;
constexpr std::chrono::milliseconds lock_pause_ms{10};

std::string signed_part(const SignedHead& head) {
  return fmt::format("{} {} {} {} {} {}", title, head.journal, head.head.seq, head.head.hash,
                     head.at_ms, head.key);
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// One process at a time makes keys and signs; the kernel drops the lock of one that died.
Result<Fd> lock_signing(const std::string& db_path) {
  const std::string path = db_path + ".signing";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return tl::unexpected(storage_error("cannot be opened", path, errno));
  for (int i = 0; i < lock_attempts; ++i) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    std::this_thread::sleep_for(lock_pause_ms);
  }
  return tl::unexpected(storage_error("cannot be locked", path, errno));
}

Result<std::optional<SigningKey>> read_signing_key(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ErrorCode::storage, "the private key can be reached by others", path,
                "make it yours alone: chmod 600, and make a new one if they may have read it");
  }
  const auto text = read_if_there(path, max_key_bytes);
  if (!text) return tl::unexpected(text.error());
  if (!text->has_value()) return std::optional<SigningKey>();
  auto key = SigningKey::from_pem(**text, path);
  if (!key) return tl::unexpected(key.error());
  return std::optional(std::move(*key));
}

Result<SigningKey> key_for(const std::string& dir, const std::string& key_file, bool has_public) {
  const std::string path = key_file.empty() ? private_key_path(dir) : key_file;
  auto key = read_signing_key(path);
  if (!key) return tl::unexpected(key.error());
  if (key->has_value()) return std::move(**key);
  if (!key_file.empty() || has_public) {
    return fail(ErrorCode::storage, "the private key that signs the journal is not there", path,
                "put it back, or give its path in HITLESS_AUDIT_KEY; to begin with a new key, move "
                "journal.pub and journal.db.signed away");
  }
  auto made = SigningKey::generate();
  if (!made) return made;
  if (auto ok = write_durably(path, made->pem()); !ok) return tl::unexpected(ok.error());
  return made;
}

}  // namespace

std::string signed_path(const std::string& db_path) {
  return db_path + ".signed";
}
std::string private_key_path(const std::string& dir) {
  return dir + "/journal.key";
}
std::string public_key_path(const std::string& dir) {
  return dir + "/journal.pub";
}

std::string to_line(const SignedHead& head) {
  return signed_part(head) + " " + head.signature;
}

Result<SignedHead> signed_head_from_line(std::string_view line) {
  const auto parts = split(line.substr(0, max_line_bytes), ' ');
  if (parts.size() == 8) {
    const auto seq = to_number(parts[3]);
    const auto at = to_number(parts[5]);
    if (seq && at) {
      SignedHead head{parts[2], {*seq, parts[4]}, *at, parts[6], parts[7]};
      if (to_line(head) == line && head.journal.size() == journal_id_digits &&
          head.head.hash.size() == 64) {
        return head;  // every byte counts
      }
    }
  }
  return fail(ErrorCode::invalid, "is not a signed head", {},
              "it is the one line that `hitless audit head` printed");
}

Result<std::vector<SignedHead>> signed_heads_from_text(std::string_view text) {
  std::vector<SignedHead> heads;
  for (const auto& line : split(text, '\n')) {
    const auto trimmed = trim(line);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    auto head = signed_head_from_line(trimmed);
    if (!head) return tl::unexpected(head.error());
    if (heads.size() == max_heads) return fail(ErrorCode::invalid, "has too many signed heads");
    heads.push_back(std::move(*head));
  }
  if (heads.empty()) return fail(ErrorCode::invalid, "holds no signed head");
  return heads;
}

bool is_signed_by(const SignedHead& head, const PublicKey& key) {
  return head.key == key.id() && key.verifies(signed_part(head), head.signature);
}

Result<std::optional<SignedHead>> read_signed_head(const std::string& db_path) {
  const auto text = read_if_there(signed_path(db_path), max_line_bytes);
  if (!text) return tl::unexpected(text.error());
  if (!text->has_value()) return std::optional<SignedHead>();
  const std::string& line = **text;
  if (line.empty() || line.back() != '\n') {
    return fail(ErrorCode::invalid, "the signed head is cut off", signed_path(db_path));
  }
  auto head = signed_head_from_line(std::string_view(line).substr(0, line.size() - 1));
  if (!head) {
    return fail(ErrorCode::invalid, "the signed head is damaged", signed_path(db_path));
  }
  return std::optional(std::move(*head));
}

Result<std::optional<PublicKey>> read_public_key(const std::string& path) {
  const auto text = read_if_there(path, max_key_bytes);
  if (!text) return tl::unexpected(text.error());
  if (!text->has_value()) return std::optional<PublicKey>();
  auto key = PublicKey::from_pem(**text, path);
  if (!key) return tl::unexpected(key.error());
  return std::optional(std::move(*key));
}

Result<std::optional<PublicKey>> own_public_key(const std::string& dir) {
  auto known = read_public_key(public_key_path(dir));
  if (!known || known->has_value() || size_of(signed_path(path_of_db(dir))) < 0) return known;
  const auto key = read_signing_key(private_key_path(dir));
  if (key && key->has_value()) *known = (*key)->public_key();
  return known;
}

Result<std::string> signed_head_line(const std::string& dir) {
  const std::string db_path = path_of_db(dir);
  const auto head = read_signed_head(db_path);
  if (!head) return tl::unexpected(head.error());
  const auto key = own_public_key(dir);
  if (!key) return tl::unexpected(key.error());
  if (!head->has_value() || !key->has_value()) {
    return fail(ErrorCode::not_found, "there is no signed head yet", signed_path(db_path),
                "it is made with the first rollout");
  }
  if (!is_signed_by(**head, **key)) {
    return fail(ErrorCode::storage, "the signed head is not signed by the key in journal.pub",
                signed_path(db_path), "run `hitless audit verify`");
  }
  return to_line(**head);
}

Result<HeadSigner> HeadSigner::open(const std::string& dir, const std::string& key_file,
                                    const std::string& journal, const Head& head) {
  const std::string db_path = path_of_db(dir);
  const auto lock = lock_signing(db_path);
  if (!lock) return tl::unexpected(lock.error());
  const auto known = read_public_key(public_key_path(dir));
  if (!known) return tl::unexpected(known.error());
  auto key = key_for(dir, key_file, known->has_value());
  if (!key) return tl::unexpected(key.error());
  const std::string pem = key->public_key().pem();
  if (known->has_value() && (*known)->pem() != pem) {
    return fail(ErrorCode::storage, "the journal was signed with another key", public_key_path(dir),
                "use that key; to begin with a new one, move journal.pub and journal.db.signed "
                "away and keep them");
  }
  const auto last = read_signed_head(db_path);
  if (!last) return tl::unexpected(last.error());
  HeadSigner signer(db_path, std::move(*key));
  if (last->has_value()) {
    signer.signed_seq_ = (*last)->head.seq;
  } else {
    SignedHead first{journal, head, wall_now_ms(), signer.key_.public_key().id(), {}};
    auto signature = signer.key_.sign(signed_part(first));
    if (!signature) return tl::unexpected(signature.error());
    first.signature = std::move(*signature);
    if (auto ok = write_durably(signed_path(db_path), to_line(first) + "\n"); !ok) {
      return tl::unexpected(ok.error());
    }
    signer.signed_seq_ = head.seq;
  }
  if (known->has_value()) return signer;
  if (auto ok = write_durably(public_key_path(dir), pem); !ok) return tl::unexpected(ok.error());
  return signer;
}

Status HeadSigner::finish_creation(const std::string& dir, const std::string& key_file) {
  const std::string db_path = path_of_db(dir);
  if (size_of(signed_path(db_path)) < 0 || size_of(public_key_path(dir)) >= 0) return {};
  const auto lock = lock_signing(db_path);
  if (!lock) return tl::unexpected(lock.error());
  const auto head = read_signed_head(db_path);
  const auto key = read_signing_key(key_file.empty() ? private_key_path(dir) : key_file);
  if (!head || !head->has_value() || !key || !key->has_value()) return {};
  if (!is_signed_by(**head, (*key)->public_key())) return {};
  return write_durably(public_key_path(dir), (*key)->public_key().pem());
}

Status HeadSigner::sign(const std::string& journal, const Head& head) {
  if (head.seq <= signed_seq_) return {};
  const auto lock = lock_signing(db_path_);
  if (!lock) return tl::unexpected(lock.error());
  const auto last = read_signed_head(db_path_);
  const PublicKey own = key_.public_key();
  if (last && last->has_value() && (*last)->head.seq >= head.seq && is_signed_by(**last, own)) {
    signed_seq_ = (*last)->head.seq;  // another process was faster
    return {};
  }
  SignedHead next{journal, head, wall_now_ms(), own.id(), {}};
  auto signature = key_.sign(signed_part(next));
  if (!signature) return tl::unexpected(signature.error());
  next.signature = std::move(*signature);
  if (auto ok = write_durably(signed_path(db_path_), to_line(next) + "\n"); !ok) return ok;
  signed_seq_ = head.seq;
  return {};
}

}  // namespace hitless::journal
