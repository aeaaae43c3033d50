// What a rollout works on: one service's instances with the drivers that reach them. Wired together
// by the program (cli/wiring); the engine only sees ports.
#pragma once
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "confdiff/types.hpp"
#include "core/plan.hpp"
#include "ports/health.hpp"
#include "ports/host.hpp"
#include "ports/packages.hpp"
#include "ports/service.hpp"
#include "ports/traffic.hpp"

namespace hitless::engine {

struct ConfigFile {
  std::string source;  // on the controller
  std::string dest;    // absolute, on the host
  std::string mode;    // of a new file; an existing one keeps its own
  std::string content;
};

struct InstanceParts {
  core::InstanceId id;
  std::string host_name;
  std::string zone;
  ports::Host* host = nullptr;
  ports::Service* service = nullptr;
  ports::Health* health = nullptr;      // null: none configured
  ports::Packages* packages = nullptr;  // of a whole host
  std::vector<std::string> units;       // of a whole host: those of its services
  int port = 0;                         // 0: no host-side socket count
  std::vector<int> also_ports;          // of a whole host: its other services
  bool bystander = false;               // never worked on; a floor stands on it
  std::string main_config;              // where the configuration starts on the host
  std::vector<ConfigFile> files;        // what `apply` installs
};

// In the order of the fleet file. Each effect and each reading asks for one by its id: looking
// through all of them would cost the square of their number. An id stays what it was.
class Instances {
 public:
  void push_back(InstanceParts instance) {
    by_id_.emplace(instance.id.value, all_.size());
    all_.push_back(std::move(instance));
  }
  [[nodiscard]] const InstanceParts* find(const core::InstanceId& id) const {
    const auto at = by_id_.find(id.value);
    return at == by_id_.end() ? nullptr : &all_[at->second];
  }
  [[nodiscard]] auto begin() { return all_.begin(); }
  [[nodiscard]] auto end() { return all_.end(); }
  [[nodiscard]] auto begin() const { return all_.begin(); }
  [[nodiscard]] auto end() const { return all_.end(); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] const InstanceParts& operator[](std::size_t i) const { return all_[i]; }
  [[nodiscard]] const InstanceParts& front() const { return all_.front(); }

 private:
  std::vector<InstanceParts> all_;
  std::unordered_map<std::string, std::size_t> by_id_;
};

struct Dependency {
  std::string name;
  ports::Health* check = nullptr;
  bool gate = false;  // holds a rollout up, and is never what a failure is blamed on
};

struct ServiceParts {
  std::string name;
  confdiff::Kind config_kind = confdiff::Kind::text;
  std::string health_path;
  std::vector<ports::Traffic*> pools;
  Instances instances;
  std::vector<Dependency> dependencies;
  core::Policy policy;
  std::vector<core::InstanceId>
      left_out;  // out of rotation by an earlier rollout of ours: ours to put back
  std::vector<std::string> canaries;       // hosts that go first, in order
  std::vector<core::ServiceFloor> floors;  // of whole hosts: of each service that lives there
  DurationMs install_ms = 30'000;
};

}  // namespace hitless::engine
