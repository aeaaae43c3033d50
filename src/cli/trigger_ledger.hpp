// What was made of findings, kept in the journal's database: one fact for each trigger of each
// service. Written before a rollout is asked for, so that a crash in between cannot repeat it.
#pragma once
#include <string>

#include "agent/trigger_cases.hpp"
#include "base/error.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

[[nodiscard]] std::string case_to_text(const agent::Case& of);
// What is not one of ours is an error, not an empty case: unknown is never good.
[[nodiscard]] Result<agent::Case> case_from_text(std::string_view text);

// key: "web pending_restart restart"
[[nodiscard]] Result<agent::Case> get_case(ports::Journal& journal, const std::string& key);
[[nodiscard]] Status put_case(ports::Journal& journal, const std::string& key,
                              const agent::Case& of);

}  // namespace hitless::cli
