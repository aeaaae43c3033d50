// The steady clients of `prober:` in the fleet file, as one line for screens and reports.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "fleet/fleet.hpp"
#include "witness/prober.hpp"

namespace hitless::cli {

class Clients {
 public:
  Clients(std::vector<witness::ProberConfig> configs, std::string problem);
  // A prober that cannot start is said so in the line; it does not stop a rollout.
  void start();
  [[nodiscard]] std::string line() const;
  std::string finish();  // waits for what is in flight
  [[nodiscard]] std::int64_t lost() const;

 private:
  std::vector<std::unique_ptr<witness::Prober>> probers_;
  std::string problem_;
};

// Null: none configured.
[[nodiscard]] std::unique_ptr<Clients> make_clients(const fleet::Fleet& fleet);

}  // namespace hitless::cli
