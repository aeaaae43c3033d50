// What the modern era (2026-07-28) asks of each single request, and adds to each result. Pure.
#pragma once
#include <optional>
#include <string_view>

#include "mcp/dispatch.hpp"

namespace hitless::mcp {

inline constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kMetaCapabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kMetaLogLevel = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view kMetaServerInfo = "io.modelcontextprotocol/serverInfo";

// headers: null on stdio, where there are none to agree with the body.
[[nodiscard]] std::optional<RpcError> check_modern(const Message& message, const Headers* headers);
[[nodiscard]] bool is_gone_in_modern(std::string_view method);
[[nodiscard]] boost::json::object discover(const Offer& offer);
// resultType, serverInfo and, for what may be kept, for how long and by whom.
[[nodiscard]] boost::json::object finish_modern(std::string_view method, boost::json::object result,
                                                const Offer& offer);
// A header's value, decoded when it is written as =?base64?…?=; empty: it is not Base64.
[[nodiscard]] std::optional<std::string> header_text(std::string_view value);

}  // namespace hitless::mcp
