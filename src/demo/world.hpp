// The world of `hitless demo`, on loopback and without root: one HAProxy, three nginx instances,
// the api-gateway that they depend on, and a webhook receiver. All of it lives in one private
// folder.
//
// up() and down() block (about a second each); call them outside the run loop. Whatever happens to
// this process, kill -9 included, servers and folder go away with it (see keeper.hpp); hence the
// folder holds nothing that is worth keeping.
#pragma once
#include <memory>
#include <string>

#include "base/error.hpp"
#include "demo/keeper.hpp"
#include "demo/layout.hpp"
#include "demo/webhook_receiver.hpp"
#include "witness/prober.hpp"

namespace hitless::demo {

class DemoWorld {
 public:
  static constexpr double kClientsPerS = 100;

  // Fails with not_found when nginx or HAProxy is not installed.
  [[nodiscard]] static Result<std::unique_ptr<DemoWorld>> up();
  ~DemoWorld() { (void)down(); }
  DemoWorld(const DemoWorld&) = delete;
  DemoWorld& operator=(const DemoWorld&) = delete;

  // Stops everything and removes the folder. Fails when something is left, naming it.
  [[nodiscard]] Status down();

  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] const std::string& dir() const { return layout_.dir; }
  [[nodiscard]] std::string url() const;  // of the load balancer
  [[nodiscard]] std::string fleet_path() const { return layout_.dir + "/hitless.yaml"; }

  // What `hitless apply` would install from now on: the content of next_config(host).
  [[nodiscard]] Status offer(ConfigSource which);
  [[nodiscard]] std::string next_config(const std::string& host) const;
  [[nodiscard]] std::string live_config(const std::string& host) const;

  // Traffic for a Prober each: clients that want quick answers, and slow downloads (0.5 to 2 s,
  // about 1.25 × rate of them at a time) that give a drain something to wait for.
  [[nodiscard]] witness::ProberConfig clients(double rate_per_s = kClientsPerS) const;
  [[nodiscard]] witness::ProberConfig slow_downloads(double rate_per_s = 50) const;

  [[nodiscard]] WebhookReceiver& receiver() { return *receiver_; }
  [[nodiscard]] const std::string& webhook_secret() const { return webhook_secret_; }

 private:
  DemoWorld() = default;
  Status make();
  Status choose_ports();
  Status write_files();
  Status start_servers();
  Status wait_until_healthy();

  Layout layout_;
  std::string webhook_secret_;
  std::unique_ptr<WebhookReceiver> receiver_;
  Keeper keeper_;
};

}  // namespace hitless::demo
