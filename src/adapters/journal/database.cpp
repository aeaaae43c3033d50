#include "adapters/journal/database.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr int busy_timeout_ms = 5000;
constexpr off_t kHeaderBytes = 100;  // of an SQLite database
constexpr int max_value_bytes = 32 << 20;
constexpr std::string_view corrupt_help =
    "the file was altered or the disk is bad: keep a copy as evidence, run `hitless audit verify`";

std::string help_for(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "free disk space, then run again";
    case SQLITE_IOERR:
      return "the disk reports errors: see dmesg";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return std::string(corrupt_help);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process kept it locked for 5s: see who with `fuser`, then run again";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "check owner and mode of the state folder, and that it is mounted read-write";
    default:
      return "";
  }
}

Error make_error(sqlite3* db, int code, std::string_view doing, const std::string& path) {
  const char* message = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  return Error{ErrorCode::storage,
               fmt::format("journal: {}: {}", doing, escape_for_terminal(message)), path,
               help_for(code)};
}

// The path as a URI, so that `immutable` can be asked for. Everything unusual is percent-encoded.
std::string uri_of(const std::string& path, Access access) {
  std::string uri = "file:";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == '.' || c == '-' || c == '_';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  if (access == Access::immutable) uri += "?immutable=1";
  return uri;
}

}  // namespace

bool is_corruption(const Error& error) {
  return error.help == corrupt_help;
}

// ---- Statement ----------------------------------------------------------------------------------
Statement::Statement(sqlite3* db, sqlite3_stmt* statement, std::string path)
    : db_(db), statement_(statement), path_(std::move(path)) {}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  // A null data pointer would bind NULL.
  const char* data = value.data() != nullptr ? value.data() : "";
  sqlite3_bind_text64(statement_.get(), index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return tl::unexpected(make_error(db_, code, "statement failed", path_));
}

Status Statement::run() {
  for (auto row = step();; row = step()) {
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
  }
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  return {};
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* data = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

// ---- Database -----------------------------------------------------------------------------------
void Database::Close::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

Status can_be_seen(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return fail(ErrorCode::storage,
              std::string("the journal cannot be reached: ") + std::strerror(errno), path,
              "run it as the user whose journal that is, or name another folder: --state-dir");
}

Result<Database> Database::open(const std::string& path, Access access) {
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= access == Access::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
           : access == Access::read ? SQLITE_OPEN_READWRITE  // a WAL reader writes the -shm file
                                    : SQLITE_OPEN_READONLY;
  // Not SQLITE_OPEN_NOFOLLOW: it refuses links in any part of the path, and /home may be one.
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return fail(ErrorCode::storage, "journal: is not a regular file", path);
  }
  // SQLite takes a write-ahead log beside an empty database for a leftover, and removes it.
  if (info.st_size < kHeaderBytes && size_of(path + "-wal") > 0) {
    return tl::unexpected(
        make_error(nullptr, SQLITE_CORRUPT, "is cut off before its write-ahead log", path));
  }
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(uri_of(path, access).c_str(), &raw, flags, nullptr);
  Database db(raw, path);
  if (code != SQLITE_OK) return tl::unexpected(make_error(raw, code, "cannot be opened", path));
  sqlite3_busy_timeout(raw, busy_timeout_ms);
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, max_value_bytes);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  std::string setup = "PRAGMA cell_size_check=ON;";
  if (access == Access::read_write) {
    setup += "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;";
  } else {
    setup += "PRAGMA query_only=ON;";
    // What a killed writer left is evidence: whoever only looks takes nothing over from it.
    db.keep_wal();
  }
  if (auto ok = db.exec(setup); !ok) return tl::unexpected(ok.error());
  return db;
}

Error Database::error(int code, std::string_view doing) const {
  return make_error(db_.get(), code, doing, path_);
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error(code, "cannot be read"));
  return Statement(db_.get(), raw, path_);
}

Status Database::exec(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error(code, "statement failed"));
  return {};
}

Result<bool> Database::checkpoint() {
  int left = 0;
  int moved = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, &left, &moved);
  if (code == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) return tl::unexpected(error(code, "checkpoint failed"));
  return true;
}

void Database::keep_wal() {
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace hitless::journal
