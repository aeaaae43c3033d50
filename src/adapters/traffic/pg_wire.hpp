// A client of the PostgreSQL protocol, as small as PgBouncer's console needs it: log in (trust,
// peer, md5, SCRAM-SHA-256; a plain password over UNIX sockets alone), ask with the simple query
// protocol, read rows as text. No TLS: over a network, reach the socket through ssh (`host:`).
//
// One query at a time. Every call has one deadline for all of it, and there are caps on what is
// read. A call that fails for another reason than the server's own ERROR leaves the connection
// closed; whether the query was carried out is then unknown.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/traffic/haproxy_socket.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace hitless::traffic {

struct PgLogin {
  SocketAddress address;
  std::string user, database, password;
};

struct PgRows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // NULL is empty
  std::string tag;                             // "PAUSE"
  // Of a row, by the column's name; empty when there is none.
  [[nodiscard]] std::string get(std::size_t row, std::string_view column) const;
};

class PgConnection {
 public:
  static Task<Result<std::unique_ptr<PgConnection>>> open(PgLogin login, DurationMs deadline_ms);
  ~PgConnection();

  // ErrorCode::refused with the server's text for an ERROR; the connection lives on.
  Task<Result<PgRows>> query(std::string sql, DurationMs deadline_ms);
  [[nodiscard]] bool usable() const;
  // Differs for each connection.
  [[nodiscard]] const std::string& id() const;

 private:
  struct Impl;
  explicit PgConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hitless::traffic
