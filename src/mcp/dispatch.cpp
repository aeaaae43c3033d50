#include "mcp/dispatch.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "mcp/modern.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kLegacyVersions = {"2025-11-25", "2025-06-18",
                                                             "2025-03-26"};
constexpr std::size_t kPageItems = 50;
constexpr std::array<std::string_view, 8> kLevels = {"debug", "info",     "notice", "warning",
                                                     "error", "critical", "alert",  "emergency"};

Reply refuse(RpcError error, const Message& message) {
  error.id = message.id;
  const int status = error.status;
  return {status, error_message(error), {}};
}

bool looks_modern(const Message& message, const Headers* headers) {
  if (message.method == "server/discover") return true;
  const json::object* meta = object_at(message.params, "_meta");
  if (meta != nullptr && meta->contains(kMetaVersion)) return true;
  if (headers == nullptr || message.method == "initialize") return false;
  const std::string* version = headers->find("mcp-protocol-version");
  if (version != nullptr && is_legacy_version(*version)) return false;  // its _meta decided above
  return headers->find("mcp-method") != nullptr ||
         (version != nullptr && *version == kModernVersion);
}

Reply initialize(const Message& message, Sessions& sessions, Session* connection,
                 const Offer& offer) {
  const std::string wanted = text_at(message.params, "protocolVersion");
  const json::object* capabilities = object_at(message.params, "capabilities");
  if (wanted.empty() || capabilities == nullptr)
    return refuse({kInvalidParams, "initialize needs protocolVersion and capabilities", nullptr,
                   connection == nullptr ? 400 : 200},
                  message);
  Session& session = connection != nullptr ? *connection : sessions.open();
  session.version = is_legacy_version(wanted) ? wanted : std::string(kLatestLegacy);
  session.client_capabilities = *capabilities;
  json::object result{{"protocolVersion", session.version},
                      {"capabilities", offer.capabilities(Era::legacy)},
                      {"serverInfo", offer.info()}};
  if (const std::string text = offer.instructions(); !text.empty()) result["instructions"] = text;
  return {200, result_message(message.id, std::move(result)), session.id};
}

// The session that a legacy message belongs to.
tl::expected<Session*, RpcError> session_of(const Incoming& incoming, Sessions& sessions) {
  if (incoming.headers == nullptr) {
    if (incoming.connection == nullptr || incoming.connection->version.empty())
      return tl::unexpected<RpcError>(RpcError{kInvalidRequest, "initialize first"});
    return incoming.connection;
  }
  const std::string* id = incoming.headers->find("mcp-session-id");
  if (id == nullptr)
    return tl::unexpected<RpcError>(
        RpcError{kInvalidRequest, "MCP-Session-Id is missing: initialize first", nullptr, 400});
  Session* session = sessions.find(*id);
  if (session == nullptr)
    return tl::unexpected<RpcError>(
        RpcError{kNoSession, "no such session: initialize again", nullptr, 404});
  const std::string* version = incoming.headers->find("mcp-protocol-version");
  if (version != nullptr && !is_legacy_version(*version))
    return tl::unexpected<RpcError>(
        RpcError{kInvalidRequest, "MCP-Protocol-Version is not one of ours", nullptr, 400});
  return session;
}

json::value token_of(const json::object& params) {
  const json::object* meta = object_at(params, "_meta");
  const json::value* token = meta != nullptr ? meta->if_contains("progressToken") : nullptr;
  const bool usable = token != nullptr && (token->is_string() || token->is_int64());
  return usable ? *token : json::value(nullptr);
}

Step set_level(const Message& message, Session& session) {
  const std::string level = text_at(message.params, "level");
  if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end())
    return refuse({kInvalidParams, "no such level"}, message);
  session.log_level = level;
  return Reply{200, result_message(message.id, {}), {}};
}

Step decide_legacy(const Incoming& incoming, Message message, Sessions& sessions,
                   const Offer& offer) {
  if (message.kind == Message::Kind::request && message.method == "initialize")
    return initialize(message, sessions, incoming.connection, offer);
  // A ping may come before everything; over HTTP it belongs to a session like all else.
  const bool early_ping = incoming.headers == nullptr && message.method == "ping" &&
                          message.kind == Message::Kind::request;
  auto session = session_of(incoming, sessions);
  if (!session && !early_ping) {
    if (incoming.headers == nullptr && message.kind != Message::Kind::request)
      return Reply{202, {}, {}};
    return refuse(session.error(), message);
  }
  if (message.method == "ping" && message.kind == Message::Kind::request)
    return Reply{200, result_message(message.id, {}), {}};
  Session& here = **session;
  if (message.kind == Message::Kind::response)
    return ClientAnswer{here.id, std::move(message.whole)};
  if (message.kind == Message::Kind::notification) {
    const json::value* id = message.params.if_contains("requestId");
    if (message.method == "notifications/cancelled" && id != nullptr)
      return Cancellation{here.id, *id};
    return Reply{202, {}, {}};
  }
  if (message.method == "logging/setLevel" && offer.capabilities(Era::legacy).contains("logging"))
    return set_level(message, here);
  Work work;
  work.era = Era::legacy;
  work.session = here.id;
  work.client_capabilities = here.client_capabilities;
  work.progress_token = token_of(message.params);
  work.log_level = here.log_level;
  work.message = std::move(message);
  return work;
}

Step decide_modern(const Incoming& incoming, Message message, const Offer& offer) {
  if (message.kind == Message::Kind::response)
    return refuse({kInvalidRequest, "this version has no requests of the server", nullptr, 400},
                  message);
  if (auto problem = check_modern(message, incoming.headers))
    return refuse(std::move(*problem), message);
  if (message.kind == Message::Kind::notification) {
    const json::value* id = message.params.if_contains("requestId");
    if (message.method == "notifications/cancelled" && id != nullptr && incoming.headers == nullptr)
      return Cancellation{{}, *id};
    return Reply{202, {}, {}};
  }
  if (message.method == "server/discover")
    return Reply{
        200, result_message(message.id, finish_modern(message.method, discover(offer), offer)), {}};
  if (is_gone_in_modern(message.method))
    return refuse({kMethodNotFound, "no method " + message.method, nullptr, 404}, message);
  const json::object& meta = *object_at(message.params, "_meta");
  Work work;
  work.era = Era::modern;
  work.client_capabilities = *object_at(meta, kMetaCapabilities);
  work.progress_token = token_of(message.params);
  work.log_level = text_at(meta, kMetaLogLevel);
  work.message = std::move(message);
  return work;
}

std::size_t level_number(std::string_view level) {
  return static_cast<std::size_t>(std::find(kLevels.begin(), kLevels.end(), level) -
                                  kLevels.begin());
}

}  // namespace

bool is_legacy_version(std::string_view version) {
  return std::find(kLegacyVersions.begin(), kLegacyVersions.end(), version) !=
         kLegacyVersions.end();
}

const std::string* Headers::find(std::string_view name) const {
  for (const auto& [each, value] : all)
    if (each == name) return &value;
  return nullptr;
}

Step decide(const Incoming& incoming, Sessions& sessions, const Offer& offer) {
  auto message = parse_message(incoming.body);
  if (!message) return Reply{message.error().status, error_message(message.error()), {}};
  if (looks_modern(*message, incoming.headers))
    return decide_modern(incoming, std::move(*message), offer);
  return decide_legacy(incoming, std::move(*message), sessions, offer);
}

Task<Outcome> perform(Offer* offer, Work work, Call call) {
  const std::string& method = work.message.method;
  const json::object& params = work.message.params;
  if (method == "tools/list") co_return page_of(offer->tools(), "tools", params);
  if (method == "prompts/list") co_return page_of(offer->prompts(), "prompts", params);
  if (method == "resources/templates/list")
    co_return page_of(offer->resource_templates(), "resourceTemplates", params);
  if (method == "resources/list") {
    Outcome listed = co_await offer->resources();
    if (!listed) co_return listed;
    co_return page_of(listed->at("resources").as_array(), "resources", params);
  }
  if (method == "completion/complete") co_return offer->complete(params);
  const bool by_name = method == "tools/call" || method == "prompts/get";
  const std::string name = text_at(params, by_name ? "name" : "uri");
  if (by_name || method == "resources/read") {
    if (name.empty())
      co_return tl::unexpected<RpcError>(
          RpcError{kInvalidParams, by_name ? "name is missing" : "uri is missing"});
    const json::object* given = object_at(params, "arguments");
    json::object arguments = given != nullptr ? *given : json::object();
    if (method == "tools/call")
      co_return co_await offer->call_tool(name, std::move(arguments), std::move(call));
    if (method == "prompts/get")
      co_return co_await offer->get_prompt(name, std::move(arguments), std::move(call));
    co_return co_await offer->read_resource(name, std::move(call));
  }
  co_return offer->other(method, params);
}

Reply conclude(const Work& work, const Offer& offer, Outcome outcome) {
  if (!outcome) {
    RpcError error = std::move(outcome.error());
    const bool modern = work.era == Era::modern;
    if (modern && error.code == kMethodNotFound) error.status = 404;
    if (modern && error.code == kMissingCapability) error.status = 400;
    if (!modern) error.status = 200;  // its code says it; the exchange itself went well
    return refuse(std::move(error), work.message);
  }
  json::object result = work.era == Era::modern
                            ? finish_modern(work.message.method, std::move(*outcome), offer)
                            : std::move(*outcome);
  return {200, result_message(work.message.id, std::move(result)), {}};
}

bool log_level_wanted(const Work& work, std::string_view level) {
  if (work.log_level.empty()) return work.era == Era::legacy;
  return level_number(level) >= level_number(work.log_level) &&
         level_number(level) < kLevels.size();
}

Outcome page_of(const json::array& items, std::string_view key, const json::object& params) {
  std::size_t from = 0;
  if (const json::value* cursor = params.if_contains("cursor"); cursor != nullptr) {
    const std::string text =
        cursor->is_string() ? std::string(cursor->get_string()) : std::string();
    const auto [end, error] =
        text.size() < 2 ? std::from_chars_result{text.data(), std::errc::invalid_argument}
                        : std::from_chars(text.data() + 1, text.data() + text.size(), from);
    if (error != std::errc{} || text[0] != 'p' || end != text.data() + text.size() || from == 0 ||
        from >= items.size())
      return tl::unexpected<RpcError>(RpcError{kInvalidParams, "this cursor is not one of ours"});
  }
  const std::size_t to = std::min(items.size(), from + kPageItems);
  json::object page{
      {json::string(key), json::array(items.begin() + static_cast<std::ptrdiff_t>(from),
                                      items.begin() + static_cast<std::ptrdiff_t>(to))}};
  if (to < items.size()) page["nextCursor"] = "p" + std::to_string(to);
  return page;
}

}  // namespace hitless::mcp
