#include "confdiff/nginx_sockets.hpp"

#include "base/text.hpp"

namespace hitless::confdiff {
namespace {

Change change_at(const NginxTree& tree, const NginxSocket& socket, ChangeKind kind) {
  Change change;
  change.kind = kind;
  change.path = redact(truncate_utf8(socket.path + " > listen " + socket.listen.shown(), 480));
  const std::string options = truncate_utf8(join(socket.listen.options, " "), 120);
  (kind == ChangeKind::removed ? change.before : change.after) = options;
  change.file = tree.files[static_cast<std::size_t>(socket.node->file)];
  change.line = socket.node->line;
  change.column = socket.node->column;
  change.topic = Topic::listen;
  change.change_class = ChangeClass::reload_watch;
  return change;
}

bool covered_by_wildcard(const NginxListen& gone, const NginxSockets& after) {
  if (gone.unix_socket) return false;
  const std::string port = gone.port + (gone.udp ? "/udp" : "");
  const auto ipv6 = after.find("[::]:" + port);
  if (gone.ipv6) return ipv6 != after.end();
  return after.contains("*:" + port) || (ipv6 != after.end() && !ipv6->second.listen.ipv6_only);
}

void judge_removed(const NginxSocket& socket, const NginxSockets& after, const Context& context,
                   Change& change) {
  const NginxListen& gone = socket.listen;
  change.reason = "clients of this socket are refused";
  const bool is_lb_port =
      !gone.unix_socket && !gone.udp && gone.port == std::to_string(context.port);
  if (covered_by_wildcard(gone, after)) {
    change.reason = "a wildcard listen takes over";
  } else if (context.port == 0 && !gone.unix_socket) {
    change.change_class = ChangeClass::human_only;
    change.reason = "the port that the load balancer uses is not known";
  } else if (is_lb_port && !(gone.wildcard && listens_on(after, context.port))) {
    change.change_class = ChangeClass::human_only;
    change.reason = "the load balancer sends to this port";
  }
}

}  // namespace

std::vector<Change> socket_changes(const NginxTree& before_tree, const NginxTree& after_tree,
                                   const NginxSockets& before, const NginxSockets& after,
                                   const Context& context) {
  std::vector<Change> changes;
  const auto conflicts = bind_conflicts(before, after);
  for (const auto& [key, socket] : after) {
    const auto conflict = conflicts.find(key);
    const bool is_new = !before.contains(key);
    if (!is_new && conflict == conflicts.end()) continue;
    Change change = change_at(after_tree, socket, is_new ? ChangeKind::added : ChangeKind::changed);
    change.reason = "a new socket";
    if (conflict != conflicts.end()) {
      change.change_class = ChangeClass::restart;
      change.reason = is_new ? "cannot be opened while " + conflict->second +
                                   " is: a reload is refused, silently"
                             : "ipv6only of an open socket does not change";
    }
    changes.push_back(std::move(change));
  }
  for (const auto& [key, socket] : before) {
    if (after.contains(key)) continue;
    Change change = change_at(before_tree, socket, ChangeKind::removed);
    judge_removed(socket, after, context, change);
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace hitless::confdiff
