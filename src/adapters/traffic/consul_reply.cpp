#include "adapters/traffic/consul_reply.hpp"

#include <boost/json.hpp>

#include "adapters/traffic/node_http.hpp"

namespace hitless::traffic {
namespace {

namespace json = boost::json;

constexpr const char* kNodeMaintenance = "_node_maintenance";
constexpr std::string_view kServiceMaintenance = "_service_maintenance:";

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr || !found->is_string() ? std::string() : std::string(found->as_string());
}
const json::object* object_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}
Result<json::value> parsed(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error)
    return fail(ErrorCode::failed, "Consul answered `" + shown(text) + "`, which is no answer");
  return value;
}

}  // namespace

Result<ConsulChecks> parse_consul_checks(std::string_view text, const std::string& service_id) {
  const auto root = parsed(text);
  if (!root) return tl::unexpected(root.error());
  const json::object* all = root->if_object();
  if (all == nullptr) return fail(ErrorCode::failed, "the agent's checks are no list");
  ConsulChecks checks;
  for (const auto& [key, value] : *all) {
    const json::object* check = value.if_object();
    if (check == nullptr) return fail(ErrorCode::failed, "the agent lists a check that is none");
    const std::string id = text_in(*check, "CheckID"), of = text_in(*check, "ServiceID");
    if (id == kNodeMaintenance) {
      checks.of_node = true;
    } else if (id == std::string(kServiceMaintenance) + service_id) {
      checks.maintenance = text_in(*check, "Notes");
    } else if (of == service_id || of.empty()) {
      ++checks.others;
      // `warning` is given to those who ask for passing ones no more than `critical`.
      if (text_in(*check, "Status") != "passing") ++checks.failing;
    }
  }
  return checks;
}

Result<ConsulOffer> parse_consul_health(std::string_view text, const std::string& service_id,
                                        const std::string& node) {
  const auto root = parsed(text);
  if (!root) return tl::unexpected(root.error());
  const json::array* all = root->if_array();
  if (all == nullptr) return fail(ErrorCode::failed, "the catalogue's instances are no list");
  ConsulOffer offer;
  for (const json::value& each : *all) {
    const json::object* entry = each.if_object();
    const json::object* service = entry == nullptr ? nullptr : object_in(*entry, "Service");
    const json::object* at = entry == nullptr ? nullptr : object_in(*entry, "Node");
    const json::value* checks = entry == nullptr ? nullptr : entry->if_contains("Checks");
    if (service == nullptr || at == nullptr || checks == nullptr || !checks->is_array())
      return fail(ErrorCode::failed, "the catalogue lists an instance that is none");
    if (text_in(*service, "ID") != service_id || text_in(*at, "Node") != node) continue;
    offer.known = offer.passing = true;
    for (const json::value& check : checks->as_array())
      if (!check.is_object() || text_in(check.as_object(), "Status") != "passing")
        offer.passing = false;
  }
  return offer;
}

Result<std::string> parse_consul_node(std::string_view text) {
  const auto root = parsed(text);
  if (!root) return tl::unexpected(root.error());
  const json::object* self = root->if_object();
  const json::object* config = self == nullptr ? nullptr : object_in(*self, "Config");
  const std::string name = config == nullptr ? std::string() : text_in(*config, "NodeName");
  if (name.empty()) return fail(ErrorCode::failed, "the agent does not tell its node's name");
  return name;
}

}  // namespace hitless::traffic
