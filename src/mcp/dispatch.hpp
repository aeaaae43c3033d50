// The protocol as a function from a message to what is to be done with it, for both eras, without
// I/O: transports stand beside it.
//
// Era: `_meta` with the modern keys, or their headers, make a request modern; `initialize` opens a
// legacy session. One endpoint serves both. decide() says either what to answer at once, or which
// work to do; perform() does the work through the Offer; conclude() makes the answer. The same for
// HTTP (with headers) and stdio (without).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mcp/message.hpp"
#include "mcp/offer.hpp"
#include "mcp/session.hpp"

namespace hitless::mcp {

inline constexpr std::string_view kModernVersion = "2026-07-28";
inline constexpr std::string_view kLatestLegacy = "2025-11-25";
[[nodiscard]] bool is_legacy_version(std::string_view version);

struct Headers {
  std::vector<std::pair<std::string, std::string>> all;  // names in lower case, values trimmed
  [[nodiscard]] const std::string* find(std::string_view name) const;
};

struct Incoming {
  std::string_view body;
  const Headers* headers = nullptr;  // null: stdio
  Session* connection = nullptr;     // stdio: its session
};

struct Reply {
  int status = 200;
  boost::json::object body;  // empty: none
  std::string session;       // MCP-Session-Id of the answer; empty: none
};
struct Work {
  Era era = Era::legacy;
  Message message;
  std::string session;  // legacy
  boost::json::object client_capabilities;
  boost::json::value progress_token = nullptr;
  std::string log_level;  // modern: empty sends nothing; legacy: empty sends all
};
// The client's answer to a request of ours, or its wish to cancel one of its own.
struct ClientAnswer {
  std::string session;
  boost::json::object message;
};
struct Cancellation {
  std::string session;
  boost::json::value request;
};
using Step = std::variant<Reply, Work, ClientAnswer, Cancellation>;

[[nodiscard]] Step decide(const Incoming& incoming, Sessions& sessions, const Offer& offer);
Task<Outcome> perform(Offer* offer, Work work, Call call);
[[nodiscard]] Reply conclude(const Work& work, const Offer& offer, Outcome outcome);

// Is a log line of this level to be sent?
[[nodiscard]] bool log_level_wanted(const Work& work, std::string_view level);

// One page of a list: {key: […], nextCursor?}; kInvalidParams when the cursor is not one of ours.
[[nodiscard]] Outcome page_of(const boost::json::array& items, std::string_view key,
                              const boost::json::object& params);

}  // namespace hitless::mcp
