// SQLite's C API as values: a connection, a statement, and every failure as an Error with code
// storage.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace hitless::journal {

enum class Access {
  read_write,  // creates the file if need be
  read,        // sees other processes' commits; never changes the database file
  immutable,   // of a file that nobody writes (sealed): no locks, no -wal, no -shm
};

// One prepared statement. bind() counts from 1, column_* from 0.
class Statement {
 public:
  Statement(sqlite3* db, sqlite3_stmt* statement, std::string path);
  Statement(Statement&&) = default;
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view value);
  [[nodiscard]] Result<bool> step();  // true: a row is there
  [[nodiscard]] Status run();         // to its end, and ready to be bound anew
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
};

class Database {
 public:
  [[nodiscard]] static Result<Database> open(const std::string& path, Access access);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  [[nodiscard]] Status exec(const std::string& sql);
  // Moves everything from the WAL into the file and empties the WAL; false: somebody still reads
  // it.
  [[nodiscard]] Result<bool> checkpoint();
  // Closes without touching the files when keep_wal, as evidence must not be altered by looking at
  // it.
  void keep_wal();
  [[nodiscard]] Error error(int code, std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Database(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}
  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
};

// True when the Error of a Database means that the file's content is wrong, not that it cannot be
// had.
[[nodiscard]] bool is_corruption(const Error& error);
// Fails where nobody lets us know whether the file is there: that is not "none yet".
[[nodiscard]] Status can_be_seen(const std::string& path);

}  // namespace hitless::journal
