#include "cli/refusal_evidence.hpp"

#include "base/text.hpp"

namespace hitless::cli {
namespace {

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

// "api-gateway is not healthy: HTTP 503, db reports healthy" in the words of the other evidence.
std::string dependency_lines(const std::string& said) {
  constexpr std::string_view kBad = " is not healthy";
  std::string lines;
  for (std::size_t at = said.find(kBad); at != std::string::npos;
       at = said.find(kBad, at + kBad.size())) {
    const std::size_t from = said.rfind(' ', at == 0 ? 0 : at - 1);
    const std::size_t start = from == std::string::npos ? 0 : from + 1;
    lines += "name=" + said.substr(start, at - start) + " status=fail\n";
  }
  return lines;
}

agent::Source source_of_check(const std::string& name) {
  if (has(name, "onfiguration") || has(name, "config") || has(name, "syntax"))
    return agent::Source::config_test;
  if (has(name, "Disk")) return agent::Source::disk;
  if (has(name, "dependenc")) return agent::Source::dependency;
  if (name == "Health endpoint") return agent::Source::health;
  return agent::Source::rollout;
}

}  // namespace

KeptEvidence refusal_evidence(const core::State& state) {
  KeptEvidence kept;
  kept.situation.service = state.plan.service;
  kept.situation.failed = true;
  for (const core::Instance& instance : state.instances) {
    kept.situation.touched |= instance.acted || instance.config_touched;
    if (!instance.report) continue;
    for (const core::Check& check : instance.report->checks) {
      if (check.status == core::CheckStatus::pass || check.status == core::CheckStatus::warn)
        continue;
      const agent::Source source = source_of_check(check.name);
      std::string text = check.evidence;
      if (source == agent::Source::dependency) text = dependency_lines(text) + text;
      if (source == agent::Source::rollout) text = check.name + ": " + text;
      kept.store.add(source, instance.plan.host, state.now, text);
    }
  }
  kept.store.add(agent::Source::rollout, {}, state.now, state.halt_reason);
  return kept;
}

}  // namespace hitless::cli
