#include "mcp/message.hpp"

#include <boost/json/parse.hpp>

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 24;
constexpr std::size_t kMaxIdBytes = 256;
constexpr std::size_t kMaxMethodBytes = 128;

bool is_id(const json::value& id) {
  if (id.is_string()) return id.get_string().size() <= kMaxIdBytes;
  return id.is_int64() || id.is_uint64();
}

tl::unexpected<RpcError> bad(int code, std::string what, json::value id = nullptr) {
  return tl::unexpected<RpcError>(RpcError{code, std::move(what), nullptr, 400, std::move(id)});
}

}  // namespace

tl::expected<Message, RpcError> parse_message(std::string_view text) {
  if (text.size() > kMaxMessageBytes) return bad(kInvalidRequest, "the message is over 1 MiB");
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::value parsed = json::parse(text, error, {}, options);
  if (error) return bad(kParseError, "not JSON: " + error.message());
  if (parsed.is_array()) return bad(kInvalidRequest, "batches are not supported");
  if (!parsed.is_object()) return bad(kInvalidRequest, "a message is an object");
  json::object& object = parsed.get_object();
  Message message;
  if (const json::value* id = object.if_contains("id"); id != nullptr) {
    if (!is_id(*id)) return bad(kInvalidRequest, "an id is a string or an integer");
    message.id = *id;
  }
  if (text_at(object, "jsonrpc") != "2.0")
    return bad(kInvalidRequest, "jsonrpc has to be \"2.0\"", message.id);
  const json::value* method = object.if_contains("method");
  if (method == nullptr) {
    if (message.id.is_null() || object.contains("result") == object.contains("error"))
      return bad(kInvalidRequest, "neither request, notification nor response", message.id);
    message.kind = Message::Kind::response;
    message.whole = std::move(object);
    return message;
  }
  if (!method->is_string() || method->get_string().size() > kMaxMethodBytes)
    return bad(kInvalidRequest, "a method is a short string", message.id);
  message.method = std::string(method->get_string());
  message.kind = message.id.is_null() ? Message::Kind::notification : Message::Kind::request;
  if (json::value* params = object.if_contains("params"); params != nullptr) {
    if (!params->is_object()) return bad(kInvalidParams, "params has to be an object", message.id);
    message.params = std::move(params->get_object());
  }
  return message;
}

json::object result_message(const json::value& id, json::object result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

json::object error_message(const RpcError& error) {
  json::object body{{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) body["data"] = error.data;
  json::object message{{"jsonrpc", "2.0"}};
  if (!error.id.is_null()) message["id"] = error.id;  // the schema knows no null
  message["error"] = std::move(body);
  return message;
}

json::object notification(std::string_view method, json::object params) {
  return {{"jsonrpc", "2.0"}, {"method", json::string(method)}, {"params", std::move(params)}};
}

std::string text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

const json::object* object_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr ? found->if_object() : nullptr;
}

}  // namespace hitless::mcp
