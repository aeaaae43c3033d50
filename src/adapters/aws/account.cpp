#include "adapters/aws/account.hpp"

#include "adapters/aws/providers.hpp"

namespace hitless::aws {

Result<std::shared_ptr<Account>> Account::open(Settings settings, Environment env) {
  std::shared_ptr<Account> account(new Account());
  account->settings_ = std::move(settings);
  account->env_ = std::move(env);
  auto files = Files::load(account->env_);
  if (!files) return tl::unexpected(files.error());
  account->files_ = std::move(*files);
  auto profile = choose_profile(account->settings_, account->env_, account->files_);
  if (!profile) return tl::unexpected(profile.error());
  account->profile_ = std::move(*profile);
  auto region = choose_region(account->settings_, account->env_, account->profile_);
  if (!region) return tl::unexpected(region.error());
  account->region_ = std::move(*region);
  auto credentials = choose_credentials(
      {account->settings_, account->env_, account->files_, account->profile_, account->region_});
  if (!credentials) return tl::unexpected(credentials.error());
  account->credentials_ = std::move(*credentials);
  return account;
}

Task<Result<std::string>> Account::find_region() {
  const AsyncMutex::Guard lock = co_await opening_.lock();
  if (!region_.empty()) co_return region_;
  auto region = co_await region_from_metadata(env_);
  if (!region) {
    co_return fail(ErrorCode::invalid, "no AWS region is configured", {},
                   "give `region:` in the fleet file, AWS_REGION, or `region` in the profile");
  }
  region_ = *region;
  co_return region_;
}

Task<Result<std::shared_ptr<Client>>> Account::client(Api api) {
  auto region = co_await find_region();
  if (!region) co_return tl::unexpected(region.error());
  const std::string key = api.env_name;
  if (const auto it = clients_.find(key); it != clients_.end()) co_return it->second;
  auto url = choose_endpoint(api, settings_, region_, env_, files_, profile_);
  if (!url) co_return tl::unexpected(url.error());
  Endpoint endpoint{api, std::move(*url), region_, env_("AWS_CA_BUNDLE").value_or("")};
  auto made = std::make_shared<Client>(std::move(endpoint), credentials_);
  clients_[key] = made;
  co_return made;
}

}  // namespace hitless::aws
