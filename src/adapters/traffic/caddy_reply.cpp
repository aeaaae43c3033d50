#include "adapters/traffic/caddy_reply.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxHeadBytes = 16u << 10;

tl::unexpected<Error> no_reply(std::string_view out) {
  return fail(ErrorCode::failed, "its admin API answered `" +
                                     escape_for_terminal(truncate_utf8(redact(out), 80)) +
                                     "`, which is no answer");
}

}  // namespace

Result<CaddyReply> parse_caddy_reply(std::string_view head, std::string_view body) {
  if (head.size() > kMaxHeadBytes) return no_reply(head);
  CaddyReply reply;
  reply.body = body;
  for (const std::string& raw : split(head, '\n')) {
    const std::string line(trim(raw));
    const bool is_etag = line.size() > 5 && line[4] == ':' && (line[0] == 'E' || line[0] == 'e') &&
                         (line[1] == 't' || line[1] == 'T') && line.compare(2, 2, "ag") == 0;
    if (is_etag) reply.etag = trim(std::string_view(line).substr(5));
    if (!line.starts_with("HTTP/")) continue;
    reply.status = 0;  // of the last answer: 100 Continue comes before it
    reply.etag.clear();
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos) return no_reply(head);
    (void)std::from_chars(line.data() + blank + 1, line.data() + line.size(), reply.status);
  }
  if (reply.status < 200 || reply.status > 599) return no_reply(head);
  return reply;
}

Result<CaddyUpstreams> parse_caddy_upstreams(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_array())
    return fail(ErrorCode::failed, "the handler's `upstreams` are no list", {},
                "is that @id the one of a reverse_proxy handler?");
  CaddyUpstreams list;
  list.json = text;
  for (const json::value& each : parsed.as_array()) {
    const json::value* dial = each.is_object() ? each.as_object().if_contains("dial") : nullptr;
    if (dial == nullptr || !dial->is_string())
      return fail(ErrorCode::failed, "an upstream without `dial` (dynamic upstreams?)");
    list.dials.emplace_back(dial->as_string());
    if (each.as_object().size() > 1) list.with_settings.push_back(list.dials.back());
  }
  return list;
}

std::string without_dial(const CaddyUpstreams& list, const std::string& dial) {
  json::array kept;
  const json::value all = json::parse(list.json);  // a temporary would be gone in the loop
  for (const json::value& each : all.as_array())
    if (each.at("dial").as_string() != dial) kept.push_back(each);
  return json::serialize(kept);
}

std::string with_dial(const CaddyUpstreams& list, const std::string& dial) {
  json::array all = json::parse(list.json).as_array();
  all.push_back(json::object{{"dial", dial}});
  return json::serialize(all);
}

}  // namespace hitless::traffic
