// The user's AWS files, ~/.aws/config and ~/.aws/credentials, read as AWS's own tools read them,
// and what follows from them and the environment: region, endpoints, where keys come from.
//
// Read once at the start. Files that are not there are empty; lines that are neither a section nor
// `key = value` are an error with file and line.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/aws/credentials.hpp"

namespace hitless::aws {

// key → value; of a key with an indented block below it ("s3 =") also "key.inner".
using Section = std::map<std::string, std::string>;
using Sections = std::map<std::string, Section>;
[[nodiscard]] Result<Sections> parse_ini(std::string_view text, const std::string& file);

// What the fleet file says about one load balancer; empty: not said.
struct Settings {
  std::string profile, region;
  std::string endpoint;  // of the ELBv2 API
};

struct Profile {
  std::string name;
  bool named = false;    // by the fleet file, so that keys in the environment do not count
  bool found = false;    // some file has it
  Section config, keys;  // of the config file and of the credentials file
  [[nodiscard]] std::string value(const std::string& key) const;  // config first, then keys
};

class Files {
 public:
  // The paths: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/….
  [[nodiscard]] static Result<Files> load(const Environment& env);
  [[nodiscard]] Profile profile(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> profile_names() const;
  [[nodiscard]] Section services(const std::string& name) const;  // [services NAME]

 private:
  Sections config_, credentials_;
};

// The profile that counts: the fleet file's, AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". One that
// was asked for and is nowhere is an error.
[[nodiscard]] Result<Profile> choose_profile(const Settings& settings, const Environment& env,
                                             const Files& files);

// The fleet file's, AWS_REGION, AWS_DEFAULT_REGION, the profile's; empty: the instance's own must
// be asked for.
[[nodiscard]] Result<std::string> choose_region(const Settings& settings, const Environment& env,
                                                const Profile& profile);
[[nodiscard]] Status check_region(const std::string& region);

// One of AWS's APIs, and the names it goes by.
struct Api {
  const char* signing_name;  // elasticloadbalancing
  const char* host_name;     // elasticloadbalancing
  const char* env_name;      // ELASTIC_LOAD_BALANCING_V2
  const char* services_key;  // elastic_load_balancing_v2
  const char* version;       // 2015-12-01
};
inline constexpr Api kElbv2{"elasticloadbalancing", "elasticloadbalancing",
                            "ELASTIC_LOAD_BALANCING_V2", "elastic_load_balancing_v2", "2015-12-01"};
inline constexpr Api kEc2{"ec2", "ec2", "EC2", "ec2", "2016-11-15"};
inline constexpr Api kSts{"sts", "sts", "STS", "sts", "2011-06-15"};
inline constexpr Api kCloudWatch{"monitoring", "monitoring", "CLOUDWATCH", "cloudwatch",
                                 "2010-08-01"};
inline constexpr Api kAutoScaling{"autoscaling", "autoscaling", "AUTO_SCALING", "auto_scaling",
                                  "2011-01-01"};

// Explicit (ELBv2 only) > AWS_ENDPOINT_URL_<API> > AWS_ENDPOINT_URL > `services` of the profile >
// `endpoint_url` of the profile > AWS's own address, FIPS or dual-stack when that is asked for.
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true leaves only the first and the last.
[[nodiscard]] Result<std::string> choose_endpoint(const Api& api, const Settings& settings,
                                                  const std::string& region, const Environment& env,
                                                  const Files& files, const Profile& profile);

}  // namespace hitless::aws
