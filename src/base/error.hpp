// Error and Result: how a failure that a user can do something about travels through hitless.
//
// An Error says what went wrong, where (a file:line:column, a host, a socket) and what to do next.
// Exceptions are for bugs and for the edges of libraries; they are turned into an Error there.
#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hitless {

enum class ErrorCode {
  invalid,         // the input is wrong; trying again will not help
  not_found,       // what was named does not exist
  refused,         // the other side, or a rule of ours, said no
  timed_out,       // a deadline of ours passed; the outcome is unknown
  transport_lost,  // the connection to a host or load balancer broke; the outcome is unknown
  unavailable,     // it could not be reached at all; nothing was changed by us
  failed,          // it was done and it failed
  storage,         // our own journal or spool could not be read or written
  internal,        // a bug of ours
};

struct Error {
  ErrorCode code = ErrorCode::failed;
  std::string what;   // what went wrong, one line
  std::string where;  // file:line:column, host, socket; may be empty
  std::string help;   // what to do; may be empty
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string what,
                                                std::string where = {}, std::string help = {}) {
  return tl::unexpected<Error>(Error{code, std::move(what), std::move(where), std::move(help)});
}

// "where: what (help)", for one-line messages.
[[nodiscard]] std::string describe(const Error& error);
[[nodiscard]] const char* name_of(ErrorCode code);

}  // namespace hitless
