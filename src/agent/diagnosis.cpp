#include "agent/diagnosis.hpp"

#include <array>

namespace hitless::agent {

std::string_view to_string(Category category) {
  constexpr std::array<std::string_view, 27> kNames = {"config_syntax",
                                                       "config_missing_file",
                                                       "config_permission",
                                                       "bad_exec",
                                                       "port_in_use",
                                                       "missing_setting",
                                                       "out_of_memory",
                                                       "disk_full",
                                                       "certificate_expired",
                                                       "name_resolution",
                                                       "upstream_unreachable",
                                                       "dependency_down",
                                                       "change_elsewhere",
                                                       "not_ready",
                                                       "crash_loop",
                                                       "slow_start",
                                                       "host_lost",
                                                       "errors_in_traffic",
                                                       "latency_regression",
                                                       "drain_stuck",
                                                       "lb_still_sends",
                                                       "capacity",
                                                       "drift",
                                                       "controller_lost",
                                                       "kill_switch",
                                                       "healthy",
                                                       "undetermined"};
  return kNames.at(static_cast<std::size_t>(category));
}

std::string_view to_string(Recommendation recommendation) {
  constexpr std::array<std::string_view, 10> kNames = {"none",
                                                       "wait",
                                                       "stop_before_drain",
                                                       "roll_back",
                                                       "hold_and_page",
                                                       "page_dependency",
                                                       "deny",
                                                       "make_new_plan",
                                                       "resume",
                                                       "stop_at_safe_point"};
  return kNames.at(static_cast<std::size_t>(recommendation));
}

std::string_view to_string(Confidence confidence) {
  constexpr std::array<std::string_view, 3> kNames = {"low", "medium", "high"};
  return kNames.at(static_cast<std::size_t>(confidence));
}

std::string check_quotes(const Diagnosis& diagnosis, const EvidenceStore& store) {
  for (const Hypothesis& hypothesis : diagnosis.hypotheses) {
    const std::string name(to_string(hypothesis.category));
    if (hypothesis.supports.empty()) return name + " has no evidence";
    for (const auto* ids : {&hypothesis.supports, &hypothesis.refutes}) {
      for (const std::string& id : *ids) {
        if (store.find(id) == nullptr) return name + " names evidence that does not exist: " + id;
      }
    }
    for (const Quote& quote : hypothesis.quotes) {
      const Evidence* evidence = store.find(quote.evidence);
      if (evidence == nullptr)
        return name + " quotes evidence that does not exist: " + quote.evidence;
      if (quote.text.empty() || evidence->body.find(quote.text) == std::string::npos)
        return name + " quotes what does not stand in " + quote.evidence;
    }
  }
  return {};
}

}  // namespace hitless::agent
