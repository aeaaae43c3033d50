// Redis. It has no reload; a restart is proven by systemd and by a new run_id, and it is only good
// again when its data set is loaded and, for a replica, the link to its master is up.
#include <map>

#include "adapters/service/daemon.hpp"
#include "adapters/service/evidence.hpp"
#include "adapters/service/generations.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;

// Of `INFO` and `CONFIG GET save` what matters here.
constexpr const char* kFields[] = {"run_id",           "loading",     "role", "master_link_status",
                                   "connected_slaves", "aof_enabled", "save"};

void take_answer(ProbeResult& seen, const ports::ExecResult& answer) {
  std::map<std::string, std::string> told;
  const std::vector<std::string> lines = split(answer.out, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line(trim(lines[i]));
    if (line == "save") told["save"] = i + 1 < lines.size() ? trim(lines[i + 1]) : "";
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) told[line.substr(0, colon)] = line.substr(colon + 1);
  }
  for (const char* field : kFields) {
    if (const auto found = told.find(field); found != told.end()) seen.facts[field] = found->second;
  }
  if (seen.facts.contains("run_id"))
    seen.identity.workers.push_back("run_id:" + seen.facts["run_id"]);
  else
    seen.facts["refused"] = describe_exit(answer);
}

std::string fact(const ProbeResult& seen, const char* name) {
  const auto found = seen.facts.find(name);
  return found == seen.facts.end() ? std::string() : found->second;
}

std::string missing(const core::ServiceIdentity& before, const ProbeResult& seen) {
  const std::string run_id = fact(seen, "run_id");
  if (run_id.empty()) return "its client got no answer: " + fact(seen, "refused");
  if (run_id == mark_of(before, "run_id")) return "still with the run_id of before";
  if (fact(seen, "loading") != "0") return "it is loading its data set";
  const std::string link = fact(seen, "master_link_status");
  if (!link.empty() && link != "up") return "its link to the master is " + link;
  return {};
}

std::vector<Check> remarks(const ProbeResult& seen) {
  if (fact(seen, "run_id").empty()) {
    return {check("Redis", CheckStatus::unknown,
                  "its client got no answer: " + fact(seen, "refused"),
                  "set `redis.cli:` to a command that reaches it, with its password")};
  }
  std::vector<Check> checks;
  const std::string replicas = fact(seen, "connected_slaves");
  if (fact(seen, "role") == "master" && !replicas.empty() && replicas != "0") {
    checks.push_back(
        check("Redis", CheckStatus::warn,
              "it is the master of " + replicas + " replicas: nobody can write while it restarts",
              "fail over first (FAILOVER, or Sentinel), then restart it"));
  }
  const bool no_snapshots = seen.facts.contains("save") && fact(seen, "save").empty();
  if (fact(seen, "aof_enabled") == "0" && no_snapshots) {
    checks.push_back(check("Redis data", CheckStatus::warn,
                           "nothing is saved (appendonly no, save \"\"): a restart loses its data",
                           "fine for a cache that may be cold; otherwise set `save`"));
  }
  return checks;
}

}  // namespace

DaemonSpec redis_spec(const DaemonConfig& config) {
  DaemonSpec spec;
  spec.name = "Redis";
  spec.reloads = false;
  spec.client = config.cli;
  spec.client_input = "INFO\nCONFIG GET save\n";
  spec.complete = take_answer;
  spec.loaded_at = LoadedAt::main_process;
  spec.still_missing = missing;
  spec.remarks = remarks;
  if (!config.cli.empty()) spec.programs.push_back(config.cli.front());
  return spec;
}

}  // namespace hitless::service
