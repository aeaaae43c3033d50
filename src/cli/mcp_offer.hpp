// The tool registry as what an MCP server offers: tools; the fleet, rollouts and incidents as
// resources; prompts. Resources are read through the same tools, so that one gate and one redaction
// hold for all.
#pragma once
#include "agent/tools/registry.hpp"
#include "mcp/offer.hpp"

namespace hitless::cli {

// The registry must outlive it.
[[nodiscard]] std::unique_ptr<mcp::Offer> make_tool_offer(const agent::Registry* registry,
                                                          agent::Caller caller);

}  // namespace hitless::cli
