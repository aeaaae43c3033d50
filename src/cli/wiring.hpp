// From the fleet file to drivers: the only place that knows which driver belongs to which `kind:`.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/watchdog/watchdog.hpp"
#include "base/error.hpp"
#include "engine/parts.hpp"
#include "fleet/fleet.hpp"
#include "ports/coordination.hpp"
#include "ports/notify.hpp"
#include "ports/watchdog.hpp"

namespace hitless::cli {

struct Wiring {
  // Of whole hosts: each service that lives there, its own first. Empty: one service.
  std::vector<std::unique_ptr<Wiring>> members;
  std::vector<watchdog::WatchedInstance> watched;  // what the watchdog was made from
  std::vector<std::unique_ptr<ports::Host>> hosts;
  std::vector<std::unique_ptr<ports::Traffic>> pools;
  std::vector<std::unique_ptr<ports::Service>> services;
  std::vector<std::unique_ptr<ports::Health>> checks;
  std::vector<std::unique_ptr<ports::Packages>> packages;
  std::unique_ptr<ports::Coordination> coordination;
  std::unique_ptr<ports::Watchdog> watchdog;  // null: switched off in the policy
  engine::ServiceParts parts;
  std::string unit;  // of the service; empty: it has none

  [[nodiscard]] std::vector<std::string> pool_texts() const;
  [[nodiscard]] std::vector<std::string> service_names() const;  // that it works on or counts on
};

// Runs the task and then takes the drivers down while their io_context still lives: their
// connections belong to it and must not outlive it.
void run_with(std::unique_ptr<Wiring> wiring, std::function<Task<void>(Wiring*)> task);

// optional: a file to install that cannot be read is taken as empty; only going back is possible.
enum class Sources { required, optional };
[[nodiscard]] Result<std::unique_ptr<Wiring>> wire(const fleet::Fleet& fleet,
                                                   const std::string& service,
                                                   Sources sources = Sources::required);
// The hosts of the service, each as one instance with all services that live there. For intents
// that work on whole hosts.
[[nodiscard]] Result<std::unique_ptr<Wiring>> wire_hosts(const fleet::Fleet& fleet,
                                                         const std::string& service,
                                                         core::Intent intent);
// As the intent needs it.
[[nodiscard]] Result<std::unique_ptr<Wiring>> wire_for(const fleet::Fleet& fleet,
                                                       const std::string& service,
                                                       core::Intent intent,
                                                       Sources sources = Sources::required);
// A check of the fleet file as a driver; host: where a `command:` check runs.
[[nodiscard]] std::unique_ptr<ports::Health> make_check(const fleet::HealthCheck& check,
                                                        ports::Host* host);
[[nodiscard]] Result<std::vector<std::unique_ptr<ports::Sink>>> wire_sinks(
    const fleet::Fleet& fleet);

}  // namespace hitless::cli
