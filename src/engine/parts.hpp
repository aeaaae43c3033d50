// What a rollout works on: one service's instances with the drivers that reach them. Wired together
// by the program (cli/wiring); the engine only sees ports.
#pragma once
#include <string>
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

struct Dependency {
  std::string name;
  ports::Health* check = nullptr;
};

struct ServiceParts {
  std::string name;
  confdiff::Kind config_kind = confdiff::Kind::text;
  std::string health_path;
  std::vector<ports::Traffic*> pools;
  std::vector<InstanceParts> instances;
  std::vector<Dependency> dependencies;
  core::Policy policy;
  std::vector<core::InstanceId>
      left_out;  // out of rotation by an earlier rollout of ours: ours to put back
  std::vector<std::string> canaries;       // hosts that go first, in order
  std::vector<core::ServiceFloor> floors;  // of whole hosts: of each service that lives there
  DurationMs install_ms = 30'000;
};

[[nodiscard]] const InstanceParts* find(const ServiceParts& parts, const core::InstanceId& id);

}  // namespace hitless::engine
