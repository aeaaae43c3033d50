// Instance metadata and container agents: plain HTTP to addresses that never leave the machine.
#include <boost/asio/ip/address.hpp>
#include <fstream>

#include "adapters/aws/providers.hpp"
#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr DurationMs kMetadataTimeoutMs = 1'000;
constexpr int kMetadataTries = 2;
constexpr DurationMs kContainerTimeoutMs = 3'000;
constexpr std::size_t kMaxBody = 65'536;
constexpr std::size_t kMaxTokenFile = 65'536;
constexpr const char* kContainerBase = "http://169.254.170.2";
constexpr const char* kContainer = "the container's credentials endpoint";
constexpr const char* kMetadata = "the instance metadata service";

Error renamed(Error error, const char* place, std::string help) {
  error.where = place;
  error.help = std::move(help);
  return error;
}

std::string metadata_base(const Environment& env) {
  if (auto url = env("AWS_EC2_METADATA_SERVICE_ENDPOINT")) {
    while (url->ends_with('/')) url->pop_back();
    return *url;
  }
  const std::string mode = env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").value_or("");
  return mode == "IPv6" || mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

Task<Result<std::string>> ask(std::string method, std::string url, std::string header,
                              DurationMs timeout_ms) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  if (!header.empty()) request.headers.push_back(std::move(header));
  request.timeout_ms = timeout_ms;
  request.max_body_bytes = kMaxBody;
  auto response = co_await http_request(std::move(request));
  if (!response) co_return tl::unexpected(response.error());
  if (response->status != 200 || response->truncated)
    co_return fail(ErrorCode::refused, "HTTP " + std::to_string(response->status));
  co_return std::move(response->body);
}

// Version 2 only: a session token first, so that a forged request of somebody's cannot ask.
Task<Result<std::string>> ask_metadata(Environment env, std::string path) {
  if (const auto off = env("AWS_EC2_METADATA_DISABLED"); off == "true" || off == "TRUE")
    co_return fail(ErrorCode::refused, "AWS_EC2_METADATA_DISABLED is set", kMetadata);
  const std::string base = metadata_base(env);
  Result<std::string> token = fail(ErrorCode::unavailable, "not asked");
  for (int i = 0; i < kMetadataTries && !token; ++i)
    token = co_await ask("PUT", base + "/latest/api/token",
                         "X-aws-ec2-metadata-token-ttl-seconds: 21600", kMetadataTimeoutMs);
  if (!token)
    co_return tl::unexpected(
        renamed(token.error(), kMetadata,
                "outside EC2 give keys by environment, profile or role: see docs/how-to-aws.md"));
  auto answer =
      co_await ask("GET", base + path, "X-aws-ec2-metadata-token: " + *token, kMetadataTimeoutMs);
  if (!answer)
    co_return tl::unexpected(renamed(answer.error(), kMetadata, "has this instance a role?"));
  co_return std::move(*answer);
}

Result<std::string> container_authorization(const Environment& env) {
  std::string token = env("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
  if (const auto path = env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    std::ifstream in(*path, std::ios::binary);
    if (!in.is_open())
      return fail(ErrorCode::not_found, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read",
                  *path);
    token.assign(kMaxTokenFile, '\0');
    in.read(token.data(), static_cast<std::streamsize>(token.size()));
    token.resize(static_cast<std::size_t>(in.gcount()));
  }
  if (token.find_first_of("\r\n") != std::string::npos)
    return fail(ErrorCode::invalid, "the container's authorization token has a line break",
                kContainer);
  return token;
}

}  // namespace

Task<Result<Credentials>> fetch_from_metadata(Environment env) {
  const std::string folder = "/latest/meta-data/iam/security-credentials/";
  auto roles = co_await ask_metadata(env, folder);
  if (!roles) co_return tl::unexpected(roles.error());
  const std::string role(trim(std::string_view(*roles).substr(0, roles->find('\n'))));
  const bool plain = !role.empty() && role.size() <= 64 && std::ranges::all_of(role, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+=,.@_-").find(c) != std::string_view::npos;
  });
  if (!plain) co_return fail(ErrorCode::not_found, "this instance has no role", kMetadata);
  auto answer = co_await ask_metadata(env, folder + role);
  if (!answer) co_return tl::unexpected(answer.error());
  co_return credentials_from_json(*answer, "instance role " + role);
}

Task<Result<std::string>> region_from_metadata(Environment env) {
  auto answer = co_await ask_metadata(env, "/latest/meta-data/placement/region");
  if (!answer) co_return tl::unexpected(answer.error());
  const std::string region(trim(*answer));
  if (Status ok = check_region(region); !ok) co_return tl::unexpected(ok.error());
  co_return region;
}

bool container_is_configured(const Environment& env) {
  return env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

Status check_container_url(const std::string& url) {
  if (url.starts_with("https://")) return {};
  const auto refused = [&] {
    return fail(ErrorCode::refused, "plain http is allowed only to this machine and AWS's agents",
                kContainer, "use https in AWS_CONTAINER_CREDENTIALS_FULL_URI");
  };
  if (!url.starts_with("http://")) return refused();
  std::string host = url.substr(7, url.find_first_of("/?#", 7) - 7);
  if (host.find('@') != std::string::npos) return refused();
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host == "localhost") return {};
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) return refused();
  const std::string text = address.to_string();
  const bool ok = address.is_loopback() || text == "169.254.170.2" || text == "169.254.170.23" ||
                  text == "fd00:ec2::23";
  return ok ? Status{} : refused();
}

Task<Result<Credentials>> fetch_from_container(Environment env) {
  std::string url = env("AWS_CONTAINER_CREDENTIALS_FULL_URI").value_or("");
  if (const auto path = env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    if (!path->starts_with('/'))
      co_return fail(ErrorCode::invalid, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path",
                     kContainer);
    url = kContainerBase + *path;
  }
  if (Status ok = check_container_url(url); !ok) co_return tl::unexpected(ok.error());
  auto token = container_authorization(env);
  if (!token) co_return tl::unexpected(token.error());
  auto answer = co_await ask("GET", url, token->empty() ? "" : "Authorization: " + *token,
                             kContainerTimeoutMs);
  if (!answer) co_return tl::unexpected(renamed(answer.error(), kContainer, ""));
  co_return credentials_from_json(*answer, kContainer);
}

}  // namespace hitless::aws
