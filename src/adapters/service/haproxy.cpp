// HAProxy as a service of its own. A reload executes the master anew, from the binary on disk (so a
// reload after a package upgrade is a binary upgrade), and starts a new worker; the old one
// finishes its sessions. When the new configuration is refused, the master stays without a new
// worker and the old one goes on, while every command exits 0: the master's own count of failed
// reloads tells. It is read from the master's environment, because its socket is seldom ours to
// open.
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "adapters/service/daemon.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/generations.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;
using core::ServiceReading;
using core::ServiceVerdict;

struct Master {
  std::int64_t failed = 0;  // reloads, since the last one that succeeded
};

// "|type=m;fd=-1;pid=1;reloads=3;failedreloads=1;…|type=w;…"
std::optional<Master> master_of(const std::string& processes) {
  for (const std::string& process : split(processes, '|')) {
    if (!process.starts_with("type=m;")) continue;
    Master master;
    for (const std::string& field : split(process, ';')) {
      const std::size_t equals = field.find('=');
      if (equals == std::string::npos) continue;
      std::int64_t value = 0;
      std::from_chars(field.data() + equals + 1, field.data() + field.size(), value);
      if (field.starts_with("failedreloads=")) master.failed = value;
    }
    return master;
  }
  return std::nullopt;
}

std::string binary_words(const ProbeResult& seen) {
  if (!seen.binary_current) return {};
  return *seen.binary_current ? ", runs the binary on disk" : ", runs an older binary than on disk";
}

ServiceReading prove(const core::ServiceIdentity& before, const ProbeResult& seen) {
  const core::ServiceIdentity& now = seen.identity;
  if (auto other = main_process_changed(before, now)) return *other;
  const auto say = [&](ServiceVerdict verdict, const std::string& text) {
    return ServiceReading{verdict, now, text};
  };
  if (before.workers.empty()) {
    return say(ServiceVerdict::indeterminate,
               "it is not known which workers ran before (is it in master-worker mode?)");
  }
  const Generations workers = compare_workers(before, now);
  const auto master = master_of(seen.haproxy_processes);
  // The count of failures stays until a reload succeeds, also while the next one is under way.
  const std::int64_t failed_before = std::atoll(mark_of(before, "failed").c_str());
  if (workers.fresh.empty()) {
    if (master && master->failed > failed_before) {
      return say(ServiceVerdict::not_applied, "the master kept the old worker (failed reloads: " +
                                                  std::to_string(master->failed) +
                                                  "); its messages are in the journal of the unit");
    }
    return say(ServiceVerdict::indeterminate, "no new worker yet");
  }
  std::string text = "master PID " + std::to_string(now.main_pid) + " kept, " +
                     std::to_string(workers.fresh.size()) + " new worker";
  if (!workers.old.empty())
    text += ", " + std::to_string(workers.old.size()) + " of before finish their sessions";
  return say(ServiceVerdict::proven, text + binary_words(seen));
}

std::string missing(const core::ServiceIdentity&, const ProbeResult& seen) {
  return compare_workers({}, seen.identity).fresh.empty() ? "no worker yet" : "";
}

void take_marks(ProbeResult& seen, const ports::ExecResult&) {
  if (const auto master = master_of(seen.haproxy_processes))
    seen.identity.workers.push_back("failed:" + std::to_string(master->failed));
}

std::vector<Check> remarks(const ProbeResult& seen) {
  std::vector<Check> checks;
  const auto master = master_of(seen.haproxy_processes);
  if (!master) {
    checks.push_back(check("HAProxy", CheckStatus::warn,
                           "PID " + std::to_string(seen.identity.main_pid) +
                               " is no master with workers, so a reload cannot be proven",
                           "start it with -Ws (master-worker mode), as Debian's unit does"));
  } else if (master->failed > 0) {
    checks.push_back(check("HAProxy", CheckStatus::warn,
                           "its last reload failed: it runs an older configuration than on disk",
                           "look at its journal; the next good reload or restart ends this"));
  }
  if (seen.binary_current == false) {
    checks.push_back(check("Binary", CheckStatus::warn,
                           "the binary on disk is not the one that runs: a reload or a restart "
                           "upgrades HAProxy, too"));
  }
  return checks;
}

// A table without peers begins anew in the new worker: its clients lose their server, and its rates
// and limits count from nothing.
std::vector<Check> table_remarks(const ports::Files& files) {
  std::string lost;
  for (const auto& [path, text] : files) {
    std::string section;
    for (const std::string& line : split(text, '\n')) {
      const std::string_view trimmed = trim(std::string_view(line).substr(0, line.find('#')));
      std::vector<std::string> words;
      for (std::string& word : split(trimmed, ' '))
        if (!word.empty()) words.push_back(std::move(word));
      if (words.empty()) continue;
      const bool opens = line.front() != ' ' && line.front() != '\t';
      if (opens) section = words.size() > 1 ? words[1] : words[0];
      // In a section of peers the table is theirs.
      const bool kept = std::ranges::find(words, "peers") != words.end();
      if (words[0] == "stick-table" && !kept)
        lost += (lost.empty() ? "" : ", ") + escape_for_terminal(truncate_utf8(section, 60));
    }
  }
  if (lost.empty()) return {};
  return {check("Stick tables", CheckStatus::warn,
                "of " + lost + " are lost at each reload and restart: they have no `peers`",
                "a `peers` section with this HAProxy itself hands them to the new worker")};
}

}  // namespace

DaemonSpec haproxy_spec(const DaemonConfig& config) {
  DaemonSpec spec;
  spec.name = "HAProxy";
  spec.query.workers = Workers::haproxy;
  spec.query.binary = config.binary;
  spec.test = {{config.binary, "-c", "-f", "{config}"}, "haproxy -c", Dialect::plain, false};
  spec.on_bad_reload = ports::ReloadFailureMode::keeps_old;
  spec.complete = take_marks;
  spec.loaded_at = LoadedAt::youngest_worker;
  spec.prove_reload = prove;
  spec.still_missing = missing;
  spec.remarks = remarks;
  spec.config_remarks = table_remarks;
  return spec;
}

}  // namespace hitless::service
