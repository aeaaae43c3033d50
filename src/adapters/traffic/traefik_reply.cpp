#include "adapters/traffic/traefik_reply.hpp"

#include <boost/json.hpp>

#include "adapters/traffic/node_http.hpp"

namespace hitless::traffic {

namespace json = boost::json;

Result<TraefikService> parse_traefik_service(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::object* root = error ? nullptr : parsed.if_object();
  const json::value* balancer = root == nullptr ? nullptr : root->if_contains("loadBalancer");
  if (balancer == nullptr || !balancer->is_object())
    return fail(ErrorCode::failed,
                "its API answered `" + shown(text) + "`, which is no service with a loadBalancer");
  TraefikService service;
  service.checked = balancer->as_object().contains("healthCheck");
  // One whose last server was taken out has no list.
  if (const json::value* servers = balancer->as_object().if_contains("servers");
      servers != nullptr && servers->is_array())
    for (const json::value& each : servers->as_array()) {
      const json::value* url = each.is_object() ? each.as_object().if_contains("url") : nullptr;
      if (url == nullptr || !url->is_string())
        return fail(ErrorCode::failed, "its API lists a server without a url");
      service.servers[std::string(url->as_string())];
    }
  if (const json::value* status = root->if_contains("serverStatus");
      status != nullptr && status->is_object())
    for (const auto& [url, word] : status->as_object()) {
      const auto known = service.servers.find(std::string(url));
      if (known != service.servers.end() && word.is_string()) known->second = word.as_string();
    }
  return service;
}

}  // namespace hitless::traffic
