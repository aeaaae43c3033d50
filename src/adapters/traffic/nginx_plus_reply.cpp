#include "adapters/traffic/nginx_plus_reply.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>

#include "adapters/traffic/node_http.hpp"
#include "base/text.hpp"

namespace hitless::traffic {
namespace {

namespace json = boost::json;

Result<json::object> object_of(std::string_view text) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object())
    return fail(ErrorCode::failed, "its API answered `" + shown(text) + "`, which is no answer");
  return std::move(parsed.as_object());
}

std::optional<std::int64_t> number_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr || !found->is_int64()) return std::nullopt;
  return found->as_int64();
}
std::string text_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr || !found->is_string() ? std::string() : std::string(found->as_string());
}
const json::object* object_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}

}  // namespace

Result<NginxPeers> parse_nginx_peers(std::string_view text) {
  const auto root = object_of(text);
  if (!root) return tl::unexpected(root.error());
  const json::value* list = root->if_contains("peers");
  if (list == nullptr || !list->is_array())
    return fail(ErrorCode::failed, "its API lists no peers of that upstream");
  NginxPeers peers;
  for (const json::value& each : list->as_array()) {
    const json::object* one = each.if_object();
    const auto id = one == nullptr ? std::nullopt : number_in(*one, "id");
    if (!id) return fail(ErrorCode::failed, "its API lists a peer without an id");
    NginxPeer peer;
    peer.id = *id;
    peer.state = text_in(*one, "state");
    peer.active = number_in(*one, "active");
    peer.requests = number_in(*one, "requests");
    peer.fails = number_in(*one, "fails");
    if (const json::object* responses = object_in(*one, "responses"))
      peer.responses_5xx = number_in(*responses, "5xx");
    if (const json::object* checks = object_in(*one, "health_checks"))
      peer.checked = number_in(*checks, "checks").value_or(0) > 0;
    const std::string server = text_in(*one, "server");
    if (!peers.emplace(server, std::move(peer)).second)
      return fail(ErrorCode::refused,
                  "the upstream has " + escape_for_terminal(server) + " more than once");
  }
  return peers;
}

std::optional<std::int64_t> parse_nginx_time(std::string_view text) {
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  const std::string copy(text.substr(0, 40));
  if (std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d", &year, &month, &day, &hour, &minute,
                  &second) != 6)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

Result<NginxPlusInfo> parse_nginx_info(std::string_view text) {
  const auto root = object_of(text);
  if (!root) return tl::unexpected(root.error());
  const auto generation = number_in(*root, "generation"), master = number_in(*root, "ppid");
  const auto loaded = parse_nginx_time(text_in(*root, "load_timestamp"));
  const auto now = parse_nginx_time(text_in(*root, "timestamp"));
  if (!generation || !master || !loaded || !now)
    return fail(ErrorCode::failed, "its API does not tell when nginx was loaded");
  return NginxPlusInfo{*generation, *master, *now - *loaded};
}

std::string nginx_error(std::string_view body) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  const json::object* root = error ? nullptr : parsed.if_object();
  const json::object* inner = root == nullptr ? nullptr : object_in(*root, "error");
  if (inner == nullptr) return shown(body);
  return shown(text_in(*inner, "code") + ": " + text_in(*inner, "text"));
}

}  // namespace hitless::traffic
