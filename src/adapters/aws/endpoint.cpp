// Which region, and which address of an API: see profile.hpp.
#include <array>

#include "adapters/aws/profile.hpp"
#include "base/text.hpp"

namespace hitless::aws {
namespace {

struct Partition {
  std::string_view region_prefix, suffix, dual_stack;
};

constexpr std::array<Partition, 7> kPartitions = {{
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-isob-", "sc2s.sgov.gov", ""},
    {"us-isof-", "csp.hci.ic.gov", ""},
    {"us-iso-", "c2s.ic.gov", ""},
    {"eu-isoe-", "cloud.adc-e.uk", ""},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"", "amazonaws.com", "api.aws"},
}};

const Partition& partition_of(const std::string& region) {
  for (const Partition& partition : kPartitions)
    if (region.starts_with(partition.region_prefix)) return partition;
  return kPartitions.back();
}

bool is_true(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text == "true";
}

bool switched_on(const Environment& env, const Profile& profile, const std::string& variable,
                 const std::string& key) {
  const auto value = env(variable);
  return is_true(value ? *value : profile.value(key));
}

Result<std::string> check_endpoint(std::string url, const std::string& from) {
  const bool scheme = url.starts_with("https://") || url.starts_with("http://");
  const std::size_t host = url.find("://") + 3;
  const bool plain = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (!scheme || !plain || url.size() <= host || url.size() > 2048 ||
      url.find_first_of("?#@", host) != std::string::npos) {
    return fail(ErrorCode::invalid, "this is no address of an AWS endpoint", from,
                "write it as https://host or http://host:port");
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Status check_region(const std::string& region) {
  const bool ok = !region.empty() && region.size() <= 63 && std::ranges::all_of(region, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (ok && region.front() != '-') return {};
  return fail(ErrorCode::invalid,
              "this is no AWS region: " + escape_for_terminal(truncate_utf8(region, 80)), {},
              "write it as eu-west-1");
}

Result<std::string> choose_region(const Settings& settings, const Environment& env,
                                  const Profile& profile) {
  std::string region = settings.region;
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (region.empty()) region = env(variable).value_or("");
  if (region.empty()) region = profile.value("region");
  if (region.empty()) return region;
  if (Status ok = check_region(region); !ok) return tl::unexpected(ok.error());
  return region;
}

Result<std::string> choose_endpoint(const Api& api, const Settings& settings,
                                    const std::string& region, const Environment& env,
                                    const Files& files, const Profile& profile) {
  const std::string own_variable = std::string("AWS_ENDPOINT_URL_") + api.env_name;
  if (!settings.endpoint.empty() && api.signing_name == std::string_view(kElbv2.signing_name))
    return check_endpoint(settings.endpoint, "endpoint: of the fleet file");
  if (!switched_on(env, profile, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                   "ignore_configured_endpoint_urls")) {
    for (const std::string& variable : {own_variable, std::string("AWS_ENDPOINT_URL")})
      if (const auto url = env(variable)) return check_endpoint(*url, variable);
    if (const std::string name = profile.value("services"); !name.empty()) {
      const Section services = files.services(name);
      const auto it = services.find(std::string(api.services_key) + ".endpoint_url");
      if (it != services.end()) return check_endpoint(it->second, "[services " + name + "]");
    }
    if (const std::string url = profile.value("endpoint_url"); !url.empty())
      return check_endpoint(url, "profile " + profile.name);
  }
  const Partition& partition = partition_of(region);
  std::string name = api.host_name;
  if (switched_on(env, profile, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")) name += "-fips";
  std::string_view suffix = partition.suffix;
  if (switched_on(env, profile, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")) {
    if (partition.dual_stack.empty())
      return fail(ErrorCode::invalid, "region " + region + " has no dual-stack endpoints", {},
                  "unset AWS_USE_DUALSTACK_ENDPOINT, or give `endpoint:`");
    suffix = partition.dual_stack;
  }
  return fmt::format("https://{}.{}.{}", name, region, suffix);
}

}  // namespace hitless::aws
