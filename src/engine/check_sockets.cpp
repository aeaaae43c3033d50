#include "engine/check_sockets.hpp"

#include <algorithm>
#include <charconv>

#include "runtime/timeout.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kAskDeadlineMs = 2'000;
// A load balancer pays for the answer; a check that is asked for so late holds the drain as long.
constexpr DurationMs kAskAgainMs = 100;

int port_of(const std::string& peer) {
  const std::size_t colon = peer.rfind(':');
  int port = 0;
  if (colon != std::string::npos)
    (void)std::from_chars(peer.data() + colon + 1, peer.data() + peer.size(), port);
  return port;
}

Task<Result<std::vector<std::string>>> list_peers(const InstanceParts* instance) {
  std::vector<int> ports = instance->also_ports;
  ports.push_back(instance->port);
  std::vector<std::string> all;
  for (const int port : ports) {
    auto peers = co_await with_timeout(instance->host->peers_on(port), kAskDeadlineMs,
                                       "listing its connections");
    if (!peers) co_return peers;
    all.insert(all.end(), peers->begin(), peers->end());
  }
  co_return all;
}

Task<Result<std::vector<int>>> ask(ports::Traffic* pool, core::InstanceId id) {
  co_return co_await pool->check_ports(std::move(id));
}

Task<void> ask_into(ports::Traffic* pool, core::InstanceId id, std::set<int>* out) {
  const auto ports =
      co_await with_timeout(ask(pool, std::move(id)), kAskDeadlineMs, "asking for health checks");
  if (ports) out->insert(ports->begin(), ports->end());
}

}  // namespace

std::set<std::string> from_ports(const std::vector<std::string>& peers,
                                 const std::set<int>& ports) {
  std::set<std::string> found;
  for (const std::string& peer : peers) {
    const int port = port_of(peer);
    if (ports.contains(port) && std::ranges::count(peers, port, port_of) == 1) found.insert(peer);
  }
  return found;
}

Task<void> leave_out_checks(const ServiceParts* parts, const InstanceParts* instance,
                            CheckSockets* memory, core::TargetReading* reading) {
  const bool held = reading->state == core::TargetState::out && reading->host_connections &&
                    *reading->host_connections > reading->idle.value_or(0);
  if (!held) {
    memory->known.clear();  // whatever comes later is new
    co_return;
  }
  const auto peers = co_await list_peers(instance);
  if (!peers) co_return;
  // Whose connection was not there for a moment may be somebody else from the same port.
  std::erase_if(memory->known,
                [&](const std::string& each) { return std::ranges::count(*peers, each) != 1; });
  const TimeMs now = steady_now_ms();
  const bool unnamed =
      memory->known.size() + static_cast<std::size_t>(reading->idle.value_or(0)) < peers->size();
  if (unnamed && now - memory->asked_at >= kAskAgainMs) {
    memory->asked_at = now;
    std::set<int> ports;
    for (ports::Traffic* pool : parts->pools) co_await ask_into(pool, instance->id, &ports);
    memory->known.merge(from_ports(*peers, ports));
  }
  reading->host_connections = static_cast<std::int64_t>(peers->size() - memory->known.size());
}

}  // namespace hitless::engine
