// The seal beside a journal that was closed cleanly: what the file looked like, to the last byte.
//
// SQLite leaves bytes in a file that no row depends on; a change there shows nowhere else. The seal
// is removed (durably) before the first write of a session and written (atomically) after the last
// writer closed. So a seal that is there must fit. After a crash there is none, and the rows speak
// alone. It is not signed: who can write here can make a new one; against that stands the signed
// head (signed_head.hpp).
//
// The head file is a note of the last commit, not synced: after the death of a process (not of the
// machine) it shows whether the end of the write-ahead log was cut off.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::journal {

struct Head {
  std::int64_t seq = 0;
  std::string hash;
};

struct FileDigest {
  std::int64_t size = 0;
  std::string sha256;  // of the whole file
  std::int64_t block_bytes = 0;
  std::vector<std::string> blocks;  // of each block, to tell where a change is
};

struct Seal {
  Head head;
  FileDigest file;
};

[[nodiscard]] std::string block_digest(std::string_view block);
// Reads through SQLite's own file layer: opening and closing the file otherwise would drop the
// locks that this process holds on it (POSIX locks belong to the process).
[[nodiscard]] Result<FileDigest> digest_database_file(const std::string& db_path);
// As the difference to what is in the file now, which is read only up to the first one.
[[nodiscard]] Result<std::string> first_difference(const std::string& db_path,
                                                   const FileDigest& sealed);

[[nodiscard]] std::string seal_path(const std::string& db_path);
[[nodiscard]] std::string seal_to_text(const Seal& seal);
[[nodiscard]] Result<Seal> seal_from_text(const std::string& text);
// nullopt: there is none.
[[nodiscard]] Result<std::optional<std::string>> read_seal_text(const std::string& db_path);
// "the file is 4096 bytes shorter", "bytes 8192 to 12287 were changed"; empty when they are the
// same.
[[nodiscard]] std::string difference(const FileDigest& sealed, const FileDigest& found);

[[nodiscard]] std::string head_path(const std::string& db_path);
[[nodiscard]] std::string head_to_text(const Head& head);
// nullopt: none, or not readable as one (it may be torn after a power failure).
[[nodiscard]] std::optional<Head> read_head_note(const std::string& db_path);

}  // namespace hitless::journal
