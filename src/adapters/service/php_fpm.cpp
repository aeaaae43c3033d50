// php-fpm. A reload (USR2) executes the program anew under the same pid; with a pool that it cannot
// read or a socket that it cannot open, it ends, and its listeners with it. Its log says when it is
// ready. With process_control_timeout 0, the default, requests in flight are killed: it is drained
// before.
#include <string_view>

#include "adapters/service/daemon.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/generations.hpp"
#include "base/text.hpp"

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

// The value of a key of the [global] section, the last one that stands there; empty: none.
std::string global_value(const ports::Files& files, std::string_view key) {
  std::string found;
  for (const auto& [path, text] : files) {
    bool global = true;  // until another section begins
    for (const std::string& each : split(text, '\n')) {
      const std::string_view line = trim(std::string_view(each).substr(0, each.find(';')));
      if (line.starts_with('[')) global = line == "[global]";
      const std::size_t equals = line.find('=');
      if (!global || equals == std::string_view::npos || trim(line.substr(0, equals)) != key)
        continue;
      found = trim(line.substr(equals + 1));
    }
  }
  return found;
}

std::vector<core::Check> control_timeout(const ports::Files& files) {
  const std::string value = global_value(files, "process_control_timeout");
  if (value.find_first_of("123456789") != std::string::npos) return {};
  return {check("php-fpm", core::CheckStatus::warn,
                "process_control_timeout is 0: a reload kills the requests that it finds",
                "it is drained before each reload; who reloads it by other means needs "
                "process_control_timeout = 10s or so")};
}

// Then the process that a reload starts has another PID, and looks as if it had died and been
// started again by somebody. It is php-fpm's default; options come before the file.
std::string daemonizes(const ports::Files& files, const ProbeResult& seen) {
  const std::string start = seen.unit ? seen.unit->get("ExecStart") : std::string();
  if (start.empty()) return {};  // nobody says how it was started; the proof will
  const auto has = [&](std::string_view option) {
    return start.find(" " + std::string(option) + " ") != std::string::npos;
  };
  const std::string asked = global_value(files, "daemonize");
  const bool stays = has("--nodaemonize") || has("-F") || asked == "no" || asked == "0" ||
                     asked == "false" || asked == "off";
  if (stays && !has("--daemonize") && !has("-D")) return {};
  return "php-fpm puts itself into the background, so that a reload changes its PID "
         "(start it with --nodaemonize)";
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
  spec.config_remarks = control_timeout;
  spec.no_reload = daemonizes;
  return spec;
}

}  // namespace hitless::service
