#include "base/error.hpp"

namespace hitless {

std::string describe(const Error& error) {
  std::string line = error.where.empty() ? "" : error.where + ": ";
  line += error.what.empty() ? name_of(error.code) : error.what;
  if (!error.help.empty()) line += " (" + error.help + ")";
  return line;
}

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::transport_lost:
      return "transport_lost";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::failed:
      return "failed";
    case ErrorCode::storage:
      return "storage";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace hitless
