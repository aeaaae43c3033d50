#include "mcp/session.hpp"

#include <algorithm>

namespace hitless::mcp {

Session& Sessions::open() {
  if (sessions_.size() >= kMaxSessions) {
    sessions_.erase(std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  const std::string id = make_id_();
  Session& session = sessions_[id];
  session.id = id;
  session.used = ++clock_;
  return session;
}

Session* Sessions::find(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  found->second.used = ++clock_;
  return &found->second;
}

bool Sessions::close(const std::string& id) {
  return sessions_.erase(id) > 0;
}

}  // namespace hitless::mcp
