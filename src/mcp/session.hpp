// Sessions of the legacy era: what a client agreed on in `initialize`.
//
// At most kMaxSessions; the one that was not used for longest goes when a new one comes. They live
// in memory only: after a restart a client gets 404 and initializes again, as the protocol wants
// it.
#pragma once
#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <string>

namespace hitless::mcp {

inline constexpr std::size_t kMaxSessions = 64;

struct Session {
  std::string id;  // empty: the one of a stdio connection
  std::string version;
  boost::json::object client_capabilities;
  std::string log_level;  // empty: not set
  std::uint64_t used = 0;
};

class Sessions {
 public:
  // make_id: unguessable; injected, so that the protocol stays pure.
  explicit Sessions(std::function<std::string()> make_id) : make_id_(std::move(make_id)) {}
  Session& open();
  [[nodiscard]] Session* find(const std::string& id);
  bool close(const std::string& id);
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  std::function<std::string()> make_id_;
  std::map<std::string, Session> sessions_;
  std::uint64_t clock_ = 0;
};

}  // namespace hitless::mcp
