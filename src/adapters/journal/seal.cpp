#include "adapters/journal/seal.hpp"

#include <openssl/evp.h>
#include <sqlite3.h>

#include <charconv>
#include <memory>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr std::size_t max_seal_bytes = 4u << 20;
constexpr std::int64_t min_block_bytes = 4096;
constexpr std::int64_t max_blocks = 4096;
constexpr std::string_view title = "hitless-seal 1";

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::int64_t block_bytes_for(std::int64_t size) {
  std::int64_t block = min_block_bytes;
  while (size / block >= max_blocks) block *= 2;
  return block;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(std::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

struct CloseDb {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};

// The file of a database, through SQLite's own file layer (see the header).
class OpenFile {
 public:
  static Result<OpenFile> open(const std::string& db_path) {
    sqlite3* raw = nullptr;
    sqlite3_open_v2(db_path.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
    OpenFile opened(raw, db_path);
    sqlite3_file_control(raw, "main", SQLITE_FCNTL_FILE_POINTER, &opened.file_);
    sqlite3_int64 size = 0;
    if (opened.file_ == nullptr || opened.file_->pMethods == nullptr ||
        opened.file_->pMethods->xFileSize(opened.file_, &size) != SQLITE_OK) {
      return tl::unexpected(storage_error("cannot be read", db_path, errno));
    }
    opened.size_ = static_cast<std::int64_t>(size);
    return opened;
  }
  std::int64_t size() const { return size_; }

  // Until visit says no.
  template <class Visit>
  Status each_block(std::int64_t block_bytes, Visit visit) {
    std::string block;
    for (std::int64_t at = 0; at < size_; at += block_bytes) {
      block.resize(static_cast<std::size_t>(std::min(block_bytes, size_ - at)));
      if (file_->pMethods->xRead(file_, block.data(), static_cast<int>(block.size()), at) !=
          SQLITE_OK) {
        return fail(ErrorCode::storage, fmt::format("cannot be read at byte {}", at), path_);
      }
      if (!visit(std::string_view(block))) return {};
    }
    return {};
  }

 private:
  OpenFile(sqlite3* raw, std::string path) : db_(raw), path_(std::move(path)) {}
  std::unique_ptr<sqlite3, CloseDb> db_;
  std::string path_;
  sqlite3_file* file_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace

std::string block_digest(std::string_view block) {
  return sha256_hex(block).substr(0, 16);
}

Result<FileDigest> digest_database_file(const std::string& db_path) {
  auto opened = OpenFile::open(db_path);
  if (!opened) return tl::unexpected(opened.error());
  FileDigest digest;
  digest.size = opened->size();
  digest.block_bytes = block_bytes_for(digest.size);
  Sha256 whole;
  const auto read = opened->each_block(digest.block_bytes, [&](std::string_view block) {
    whole.add(block);
    digest.blocks.push_back(block_digest(block));
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  digest.sha256 = whole.hex();
  return digest;
}

Result<std::string> first_difference(const std::string& db_path, const FileDigest& sealed) {
  auto opened = OpenFile::open(db_path);
  if (!opened) return tl::unexpected(opened.error());
  FileDigest found{opened->size(), {}, sealed.block_bytes, {}};
  if (found.size != sealed.size || sealed.block_bytes < min_block_bytes) {
    return difference(sealed, found);
  }
  bool same = true;
  const auto read = opened->each_block(sealed.block_bytes, [&](std::string_view block) {
    const std::size_t at = found.blocks.size();
    found.blocks.push_back(block_digest(block));
    same = at < sealed.blocks.size() && sealed.blocks[at] == found.blocks[at];
    return same;
  });
  if (!read) return tl::unexpected(read.error());
  if (!same) return difference(sealed, found);
  // The digests of the blocks are short; that of the whole decides.
  auto whole = digest_database_file(db_path);
  if (!whole) return tl::unexpected(whole.error());
  return difference(sealed, *whole);
}

std::string seal_path(const std::string& db_path) {
  return db_path + ".seal";
}
std::string head_path(const std::string& db_path) {
  return db_path + ".head";
}

std::string seal_to_text(const Seal& seal) {
  std::string text = fmt::format("{}\nhead {} {}\nfile {} {}\nblocks {} {}\n", title, seal.head.seq,
                                 seal.head.hash, seal.file.size, seal.file.sha256,
                                 seal.file.block_bytes, seal.file.blocks.size());
  for (const auto& block : seal.file.blocks) text += block + "\n";
  return text + "end " + sha256_hex(text) + "\n";
}

Result<Seal> seal_from_text(const std::string& text) {
  const auto damaged = [] { return fail(ErrorCode::storage, "the seal itself is damaged"); };
  const auto lines = split(text, '\n');
  if (lines.size() < 6 || lines[0] != title) return damaged();
  const auto head = split(lines[1], ' ');
  const auto file = split(lines[2], ' ');
  const auto blocks = split(lines[3], ' ');
  if (head.size() != 3 || file.size() != 3 || blocks.size() != 3) return damaged();
  const auto seq = to_number(head[1]);
  const auto size = to_number(file[1]);
  const auto block_bytes = to_number(blocks[1]);
  const auto count = to_number(blocks[2]);
  if (!seq || !size || !block_bytes || !count) return damaged();
  if (lines.size() != static_cast<std::size_t>(*count) + 6) return damaged();
  Seal seal{{*seq, head[2]}, {*size, file[2], *block_bytes, {}}};
  seal.file.blocks.assign(lines.begin() + 4, lines.end() - 2);
  if (seal_to_text(seal) != text) return damaged();  // every byte counts
  return seal;
}

Result<std::optional<std::string>> read_seal_text(const std::string& db_path) {
  return read_if_there(seal_path(db_path), max_seal_bytes);
}

std::string difference(const FileDigest& sealed, const FileDigest& found) {
  if (found.size != sealed.size) {
    return fmt::format("the file has {} bytes instead of the sealed {}", found.size, sealed.size);
  }
  if (found.sha256 == sealed.sha256) return {};
  for (std::size_t i = 0; i < std::min(sealed.blocks.size(), found.blocks.size()); ++i) {
    if (sealed.blocks[i] == found.blocks[i]) continue;
    const auto from = static_cast<std::int64_t>(i) * sealed.block_bytes;
    return fmt::format("the file was changed after it was sealed, first within bytes {} to {}",
                       from, std::min(from + sealed.block_bytes, sealed.size) - 1);
  }
  return "the file was changed after it was sealed";
}

std::string head_to_text(const Head& head) {
  return fmt::format("{:020} {}\n", head.seq, head.hash);
}

std::optional<Head> read_head_note(const std::string& db_path) {
  const auto text = read_if_there(head_path(db_path), 4096);
  if (!text || !text->has_value()) return std::nullopt;
  const auto parts = split(trim(**text), ' ');
  if (parts.size() != 2 || parts[1].size() != 64) return std::nullopt;
  const auto seq = to_number(parts[0]);
  if (!seq) return std::nullopt;
  return Head{*seq, parts[1]};
}

}  // namespace hitless::journal
