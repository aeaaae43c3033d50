// One HAProxy node: looks at it, tells it, remembers its epoch. Nothing here decides.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/haproxy_report.hpp"
#include "adapters/traffic/haproxy_socket.hpp"

namespace hitless::traffic {

inline constexpr const char* admin_level_help =
    "give the socket admin rights: `stats socket PATH mode 600 level admin` in haproxy.cfg";

// When the worker changed and there is no master socket, which servers may have sessions in a
// worker that cannot be seen (the rule is in haproxy.hpp).
class EpochMemory {
 public:
  // quiet: the servers that this look saw out of rotation with nothing in flight.
  void saw(const std::string& epoch, const std::set<std::string>& quiet, TimeMs now_ms,
           std::optional<DurationMs> hard_stop_after_ms);
  [[nodiscard]] bool doubts(const std::string& server) const;

 private:
  std::string epoch_;
  std::set<std::string> quiet_;  // at the last look
  bool changed_ = false;
  TimeMs changed_at_ms_ = 0;
  std::set<std::string> known_quiet_;  // were quiet at every change since
};

// The epoch of sums over all workers: stays while every worker that was added up still lives.
class CounterEpoch {
 public:
  [[nodiscard]] std::string saw(const WorkerInfo& current, const std::vector<std::int64_t>& old);

 private:
  std::string name_;
  std::set<std::int64_t> counted_;
};

class NodeLink {
 public:
  NodeLink(HaproxyNode node, std::string backend, DurationMs deadline_ms);

  [[nodiscard]] const std::string& name() const { return node_.name; }
  [[nodiscard]] bool has_master() const { return !node_.master.empty(); }

  // All workers, in one or two exchanges; an error means that the node could not be asked.
  Task<Result<NodeView>> look();
  // Says why sessions in an unseen old worker may be missing; empty: none can be.
  [[nodiscard]] std::string doubt(const std::string& server) const;
  // Sends a command whose success is an empty reply.
  Task<Status> tell(std::string command);
  // Cuts the sessions that old workers still have at the server. There it goes session by session:
  // a worker that was told to stop refuses `shutdown sessions server` ("Proxy is disabled.").
  Task<Status> close_in_old_workers(std::string server, std::vector<std::int64_t> pids);
  // The reply to a read-only command.
  Task<Result<std::string>> ask(std::string command);
  // Local ports of the connections that are its health check of the server; none when it cannot be
  // told, or when telling would cost it too much. While sessions at the server are counted it tells
  // fewer.
  Task<std::vector<int>> check_ports(std::string server);
  [[nodiscard]] std::string epoch_for_counters(const NodeView& view);

 private:
  struct Address {
    SocketAddress configured;
    std::string forwarded;  // the local path, once known
  };
  Task<Result<std::string>> send(Address* to, std::vector<std::string> commands);
  Task<Result<NodeView>> look_at_worker(Address* to, std::string prefix);
  Task<Result<NodeView>> look_once(bool* worth_again);
  Task<Result<NodeView>> look_until_steady();
  Task<void> look_into(std::optional<Result<NodeView>>* out, Address* to, std::string prefix);
  Task<void> list_into(std::optional<Result<ProcessList>>* out);
  Task<void> add_old_workers(NodeView* view, std::vector<std::int64_t> pids);
  Task<Result<ProcessList>> processes();
  Task<Status> close_sessions(std::int64_t pid, std::vector<std::string> sessions);
  void remember(const NodeView& view);
  [[nodiscard]] Error at_node(Error error) const;

  HaproxyNode node_;
  std::string backend_;
  DurationMs deadline_ms_;
  Address main_, master_;
  EpochMemory memory_;
  CounterEpoch counter_epoch_;
};

}  // namespace hitless::traffic
