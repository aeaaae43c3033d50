// Apache httpd. A graceful restart keeps the parent and replaces its children; the parent says so
// in the error log. With a configuration that it cannot read, or a port that it cannot bind, the
// whole server exits, although `apachectl -t` and `graceful` exit 0; and what only a start can
// change (ServerLimit, ThreadLimit) it ignores with a warning.
#include <string_view>

#include "adapters/service/daemon.hpp"
#include "adapters/service/generations.hpp"

namespace hitless::service {
namespace {

using core::ServiceReading;
using core::ServiceVerdict;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The parent's own lines, and what it writes before its log is open again.
constexpr const char* kPattern =
    R"(\[pid @PID@[]:]|^(AH[0-9]{5}|\([0-9]+\)|Syntax error|Invalid command))";

// "[Mon Nov 30 17:31:30.523280 2026] [mpm_event:warn] [pid 1:tid 1] AH0: text" → "AH0: text"
std::string words_of(const std::string& line) {
  const std::size_t pid = line.find("[pid ");
  const std::size_t end = pid == std::string::npos ? pid : line.find("] ", pid);
  return end == std::string::npos ? line : line.substr(end + 2);
}

struct Said {
  bool asked = false, resumed = false;
  std::string ignored, trouble;
};

Said read_log(const std::vector<std::string>& lines) {
  Said said;
  for (const std::string& line : lines) {
    if (contains(line, "AH00493") || contains(line, "AH00494")) {  // USR1, HUP received
      said = {};
      said.asked = true;
    } else if (contains(line, "resuming normal operations")) {
      said.resumed = said.asked;
    } else if (contains(line, "during restart")) {
      said.ignored = words_of(line);
    } else if (line.front() != '[' || contains(line, ":emerg] ") || contains(line, ":alert] ") ||
               contains(line, ":crit] ")) {
      said.trouble = words_of(line);
    }
  }
  return said;
}

ServiceReading prove(const core::ServiceIdentity& before, const ProbeResult& seen) {
  const core::ServiceIdentity& now = seen.identity;
  const Said said = read_log(seen.log_lines);
  if (auto other = main_process_changed(before, now)) {
    if (!said.trouble.empty()) other->evidence += "; log: " + said.trouble;
    return *other;
  }
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, text};
  };
  if (!said.ignored.empty()) return say(ServiceVerdict::not_applied, said.ignored);
  const Generations workers = compare_workers(before, now);
  const std::string fresh = std::to_string(workers.fresh.size()) + " new workers";
  if (!seen.log_known)
    return say(ServiceVerdict::indeterminate, fresh + ", but the error log cannot be read");
  // Where the new configuration moves the log, the old one ends with the request.
  const bool moved = said.asked && said.trouble.empty() && workers.old.empty();
  if (!workers.fresh.empty() && (said.resumed || moved)) {
    std::string text = "parent PID " + std::to_string(now.main_pid) + " kept, " + fresh;
    if (said.resumed) text += ", it resumed normal operations";
    if (!workers.old.empty())
      text += ", " + std::to_string(workers.old.size()) + " of before finish their requests";
    return say(ServiceVerdict::proven, text);
  }
  if (!said.trouble.empty()) return say(ServiceVerdict::indeterminate, said.trouble);
  return say(ServiceVerdict::indeterminate, said.asked
                                                ? "restarting gracefully, " + fresh
                                                : "no graceful restart in the error log yet");
}

std::string missing(const core::ServiceIdentity&, const ProbeResult& seen) {
  return seen.identity.workers.empty() ? "no workers yet" : "";
}

}  // namespace

DaemonSpec apache_spec(const DaemonConfig& config) {
  DaemonSpec spec;
  spec.name = "Apache";
  spec.query.workers = Workers::same_name;
  spec.query.log_file = config.error_log;
  spec.query.log_pattern = kPattern;
  spec.test = {
      {config.binary, "-t", "-d", "{dir}", "-f", "{config}"}, "apache -t", Dialect::apache, false};
  spec.log_proves = true;
  spec.on_bad_reload = ports::ReloadFailureMode::dies;
  spec.prove_reload = prove;
  spec.still_missing = missing;
  return spec;
}

}  // namespace hitless::service
