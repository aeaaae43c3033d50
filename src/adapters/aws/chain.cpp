// Which of the ways to keys counts: the order of credentials.hpp.
#include <set>

#include "adapters/aws/account.hpp"
#include "adapters/aws/providers.hpp"
#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr int kMaxRoles = 5;  // source_profile of source_profile of …
constexpr const char* kStsFallbackRegion = "us-east-1";

using Source = std::shared_ptr<CredentialSource>;

Source cached(std::string description, CachedSource::Fetch fetch) {
  return std::make_shared<CachedSource>(std::move(description), std::move(fetch));
}

Task<Result<Credentials>> at_hand(Credentials keys) {
  co_return keys;
}

Source fixed(Credentials keys) {
  const std::string name = keys.source;
  return cached(name, [keys = std::move(keys)] { return at_hand(keys); });
}

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 120));
}

class Chain {
 public:
  explicit Chain(const ChainInput& input) : in_(input) {}

  Result<Source> choose() {
    if (!in_.profile.named) {
      if (auto keys = from_environment()) return fixed(std::move(*keys));
    }
    if (auto source = of_profile(in_.profile, 0); !source || *source != nullptr) return source;
    return container_is_configured(in_.env) ? container() : metadata();
  }

 private:
  // Keys of the environment count only as a pair.
  std::optional<Credentials> from_environment() const {
    const auto id = in_.env("AWS_ACCESS_KEY_ID"), secret = in_.env("AWS_SECRET_ACCESS_KEY");
    if (!id || !secret) return std::nullopt;
    return Credentials{*id, Secret(*secret), Secret(in_.env("AWS_SESSION_TOKEN").value_or("")),
                       std::nullopt, "environment"};
  }

  static std::optional<Credentials> from_section(const Section& section, const std::string& where) {
    const auto id = section.find("aws_access_key_id");
    const auto secret = section.find("aws_secret_access_key");
    if (id == section.end() || secret == section.end()) return std::nullopt;
    const auto token = section.find("aws_session_token");
    return Credentials{id->second, Secret(secret->second),
                       Secret(token == section.end() ? "" : token->second), std::nullopt, where};
  }

  Source container() const {
    return cached("container role", [env = in_.env] { return fetch_from_container(env); });
  }
  Source metadata() const {
    return cached("instance role", [env = in_.env] { return fetch_from_metadata(env); });
  }

  // Null: the profile says nothing about keys.
  Result<Source> of_profile(const Profile& profile, int depth) {
    const std::string name = "profile " + shown(profile.name);
    const std::string role = profile.value("role_arn");
    const std::string token_file = profile.value("web_identity_token_file");
    const bool has_source =
        !profile.value("source_profile").empty() || !profile.value("credential_source").empty();
    if (!role.empty() && has_source) return role_of(profile, role, depth);
    if (!role.empty() && !token_file.empty())
      return web_identity({role,
                           profile.value("role_session_name"),
                           {},
                           {},
                           token_file,
                           "role " + shown(role) + " by " + name});
    if (!role.empty()) {
      return fail(ErrorCode::invalid, "a role without source_profile or credential_source", name,
                  "say whose keys assume it");
    }
    const auto web_file = in_.env("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (const auto arn = in_.env("AWS_ROLE_ARN"); depth == 0 && !profile.named && web_file && arn) {
      return web_identity({*arn,
                           in_.env("AWS_ROLE_SESSION_NAME").value_or(""),
                           {},
                           {},
                           *web_file,
                           "role " + shown(*arn) + " by web identity"});
    }
    if (auto keys = from_section(profile.keys, name + " (credentials file)"))
      return fixed(std::move(*keys));
    if (const std::string command = profile.value("credential_process"); !command.empty())
      return cached("credential_process of " + name,
                    [command] { return fetch_from_process(command); });
    if (auto keys = from_section(profile.config, name + " (config file)"))
      return fixed(std::move(*keys));
    if (!profile.value("sso_session").empty() || !profile.value("sso_start_url").empty()) {
      return fail(ErrorCode::invalid, "SSO profiles are not spoken", name,
                  "add to another profile: credential_process = aws configure export-credentials "
                  "--profile " +
                      shown(profile.name) + " --format process");
    }
    return Source(nullptr);
  }

  Result<Source> keys_for_role(const Profile& profile, int depth) {
    if (const std::string kind = profile.value("credential_source"); !kind.empty()) {
      if (kind == "EcsContainer") return container();
      if (kind == "Ec2InstanceMetadata") return metadata();
      if (kind != "Environment")
        return fail(ErrorCode::invalid, "unknown credential_source " + shown(kind),
                    "profile " + shown(profile.name),
                    "Environment, EcsContainer or Ec2InstanceMetadata");
      auto keys = from_environment();
      if (!keys)
        return fail(ErrorCode::not_found, "no keys in the environment",
                    "profile " + shown(profile.name), "set AWS_ACCESS_KEY_ID and its secret");
      return fixed(std::move(*keys));
    }
    const std::string name = profile.value("source_profile");
    const Profile source = in_.files.profile(name);
    if (!source.found)
      return fail(ErrorCode::not_found, "there is no source_profile " + shown(name),
                  "profile " + shown(profile.name));
    // A profile may name itself: its own keys assume its role.
    auto own = from_section(source.keys, "profile " + shown(name));
    if (!own) own = from_section(source.config, "profile " + shown(name));
    if (own && (name == profile.name || source.value("role_arn").empty()))
      return fixed(std::move(*own));
    if (depth + 1 >= kMaxRoles || !seen_.insert(name).second)
      return fail(ErrorCode::invalid, "source_profile goes round in a circle",
                  "profile " + shown(profile.name));
    auto found = of_profile(source, depth + 1);
    if (found && *found == nullptr)
      return fail(ErrorCode::not_found, "its source_profile " + shown(name) + " has no keys",
                  "profile " + shown(profile.name));
    return found;
  }

  Result<std::shared_ptr<Client>> sts(Source signer) const {
    const std::string region = in_.region.empty() ? kStsFallbackRegion : in_.region;
    auto url = choose_endpoint(kSts, in_.settings, region, in_.env, in_.files, in_.profile);
    if (!url) return tl::unexpected(url.error());
    Endpoint endpoint{kSts, std::move(*url), region, in_.env("AWS_CA_BUNDLE").value_or("")};
    return std::make_shared<Client>(std::move(endpoint), std::move(signer));
  }

  Result<Source> role_of(const Profile& profile, const std::string& role, int depth) {
    if (!profile.value("mfa_serial").empty())
      return fail(ErrorCode::invalid, "a role that wants MFA cannot be assumed unattended",
                  "profile " + shown(profile.name), "use a role without MFA for hitless");
    auto keys = keys_for_role(profile, depth);
    if (!keys) return tl::unexpected(keys.error());
    auto client = sts(*keys);
    if (!client) return tl::unexpected(client.error());
    RoleOrder order{role,
                    profile.value("role_session_name"),
                    profile.value("external_id"),
                    profile.value("duration_seconds"),
                    {},
                    "role " + shown(role) + " by " + (*keys)->describe()};
    const std::string name = order.source;
    return cached(name, [client = *client, order] { return fetch_from_sts(client, order); });
  }

  Result<Source> web_identity(RoleOrder order) const {
    auto client = sts(nullptr);
    if (!client) return tl::unexpected(client.error());
    const std::string name = order.source;
    return cached(name, [client = *client, order] { return fetch_from_sts(client, order); });
  }

  const ChainInput& in_;
  std::set<std::string> seen_;
};

}  // namespace

Result<std::shared_ptr<CredentialSource>> choose_credentials(const ChainInput& input) {
  return Chain(input).choose();
}

}  // namespace hitless::aws
