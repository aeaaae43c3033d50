// From the fleet file to the driver of one service, and to the kind of its configuration.
#pragma once
#include <memory>
#include <string>

#include "confdiff/types.hpp"
#include "fleet/fleet.hpp"
#include "ports/service.hpp"

namespace hitless::cli {

struct WiredService {
  std::unique_ptr<ports::Service> driver;
  std::string main_config;  // where its configuration starts; empty: not known
};
[[nodiscard]] WiredService wire_service(const fleet::Service& service,
                                        const fleet::Instance& instance, ports::Host& on);
[[nodiscard]] confdiff::Kind config_kind_of(const fleet::Service& service);

}  // namespace hitless::cli
