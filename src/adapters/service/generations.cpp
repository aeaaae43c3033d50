#include "adapters/service/generations.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "adapters/service/evidence.hpp"

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

bool is_process(const std::string& worker) {
  return !worker.empty() && worker.front() >= '0' && worker.front() <= '9';
}

}  // namespace

std::int64_t start_of(const std::string& worker) {
  const std::size_t colon = worker.find(':');
  if (!is_process(worker) || colon == std::string::npos) return 0;
  std::int64_t value = 0;
  const char* const end = worker.data() + worker.size();
  const auto [stop, error] = std::from_chars(worker.data() + colon + 1, end, value);
  return error == std::errc() && stop == end ? value : 0;
}

std::string mark_of(const ServiceIdentity& identity, const std::string& name) {
  const std::string prefix = name + ":";
  for (const std::string& entry : identity.workers) {
    if (entry.starts_with(prefix)) return entry.substr(prefix.size());
  }
  return {};
}

Generations compare_workers(const ServiceIdentity& before, const ServiceIdentity& now) {
  Generations result;
  std::int64_t youngest = 0;
  for (const std::string& worker : before.workers) youngest = std::max(youngest, start_of(worker));
  for (const std::string& worker : now.workers) {
    if (!is_process(worker)) continue;
    const bool known =
        std::find(before.workers.begin(), before.workers.end(), worker) != before.workers.end();
    (known || start_of(worker) < youngest ? result.old : result.fresh).push_back(worker);
  }
  return result;
}

std::optional<ServiceReading> main_process_changed(const ServiceIdentity& before,
                                                   const ServiceIdentity& now) {
  const std::string main = "PID " + std::to_string(before.main_pid);
  if (before.main_pid <= 0 || before.start_time.empty()) {
    return ServiceReading{ServiceVerdict::indeterminate, now,
                          "it is not known who ran before the reload"};
  }
  if (!now.active || now.main_pid <= 0)
    return ServiceReading{ServiceVerdict::down, now, main + " is gone"};
  if (now.main_pid != before.main_pid || now.start_time != before.start_time) {
    return ServiceReading{
        ServiceVerdict::indeterminate, now,
        "restarted, not reloaded: PID changed: " + std::to_string(before.main_pid) + " → " +
            std::to_string(now.main_pid)};
  }
  return std::nullopt;
}

}  // namespace hitless::service
