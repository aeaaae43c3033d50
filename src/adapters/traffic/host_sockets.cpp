#include "adapters/traffic/host_sockets.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

Task<void> count_one(InstanceSockets sockets, std::optional<Result<std::int64_t>>* out) {
  out->emplace(co_await sockets.host->connections_on(sockets.port));
}

void add_note(core::TargetReport& report, const std::string& note) {
  if (!report.note.empty()) report.note += "; ";
  report.note += note;
}

}  // namespace

Task<void> count_host_sockets(std::vector<InstanceSockets> all,
                              std::vector<core::TargetReport>* reports) {
  std::map<core::InstanceId, std::optional<Result<std::int64_t>>> counts;
  std::vector<Task<void>> tasks;
  for (const core::TargetReport& report : *reports) {
    if (report.in_flight || counts.contains(report.instance)) continue;
    const auto sockets = std::ranges::find(all, report.instance, &InstanceSockets::instance);
    if (sockets == all.end() || sockets->host == nullptr || sockets->port == 0) continue;
    tasks.push_back(count_one(*sockets, &counts[report.instance]));
  }
  co_await join_all(std::move(tasks));
  std::vector<core::InstanceId> counted;
  for (core::TargetReport& report : *reports) {
    if (report.in_flight) continue;
    const auto found = counts.find(report.instance);
    if (found == counts.end() || !found->second) {
      add_note(report, "nothing counts what is in flight");
    } else if (!*found->second) {
      add_note(report, "its sockets cannot be counted: " + describe(found->second->error()));
    } else if (std::ranges::find(counted, report.instance) != counted.end()) {
      report.in_flight = 0;  // the sockets of all nodes are in the first node's report
    } else {
      report.in_flight = **found->second;
      counted.push_back(report.instance);
    }
  }
}

}  // namespace hitless::traffic
