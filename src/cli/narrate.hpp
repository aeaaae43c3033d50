// The journal in words: each entry as the lines a person reads, in the voice of the story
// ([DIAGNOSE], [FIX]). The same lines serve the live screen, plain progress, `show` and the audit
// log, so that what was seen and what is kept cannot differ.
#pragma once
#include <string>
#include <vector>

#include "core/state.hpp"

namespace hitless::cli {

enum class Mood { neutral, good, bad, warn, unknown };

struct Line {
  core::TimeMs at = 0;
  std::string instance;  // "web01"; empty for the rollout
  std::string tag;       // "DIAGNOSE", "FIX"
  std::string text;      // not yet escaped for a terminal
  Mood mood = Mood::neutral;
  bool detail = false;  // a line of a checklist
};

// `before` and `after`: the state around the entry.
[[nodiscard]] std::vector<Line> narrate(const core::Entry& entry, const core::State& before,
                                        const core::State& after);

// "web01" of "web@web01".
[[nodiscard]] std::string host_part(const core::InstanceId& id);
[[nodiscard]] std::string seconds_text(core::DurationMs ms);

// The load balancer sends it work, by the last look. So does one that is quarantined because its
// way back failed only when it was back in: nobody may call that left out.
bool seen_in(const core::Instance& instance);

}  // namespace hitless::cli
