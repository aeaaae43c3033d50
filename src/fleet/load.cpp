// load_fleet: read, parse, check the shape, resolve, check the meaning. Every step goes on after
// errors, so that all of them are shown at once; the fleet itself is given out only without errors.
#include "base/digest.hpp"
#include "fleet/check_tree.hpp"
#include "fleet/endpoints.hpp"
#include "fleet/load_context.hpp"
#include "fleet/load_leniently.hpp"

namespace hitless::fleet {
namespace {

void resolve_and_validate(LoadContext& context) {
  load_hosts(context);
  decode_load_balancers(context);
  decode_services(context);
  decode_notifications(context);
  decode_probers(context);
  decode_calendar(context);
  validate_references(context);
  validate_policies(context);
  validate_load_balancers(context);
}

LoadResult load_source(const Source& source, Diagnostics& diagnostics, const Outside& outside,
                       bool lenient = false) {
  LoadResult result;
  if (const auto root = parse_yaml(source, diagnostics)) {
    check_tree(*root, source, diagnostics);
    Fleet fleet;
    fleet.file = source.name();
    fleet.digest = sha256_hex(source.text());
    const std::size_t slash = source.name().rfind('/');
    const std::string folder = slash == std::string::npos ? "" : source.name().substr(0, slash + 1);
    LoadContext context{source, *root, diagnostics, fleet, folder, outside, {}, lenient};
    if (root->kind == Node::Kind::map && root->find("services") != nullptr)
      resolve_and_validate(context);
    fleet.digest = sha256_hex(fleet.digest);
    if (!diagnostics.has_errors()) result.fleet = std::move(fleet);
  }
  result.diagnostics = diagnostics.take_sorted();
  return result;
}

std::string bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

}  // namespace

namespace {

LoadResult load_file(const std::string& path, const Outside& outside, bool lenient) {
  Diagnostics diagnostics;
  Source source;
  if (!Source::read(path, path, diagnostics, source))
    return {std::nullopt, diagnostics.take_sorted()};
  return load_source(source, diagnostics, outside, lenient);
}

}  // namespace

LoadResult load_fleet(const std::string& path, const Outside& outside) {
  return load_file(path, outside, false);
}

LoadResult load_fleet_leniently(const std::string& path, const Outside& outside) {
  return load_file(path, outside, true);
}

LoadResult load_fleet_text(std::string text, const std::string& name, const Outside& outside) {
  Diagnostics diagnostics;
  Source source;
  if (!Source::from_text(std::move(text), name, diagnostics, source))
    return {std::nullopt, diagnostics.take_sorted()};
  return load_source(source, diagnostics, outside);
}

const Host* Fleet::host(const std::string& name) const {
  const auto found = hosts.find(name);
  return found == hosts.end() ? nullptr : &found->second;
}
const Service* Fleet::service(const std::string& name) const {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : &found->second;
}
const LoadBalancer* Fleet::load_balancer(const std::string& name) const {
  const auto found = load_balancers.find(name);
  return found == load_balancers.end() ? nullptr : &found->second;
}

std::string expand(const std::string& text, const Placeholders& values) {
  std::string out;
  std::size_t from = 0;
  for (const auto& used : placeholders_in(text)) {
    for (const auto& [name, value] : values) {
      if (name != used.name) continue;
      out += text.substr(from, used.at - from) + value;
      from = used.at + used.name.size() + 2;
      break;
    }
  }
  return out + text.substr(from);
}

Placeholders placeholders_of(const Service& service, const Instance& instance) {
  Placeholders values{
      {"host", instance.host}, {"address", instance.address}, {"service", service.name}};
  if (instance.port) values.emplace_back("port", std::to_string(*instance.port));
  return values;
}

std::string expand_endpoint(const std::string& text, Placeholders values) {
  if (text.find("{address}:") != std::string::npos) {
    for (auto& [name, value] : values)
      if (name == "address") value = bracketed(value);
  }
  return expand(text, values);
}

HealthCheck resolve(HealthCheck check, const Service& service, const Instance& instance) {
  const Placeholders plain = placeholders_of(service, instance);
  Placeholders in_url = plain;
  for (auto& [name, value] : in_url)
    if (name == "address") value = bracketed(value);
  check.url = expand(check.url, in_url);
  check.target = expand(check.target, in_url);
  for (auto& word : check.command) word = expand(word, plain);
  return check;
}

}  // namespace hitless::fleet
