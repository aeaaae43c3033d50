#include "mcp/modern.hpp"

#include <algorithm>
#include <array>

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr std::int64_t kListTtlMs = 60'000;
constexpr std::int64_t kReadTtlMs = 1'000;

RpcError bad(int code, std::string what, json::value data = nullptr) {
  return {code, std::move(what), std::move(data), 400};
}

std::optional<RpcError> check_version(const std::string& version) {
  if (version == kModernVersion) return std::nullopt;
  return bad(kUnsupportedVersion, "unsupported protocol version",
             json::object{{"supported", json::array{json::string(kModernVersion)}},
                          {"requested", version}});
}

// The header that has to repeat the name of what is asked for.
const char* named_by(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  return method == "resources/read" ? "uri" : nullptr;
}

std::optional<RpcError> check_headers(const Message& message, const Headers& headers) {
  const std::string* method = headers.find("mcp-method");
  if (method == nullptr) return bad(kHeaderMismatch, "Mcp-Method is missing");
  if (*method != message.method) return bad(kHeaderMismatch, "Mcp-Method is not the body's method");
  const char* key = named_by(message.method);
  if (key == nullptr) return std::nullopt;
  const std::string* name = headers.find("mcp-name");
  if (name == nullptr) return bad(kHeaderMismatch, "Mcp-Name is missing");
  const auto text = header_text(*name);
  if (!text || *text != text_at(message.params, key))
    return bad(kHeaderMismatch, std::string("Mcp-Name is not the body's ") + key);
  return std::nullopt;
}

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  unsigned bits = 0;
  int have = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const int value = sextet(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<unsigned>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>((bits >> have) & 0xffu);
  }
  return out;
}

}  // namespace

std::optional<std::string> header_text(std::string_view value) {
  constexpr std::string_view kBegin = "=?base64?", kEnd = "?=";
  const bool wrapped = value.size() >= kBegin.size() + kEnd.size() && value.starts_with(kBegin) &&
                       value.ends_with(kEnd);
  if (!wrapped) return std::string(value);
  return from_base64(value.substr(kBegin.size(), value.size() - kBegin.size() - kEnd.size()));
}

std::optional<RpcError> check_modern(const Message& message, const Headers* headers) {
  const std::string* version = headers != nullptr ? headers->find("mcp-protocol-version") : nullptr;
  if (headers != nullptr && version == nullptr)
    return bad(kHeaderMismatch, "MCP-Protocol-Version is missing");
  const json::object* meta = object_at(message.params, "_meta");
  const bool request = message.kind == Message::Kind::request;
  if (request) {
    if (meta == nullptr) return bad(kInvalidParams, "params._meta is missing");
    if (text_at(*meta, kMetaVersion).empty())
      return bad(kInvalidParams, "params._meta needs " + std::string(kMetaVersion));
    if (object_at(*meta, kMetaCapabilities) == nullptr)
      return bad(kInvalidParams, "params._meta needs " + std::string(kMetaCapabilities));
    if (version != nullptr && *version != text_at(*meta, kMetaVersion))
      return bad(kHeaderMismatch, "MCP-Protocol-Version is not the body's version");
  }
  if (request || version != nullptr) {
    if (auto problem = check_version(request ? text_at(*meta, kMetaVersion) : *version))
      return problem;
  }
  if (headers == nullptr) return std::nullopt;
  return check_headers(message, *headers);
}

bool is_gone_in_modern(std::string_view method) {
  constexpr std::array<std::string_view, 5> kGone = {
      "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"};
  return std::find(kGone.begin(), kGone.end(), method) != kGone.end();
}

json::object discover(const Offer& offer) {
  json::object result{{"supportedVersions", json::array{json::string(kModernVersion)}},
                      {"capabilities", offer.capabilities(Era::modern)}};
  if (const std::string text = offer.instructions(); !text.empty()) result["instructions"] = text;
  return result;
}

json::object finish_modern(std::string_view method, json::object result, const Offer& offer) {
  if (!result.contains("resultType")) result["resultType"] = "complete";
  json::value& meta = result["_meta"];
  if (!meta.is_object()) meta = json::object();
  meta.get_object()[kMetaServerInfo] = offer.info();
  const bool list = method.ends_with("/list") || method == "server/discover";
  if (list || method == "resources/read") {
    if (!result.contains("ttlMs"))
      result["ttlMs"] = list && method != "resources/list" ? kListTtlMs : kReadTtlMs;
    result["cacheScope"] = "private";
  }
  return result;
}

}  // namespace hitless::mcp
