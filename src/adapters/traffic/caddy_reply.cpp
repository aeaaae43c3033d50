#include "adapters/traffic/caddy_reply.hpp"

#include <boost/json.hpp>

namespace hitless::traffic {

namespace json = boost::json;

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
