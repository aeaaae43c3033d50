// php-fpm. A reload (USR2) executes the program anew under the same pid; with a pool that it cannot
// read or a socket that it cannot open, it ends, and its listeners with it. Its log says when it is
// ready. With process_control_timeout 0, the default, requests in flight are killed: it is drained
// before.
#include <string_view>

#include "adapters/service/daemon.hpp"
#include "adapters/service/generations.hpp"

namespace hitless::service {
namespace {

using core::ServiceReading;
using core::ServiceVerdict;

// Never lines of its children: those are warnings about "child … said".
constexpr const char* kPattern =
    R"(^\[[^]]*\] (NOTICE: (Reloading in progress|ready to handle|fpm is running)|ERROR: |ALERT: ))";

std::string words_of(const std::string& line) {
  const std::size_t end = line.find("] ");
  return end == std::string::npos ? line : line.substr(end + 2);
}

ServiceReading prove(const core::ServiceIdentity& before, const ProbeResult& seen) {
  const core::ServiceIdentity& now = seen.identity;
  bool asked = false, ready = false;
  std::string trouble;
  for (const std::string& line : seen.log_lines) {
    if (line.find("Reloading in progress") != std::string::npos) {
      asked = true;
      ready = false;
      trouble.clear();
    } else if (line.find("ready to handle") != std::string::npos) {
      ready = asked;
    } else if (line.find("] NOTICE") == std::string::npos) {
      trouble = words_of(line);
    }
  }
  if (auto other = main_process_changed(before, now)) {
    if (!trouble.empty()) other->evidence += "; log: " + trouble;
    return *other;
  }
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, text};
  };
  if (!seen.log_known) return say(ServiceVerdict::indeterminate, "its log cannot be read");
  if (!trouble.empty()) return say(ServiceVerdict::indeterminate, trouble);
  if (!asked) return say(ServiceVerdict::indeterminate, "no reload in its log yet");
  if (!ready) return say(ServiceVerdict::indeterminate, "reloading");
  const Generations workers = compare_workers(before, now);
  if (!workers.old.empty()) {
    return say(ServiceVerdict::indeterminate,
               std::to_string(workers.old.size()) + " workers of before are still there");
  }
  return say(ServiceVerdict::proven, "PID " + std::to_string(now.main_pid) +
                                         " kept, it executed itself anew and is ready, " +
                                         std::to_string(workers.fresh.size()) + " new workers");
}

}  // namespace

DaemonSpec php_fpm_spec(const DaemonConfig& config) {
  DaemonSpec spec;
  spec.name = "php-fpm";
  spec.query.workers = Workers::same_name;
  spec.query.log_file = config.error_log;
  spec.query.log_pattern = kPattern;
  spec.test = {{config.binary, "-t", "-y", "{config}"}, "php-fpm -t", Dialect::php_fpm, false};
  spec.log_proves = true;
  spec.on_bad_reload = ports::ReloadFailureMode::dies;
  spec.prove_reload = prove;
  return spec;
}

}  // namespace hitless::service
