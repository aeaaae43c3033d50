#include "adapters/service/nginx_proof.hpp"

#include <algorithm>
#include <charconv>

#include "adapters/service/evidence.hpp"
#include "adapters/service/generations.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr std::size_t kTimestampBytes = 19;  // "2026/02/18 14:04:43"

std::int64_t to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// What the master wrote, sorted by what it means for the reload.
struct Findings {
  std::string fatal;     // the new configuration was given up
  std::string crashed;   // a worker died of it
  std::string retrying;  // bind() is tried 5 times, every 0.5 s
  std::string other;
};

Findings sort_findings(std::int64_t master, const std::vector<std::string>& lines) {
  Findings found;
  for (const std::string& text : lines) {
    const auto line = parse_nginx_log_line(text);
    // Other pids are `nginx -t` runs of anybody, or workers about their connections.
    if (!line || line->pid != master) continue;
    const std::string said = "[" + line->level + "] " + line->message;
    if (line->level == "emerg") {
      const bool bind =
          contains(line->message, "bind() to ") && !contains(line->message, "still could not bind");
      (bind ? found.retrying : found.fatal) = said;
    } else if (contains(line->message, "exited on signal") ||
               contains(line->message, "exited with fatal code")) {
      found.crashed = said;
    } else {
      found.other = said;
    }
  }
  // "still could not bind()" alone does not say what; the bind() line before it does.
  if (contains(found.fatal, "still could not bind") && !found.retrying.empty()) {
    found.fatal = found.retrying + "; " + found.fatal;
  }
  return found;
}

}  // namespace

std::optional<NginxLogLine> parse_nginx_log_line(std::string_view line) {
  const std::size_t open = line.find(" [");
  if (open != kTimestampBytes) return std::nullopt;
  const std::size_t close = line.find("] ", open);
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t hash = line.find('#', close);
  const std::size_t colon = line.find(": ", close);
  if (hash == std::string_view::npos || colon == std::string_view::npos || hash > colon)
    return std::nullopt;
  NginxLogLine result;
  result.level = std::string(line.substr(open + 2, close - open - 2));
  result.pid = to_number(line.substr(close + 2, hash - close - 2));
  result.message = std::string(trim(line.substr(colon + 2)));
  if (result.pid <= 0) return std::nullopt;
  return result;
}

ServiceReading prove_nginx_reload(const ServiceIdentity& before, const ServiceIdentity& now,
                                  bool log_known, const std::vector<std::string>& log_lines) {
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, evidence(text)};
  };
  const std::string master = "master PID " + std::to_string(before.main_pid);
  if (before.main_pid <= 0 || before.start_time.empty() || before.workers.empty()) {
    return say(ServiceVerdict::indeterminate,
               "it is not known which workers ran before the reload");
  }
  if (!now.active || now.main_pid <= 0) return say(ServiceVerdict::down, master + " is gone");
  if (now.main_pid != before.main_pid || now.start_time != before.start_time) {
    return say(ServiceVerdict::indeterminate,
               "restarted, not reloaded: PID changed: " + std::to_string(before.main_pid) + " → " +
                   std::to_string(now.main_pid));
  }
  const Findings found = sort_findings(before.main_pid, log_lines);
  if (!found.fatal.empty()) return say(ServiceVerdict::not_applied, found.fatal);
  if (!found.crashed.empty()) return say(ServiceVerdict::flapping, found.crashed);

  const Generations workers = compare_workers(before, now);
  if (workers.fresh.empty()) {
    const std::string& said = found.retrying.empty() ? found.other : found.retrying;
    return say(ServiceVerdict::indeterminate,
               "no new worker yet" + (said.empty() ? said : "; " + said));
  }
  if (!workers.old.empty()) {
    return say(ServiceVerdict::indeterminate,
               std::to_string(workers.old.size()) + " workers of before still accept");
  }
  if (!log_known)
    return say(ServiceVerdict::indeterminate, "new workers, but the error log cannot be read");
  if (!found.other.empty())
    return say(ServiceVerdict::indeterminate, "new workers, but " + found.other);
  return say(ServiceVerdict::proven,
             master + " kept, " + std::to_string(workers.fresh.size()) +
                 (workers.fresh.size() == 1 ? " new worker" : " new workers") +
                 ", none of before accepts, no new error");
}

ServiceReading prove_nginx_upgrade(const ServiceIdentity& before, const ServiceIdentity& now,
                                   std::optional<bool> binary_current) {
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, evidence(text)};
  };
  if (before.main_pid <= 0 || before.start_time.empty())
    return say(ServiceVerdict::indeterminate, "it is not known who ran before the upgrade");
  if (!now.active || now.main_pid <= 0) return say(ServiceVerdict::down, "no master runs");
  if (now.main_pid == before.main_pid && now.start_time == before.start_time) {
    return say(ServiceVerdict::not_applied,
               "master PID " + std::to_string(now.main_pid) + " is the one of before");
  }
  if (now.restarts > before.restarts) {
    return say(ServiceVerdict::flapping,
               "systemd restarted it (NRestarts " + std::to_string(now.restarts) + ")");
  }
  const Generations workers = compare_workers(before, now);
  if (workers.fresh.empty()) return say(ServiceVerdict::indeterminate, "no new worker yet");
  if (!workers.old.empty())
    return say(ServiceVerdict::indeterminate, "workers of before still accept");
  if (binary_current == false)
    return say(ServiceVerdict::not_applied, "the new master does not run the binary on disk");
  return say(ServiceVerdict::proven, "PID changed: " + std::to_string(before.main_pid) + " → " +
                                         std::to_string(now.main_pid) + ", upgraded in place, " +
                                         std::to_string(workers.fresh.size()) + " new workers");
}

}  // namespace hitless::service
