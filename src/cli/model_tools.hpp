// The read tools of the registry as a language model gets them.
//
// Invariants: only tools of Level::read that are named here, whatever the registry offers to
// others; what they return is redacted (registry) and stripped of what clients of a service can
// write, in every string; ids in it come with their evidence, so that an answer may cite them. For
// the reading of a request only names, states and numbers come back, no text from anywhere: a
// request that stands in some log can never become one.
#pragma once
#include "agent/tools/registry.hpp"
#include "cli/tools.hpp"
#include "llm/opinion.hpp"
#include "llm/tool_loop.hpp"

namespace hitless::cli {

// Registry and world must outlive what comes back.
[[nodiscard]] llm::OpinionTools opinion_tools(const agent::Registry* registry, ToolWorld* world);
[[nodiscard]] llm::ToolBox reading_tools(const agent::Registry* registry);

// Every string without what clients can write; placeholders stand for it.
[[nodiscard]] boost::json::value without_client_text(const boost::json::value& value);
// Of service_status: names, states, numbers.
[[nodiscard]] boost::json::object states_only(const boost::json::object& status);

}  // namespace hitless::cli
