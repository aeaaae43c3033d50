// One way into AWS: a profile's keys, its region and endpoints, and clients made of them.
//
// Made from the fleet file's settings, the environment and the user's files; no call is made before
// the first client is used, except for the region of an EC2 instance that nothing else tells.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "adapters/aws/client.hpp"

namespace hitless::aws {

class Account {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Account>> open(
      Settings settings, Environment env = process_environment());

  // The client of one API, made once. Asks the instance metadata when no region is configured.
  Task<Result<std::shared_ptr<Client>>> client(Api api);
  [[nodiscard]] const std::shared_ptr<CredentialSource>& credentials() const {
    return credentials_;
  }
  [[nodiscard]] const std::string& region() const { return region_; }  // empty: not known yet

 private:
  Account() = default;
  Task<Result<std::string>> find_region();

  Settings settings_;
  Environment env_;
  Files files_;
  Profile profile_;
  std::string region_;
  std::shared_ptr<CredentialSource> credentials_;
  std::map<std::string, std::shared_ptr<Client>> clients_;
  AsyncMutex opening_;
};

// The chain of credentials.hpp for this profile. `region` is for STS.
struct ChainInput {
  Settings settings;
  Environment env;
  Files files;
  Profile profile;
  std::string region;
};
[[nodiscard]] Result<std::shared_ptr<CredentialSource>> choose_credentials(const ChainInput& input);

}  // namespace hitless::aws
