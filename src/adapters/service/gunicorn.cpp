// gunicorn. HUP reads the configuration again, starts new workers and ends the old ones; when the
// new ones cannot import the application, the old are gone already and the master exits. There is
// no sign that a worker has finished importing, so that a worker counts only after a while, and the
// stability window and the health check go on from there.
#include "adapters/service/daemon.hpp"
#include "adapters/service/generations.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::ServiceReading;
using core::ServiceVerdict;

// Workers that exist, but do not work yet.
std::size_t still_booting(const ProbeResult& seen, const std::vector<std::string>& workers) {
  return static_cast<std::size_t>(
      std::count_if(workers.begin(), workers.end(), [&](const std::string& worker) {
        const std::string pid = worker.substr(0, worker.find(':'));
        return std::find(seen.ready.begin(), seen.ready.end(), pid) == seen.ready.end();
      }));
}

ServiceReading prove(const core::ServiceIdentity& before, const ProbeResult& seen) {
  const core::ServiceIdentity& now = seen.identity;
  if (auto other = main_process_changed(before, now)) return *other;
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, text};
  };
  if (before.workers.empty())
    return say(ServiceVerdict::indeterminate, "it is not known which workers ran before");
  const Generations workers = compare_workers(before, now);
  if (workers.fresh.empty()) return say(ServiceVerdict::indeterminate, "no new worker yet");
  if (!workers.old.empty()) {
    return say(ServiceVerdict::indeterminate,
               std::to_string(workers.old.size()) + " workers of before are still there");
  }
  if (const std::size_t booting = still_booting(seen, workers.fresh); booting > 0) {
    return say(ServiceVerdict::indeterminate,
               std::to_string(booting) + " new workers have not begun to work");
  }
  return say(ServiceVerdict::proven, "master PID " + std::to_string(now.main_pid) + " kept, " +
                                         std::to_string(workers.fresh.size()) +
                                         " new workers work, none of before");
}

std::string missing(const core::ServiceIdentity&, const ProbeResult& seen) {
  if (seen.identity.workers.empty()) return "no workers yet";
  const std::size_t booting = still_booting(seen, seen.identity.workers);
  return booting == 0 ? "" : std::to_string(booting) + " workers have not begun to work";
}

// HUP starts workers from the application that the master loaded long ago. A setting that Python
// computes is taken for on: then a restart is done in place of a reload, which loses nothing.
std::string preloads(const ports::Files& files, const ProbeResult& seen) {
  const std::string why =
      "with preload_app a reload does not load the application anew (HUP keeps the master's copy)";
  const std::string start = seen.unit ? seen.unit->get("ExecStart") : std::string();
  if (start.find(" --preload") != std::string::npos) return why;
  for (const auto& [path, text] : files) {
    for (const std::string& each : split(text, '\n')) {
      const std::string_view line = trim(std::string_view(each).substr(0, each.find('#')));
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos || trim(line.substr(0, equals)) != "preload_app")
        continue;
      const std::string_view value = trim(line.substr(equals + 1));
      if (value != "False" && value != "0" && value != "None") return why;
    }
  }
  return {};
}

}  // namespace

DaemonSpec gunicorn_spec(const DaemonConfig&) {
  DaemonSpec spec;
  spec.name = "gunicorn";
  spec.query.workers = Workers::gunicorn;
  spec.test.title = "gunicorn --check-config";
  spec.on_bad_reload = ports::ReloadFailureMode::dies;
  spec.prove_reload = prove;
  spec.still_missing = missing;
  spec.no_reload = preloads;
  return spec;
}

}  // namespace hitless::service
