// The beginning that drivers share whose load balancer is asked node by node, and member by member:
// a driver says how one node is read and how one member is changed there.
//
// A report that stays unknown says why and has no numbers. What in_flight a driver leaves open is
// counted by the instance's own sockets. Nothing is kept over a crash.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/traffic.hpp"

namespace hitless::traffic {

struct PoolShape {
  std::string lb, pool;
  std::vector<std::string> nodes;
  std::vector<core::InstanceId> members;
  std::vector<InstanceSockets> sockets;
  Status config;  // why the pool is refused: then all is unknown, and no command is carried out
};

class NodePool : public ports::Traffic {
 public:
  explicit NodePool(PoolShape shape);

  [[nodiscard]] std::string describe() const override;
  Task<Result<ports::TrafficCapabilities>> capabilities() final;
  Task<std::vector<core::TargetReport>> read() final;
  Task<Status> drain(core::InstanceId target) final { return change(std::move(target), false); }
  Task<Status> rejoin(core::InstanceId target) final { return change(std::move(target), true); }
  Task<Status> close_remaining(core::InstanceId target) override;
  Task<std::vector<ports::PoolCounters>> counters() final;
  [[nodiscard]] bool has_counters() const override { return false; }

 protected:
  // reports: one for each member, with its place; admin is unknown. An error is that of all.
  virtual Task<Status> read_node(std::size_t node, std::vector<core::TargetReport>* reports) = 0;
  // Tells the node and reads back; in: back into rotation.
  virtual Task<Status> change_node(std::size_t node, std::size_t member, bool in) = 0;
  // Asked of each node; adds what it cannot promise.
  virtual Task<Status> add_capabilities(std::size_t node, ports::TrafficCapabilities* can) = 0;
  virtual Task<Status> count_node(std::size_t node, ports::PoolCounters* counters);

  [[nodiscard]] const PoolShape& shape() const { return shape_; }
  [[nodiscard]] const std::string& node_name(std::size_t node) const { return shape_.nodes[node]; }
  [[nodiscard]] Error at(std::size_t node, Error error) const;

 private:
  Task<Status> change(core::InstanceId target, bool in);
  Task<std::vector<core::TargetReport>> read_one(std::size_t node);
  Task<ports::PoolCounters> count_one(std::size_t node);

  PoolShape shape_;
  std::vector<std::unique_ptr<AsyncMutex>> changing_;  // of each node: one change at a time
};

}  // namespace hitless::traffic
