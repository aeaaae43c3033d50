// JSON-RPC 2.0 messages as MCP uses them: one object each, no batches.
//
// Bad input of any kind becomes an RpcError; parsing has limits of depth and size. Pure.
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace hitless::mcp {

inline constexpr std::size_t kMaxMessageBytes = 1u << 20;

struct RpcError {
  int code = 0;
  std::string message;
  boost::json::value data = nullptr;  // null: none
  int status = 200;                   // of HTTP
  boost::json::value id = nullptr;    // of the request, as far as it is known
};

// Codes of JSON-RPC, then of MCP.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kNoSession = -32001;
inline constexpr int kResourceNotFound = -32002;
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;

using Outcome = tl::expected<boost::json::object, RpcError>;

struct Message {
  enum class Kind { request, notification, response };
  Kind kind = Kind::request;
  boost::json::value id = nullptr;  // string or integer
  std::string method;
  boost::json::object params;
  boost::json::object whole;  // response
};
[[nodiscard]] tl::expected<Message, RpcError> parse_message(std::string_view text);

[[nodiscard]] boost::json::object result_message(const boost::json::value& id,
                                                 boost::json::object result);
[[nodiscard]] boost::json::object error_message(const RpcError& error);
[[nodiscard]] boost::json::object notification(std::string_view method, boost::json::object params);

// The string at `key`, empty when there is none.
[[nodiscard]] std::string text_at(const boost::json::object& from, std::string_view key);
[[nodiscard]] const boost::json::object* object_at(const boost::json::object& from,
                                                   std::string_view key);

}  // namespace hitless::mcp
