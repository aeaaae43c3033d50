#include "adapters/traffic/envoy_reply.hpp"

#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

namespace json = boost::json;

constexpr const char* kMark = "hitless";  // in an endpoint's filter_metadata

tl::unexpected<Error> odd(const std::string& what) {
  return fail(ErrorCode::failed, "its " + what + " is not what Envoy writes");
}

// The key as it is in Envoy's configuration, or as JSON has it (lbEndpoints).
template <class Object>
auto* field(Object& object, std::string_view name) {
  auto* found = object.if_contains(name);
  if (found != nullptr) return found;
  std::string camel;
  for (std::size_t i = 0; i < name.size(); ++i)
    camel += name[i] == '_' && i + 1 < name.size() ? static_cast<char>(name[++i] - 32) : name[i];
  return object.if_contains(camel);
}
const json::object* object_in(const json::object& parent, std::string_view name) {
  const json::value* found = field(parent, name);
  return found == nullptr ? nullptr : found->if_object();
}
const json::array* list_in(const json::object& parent, std::string_view name) {
  const json::value* found = field(parent, name);
  return found == nullptr ? nullptr : found->if_array();
}
std::string text_in(const json::object& parent, std::string_view name) {
  const json::value* found = field(parent, name);
  return found == nullptr || !found->is_string() ? std::string() : std::string(found->as_string());
}
std::int64_t number_of(const json::value& value) {  // 64-bit numbers are strings in its JSON
  if (value.is_int64()) return value.as_int64();
  if (value.is_uint64()) return static_cast<std::int64_t>(value.as_uint64());
  std::int64_t number = 0;
  if (value.is_string())
    (void)std::from_chars(value.as_string().data(),
                          value.as_string().data() + value.as_string().size(), number);
  return number;
}
std::int64_t number_in(const json::object& parent, std::string_view name) {
  const json::value* found = field(parent, name);
  return found == nullptr ? 0 : number_of(*found);
}

std::string address_of(const json::object& holder) {
  const json::object* address = object_in(holder, "address");
  const json::object* socket = address == nullptr ? nullptr : object_in(*address, "socket_address");
  if (socket == nullptr) return {};
  const std::string ip = text_in(*socket, "address");
  const std::string port = std::to_string(number_in(*socket, "port_value"));
  return ip.find(':') != std::string::npos ? "[" + ip + "]:" + port : ip + ":" + port;
}

Result<json::object> object_of(std::string_view text, const char* what) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return odd(what);
  return std::move(parsed.as_object());
}

EnvoyHost host_of(const json::object& status) {
  EnvoyHost host;
  host.priority = number_in(status, "priority");
  if (const json::object* health = object_in(status, "health_status")) {
    host.eds = text_in(*health, "eds_health_status");
    constexpr std::array flags{"failed_active_health_check", "failed_outlier_check",
                               "pending_dynamic_removal",    "pending_active_hc",
                               "active_hc_timeout",          "excluded_via_immediate_hc_fail"};
    for (const char* flag : flags) {
      const json::value* set = field(*health, flag);
      host.failing |= set != nullptr && set->is_bool() && set->as_bool();
    }
  }
  if (const json::array* stats = list_in(status, "stats"))
    for (const json::value& each : *stats)
      if (const json::object* stat = each.if_object())
        if (const std::string name = text_in(*stat, "name"); !name.empty())
          host.stats[name] = number_in(*stat, "value");
  return host;
}

}  // namespace

std::optional<std::int64_t> EnvoyHost::stat(const std::string& name) const {
  const auto found = stats.find(name);
  return found == stats.end() ? std::nullopt : std::optional(found->second);
}

bool EnvoyHost::told_in() const {
  return eds == "HEALTHY" || eds == "UNKNOWN" || eds == "DEGRADED" || eds.empty();
}

bool EnvoyHost::gets_work() const {
  return told_in() && !failing;
}

bool EnvoyCluster::panics(const std::string& endpoint, int percent, bool out) const {
  const auto mine = hosts.find(endpoint);
  if (mine == hosts.end()) return false;
  std::int64_t all = 0, healthy = 0;
  for (const auto& [name, host] : hosts) {
    if (host.priority != mine->second.priority) continue;
    ++all;
    if (host.gets_work() && !(out && name == endpoint)) ++healthy;
  }
  return healthy * 100 < all * percent;
}

Result<EnvoyCluster> parse_envoy_clusters(std::string_view text, const std::string& cluster) {
  const auto root = object_of(text, "answer of /clusters");
  if (!root) return tl::unexpected(root.error());
  const json::array* all = list_in(*root, "cluster_statuses");
  if (all == nullptr) return odd("answer of /clusters");
  for (const json::value& each : *all) {
    const json::object* status = each.if_object();
    if (status == nullptr || text_in(*status, "name") != cluster) continue;
    EnvoyCluster found;
    if (const json::array* hosts = list_in(*status, "host_statuses"))
      for (const json::value& host : *hosts)
        if (const json::object* one = host.if_object())
          if (const std::string address = address_of(*one); !address.empty())
            found.hosts[address] = host_of(*one);
    return found;
  }
  return fail(ErrorCode::not_found, "it has no cluster " + escape_for_terminal(cluster));
}

Result<EnvoyServer> parse_envoy_server(std::string_view text) {
  const auto root = object_of(text, "answer of /server_info");
  if (!root) return tl::unexpected(root.error());
  const std::string uptime = text_in(*root, "uptime_current_epoch");
  if (!uptime.ends_with('s')) return odd("answer of /server_info");
  EnvoyServer server;
  server.uptime_s = std::atoll(uptime.c_str());
  if (const json::object* options = object_in(*root, "command_line_options")) {
    server.restart_epoch = number_in(*options, "restart_epoch");
    if (const std::string parent = text_in(*options, "parent_shutdown_time"); !parent.empty())
      server.parent_shutdown_s = std::atoll(parent.c_str());
  }
  return server;
}

Result<std::map<std::string, std::int64_t>> parse_envoy_stats(std::string_view text) {
  const auto root = object_of(text, "answer of /stats");
  if (!root) return tl::unexpected(root.error());
  const json::array* all = list_in(*root, "stats");
  if (all == nullptr) return odd("answer of /stats");
  std::map<std::string, std::int64_t> stats;
  for (const json::value& each : *all)
    if (const json::object* stat = each.if_object())
      if (const json::value* value = field(*stat, "value"))
        stats[text_in(*stat, "name")] = number_of(*value);
  return stats;
}

// ---- the file -----------------------------------------------------------------------------------
namespace {

// Every endpoint of the cluster's assignment, with its address.
template <class Do>
Status each_endpoint(json::object& root, const std::string& cluster, const Do& then) {
  json::value* resources = field(root, "resources");
  if (resources == nullptr || !resources->is_array()) return odd("file of endpoints");
  for (json::value& resource : resources->as_array()) {
    if (!resource.is_object() || text_in(resource.as_object(), "cluster_name") != cluster) continue;
    json::value* localities = field(resource.as_object(), "endpoints");
    if (localities == nullptr || !localities->is_array()) continue;
    for (json::value& locality : localities->as_array()) {
      json::value* hosts =
          locality.is_object() ? field(locality.as_object(), "lb_endpoints") : nullptr;
      if (hosts == nullptr || !hosts->is_array()) continue;
      for (json::value& host : hosts->as_array()) {
        const json::object* inner =
            host.is_object() ? object_in(host.as_object(), "endpoint") : nullptr;
        if (inner != nullptr) then(address_of(*inner), host.as_object());
      }
    }
  }
  return {};
}

template <class Do>
Status with_endpoint(json::object& root, const std::string& cluster, const std::string& endpoint,
                     const Do& then) {
  int found = 0;
  Status ok = each_endpoint(root, cluster, [&](const std::string& address, json::object& host) {
    if (address == endpoint && ++found == 1) then(host);
  });
  if (!ok || found == 1) return ok;
  const std::string place = escape_for_terminal(endpoint);
  if (found > 1)
    return fail(ErrorCode::refused, "the file of endpoints has " + place + " more than once");
  return fail(ErrorCode::not_found, "the file of endpoints has no " + place + " in cluster " +
                                        escape_for_terminal(cluster));
}

json::object& object_at(json::object& parent, std::string_view name) {
  json::value* found = field(parent, name);
  if (found == nullptr) found = &parent[name];
  if (!found->is_object()) *found = json::object();
  return found->as_object();
}

json::value& health_of(json::object& host) {
  json::value* status = field(host, "health_status");
  return status == nullptr ? host["health_status"] : *status;
}

void drain_endpoint(json::object& host) {
  json::object mark;
  if (const json::value* before = field(host, "health_status")) mark["before"] = *before;
  health_of(host) = "DRAINING";
  object_at(object_at(host, "metadata"), "filter_metadata")[kMark] = std::move(mark);
}

void bring_back(json::object& host) {
  json::object& metadata = object_at(host, "metadata");
  json::object& filters = object_at(metadata, "filter_metadata");
  const json::value* mark = filters.if_contains(kMark);
  const json::value* before =
      mark != nullptr && mark->is_object() ? mark->as_object().if_contains("before") : nullptr;
  if (before != nullptr) {
    health_of(host) = *before;
  } else {
    host.erase("health_status");
    host.erase("healthStatus");
  }
  filters.erase(kMark);
  if (!filters.empty()) return;
  metadata.erase("filter_metadata");
  metadata.erase("filterMetadata");
  if (metadata.empty()) host.erase("metadata");
}

EnvoyEndpoint look(const json::object& host) {
  EnvoyEndpoint found;
  found.draining = text_in(host, "health_status") == "DRAINING";
  const json::object* metadata = object_in(host, "metadata");
  const json::object* filters =
      metadata == nullptr ? nullptr : object_in(*metadata, "filter_metadata");
  found.ours = found.draining && filters != nullptr && filters->if_contains(kMark) != nullptr;
  return found;
}

}  // namespace

Result<EnvoyEndpoint> find_endpoint(std::string_view file, const std::string& cluster,
                                    const std::string& endpoint) {
  auto root = object_of(file, "file of endpoints");
  if (!root) return tl::unexpected(root.error());
  EnvoyEndpoint found;
  const Status ok =
      with_endpoint(*root, cluster, endpoint, [&](json::object& host) { found = look(host); });
  if (!ok) return tl::unexpected(ok.error());
  return found;
}

Result<std::string> pending_endpoint(std::string_view file, const std::string& cluster,
                                     const EnvoyCluster& live) {
  auto root = object_of(file, "file of endpoints");
  if (!root) return tl::unexpected(root.error());
  std::string pending;
  std::size_t listed = 0;
  Status ok = each_endpoint(*root, cluster, [&](const std::string& address, json::object& host) {
    ++listed;
    const auto known = live.hosts.find(address);
    if (known == live.hosts.end())
      pending = address + " is not in Envoy";
    else if (look(host).draining != (known->second.eds == "DRAINING"))
      pending = address + " is `" + known->second.eds + "` in Envoy";
  });
  if (!ok) return tl::unexpected(ok.error());
  if (pending.empty() && listed < live.hosts.size()) pending = "Envoy has more endpoints";
  return pending;
}

Result<std::string> edit_endpoint(std::string_view file, const std::string& cluster,
                                  const std::string& endpoint, bool in) {
  auto root = object_of(file, "file of endpoints");
  if (!root) return tl::unexpected(root.error());
  const Status ok = with_endpoint(*root, cluster, endpoint, [&](json::object& host) {
    in ? bring_back(host) : drain_endpoint(host);
  });
  if (!ok) return tl::unexpected(ok.error());
  return json::serialize(*root) + "\n";
}

}  // namespace hitless::traffic
