// What the conformance suite wants a server to offer: made-up tools, resources and prompts on the
// same protocol core as `hitless mcp`. For tests only.
#pragma once
#include <memory>
#include <optional>

#include "mcp/offer.hpp"

namespace hitless::mcp {

[[nodiscard]] std::unique_ptr<Offer> make_fixture_offer();

// Tools that need something from the client: asked in the legacy era, answered with
// input_required in the modern one. Empty: not one of these.
Task<std::optional<Outcome>> call_asking_tool(std::string name, boost::json::object arguments,
                                              Call call);
[[nodiscard]] boost::json::array asking_tools();
[[nodiscard]] Outcome asking_prompt(const Call& call);

[[nodiscard]] boost::json::object text_result(std::string text);
[[nodiscard]] boost::json::object tool_entry(std::string name, std::string about,
                                             std::string_view input = "");

}  // namespace hitless::mcp
