// The journal port on SQLite (WAL, synchronous FULL): `journal.db` in the state folder.
//
// append() returns when the entries are on disk. A crash at any point leaves whole transactions.
// Any failure to write (disk full, I/O error, locked, read-only) fails that append and all later
// ones: the caller must stop acting. The last writer that closes leaves a seal (seal.hpp). Opening
// for writing verifies first and refuses a journal that was tampered with. The head is signed at
// the end of each rollout and at the seal (signed_head.hpp).
//
// Use it from one thread. An append() that is cancelled may or may not have been written: read to
// know.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ports/journal.hpp"

namespace hitless::journal {

enum class Mode {
  read_only,  // history, show, export: sees what others commit, changes nothing
  read_write,
};

class SqliteJournal : public ports::Journal {
 public:
  // Lines for a third party (docs/AUDIT.md), one JSON object each; rollout empty: all.
  [[nodiscard]] virtual Status export_jsonl(std::string rollout,
                                            std::function<Status(std::string_view)> write) = 0;
  // The same as one string, refused when longer than max_bytes: for attachments.
  [[nodiscard]] virtual Result<std::string> export_text(std::string rollout,
                                                        std::size_t max_bytes) = 0;
  // The latest signed head as one line, to be kept where this machine cannot change it.
  [[nodiscard]] virtual Result<std::string> signed_head() = 0;
  // Waits for what is queued and seals when no other process writes. The destructor does it too,
  // but cannot say what went wrong.
  virtual Status close() = 0;
};

// dir is made with mode 0700 when read_write; not_found when there is no journal and read_only.
// key_file: the private key that signs, when it is not to be kept in dir.
[[nodiscard]] Result<std::unique_ptr<SqliteJournal>> open_journal(const std::string& dir, Mode mode,
                                                                  const std::string& key_file = {});

}  // namespace hitless::journal
