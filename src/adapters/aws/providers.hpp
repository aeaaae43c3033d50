// Where keys can come from, one function each: all fetch once, CachedSource keeps. They ask only
// fixed, local places (instance metadata, the container's agent) without a proxy, or STS.
#pragma once
#include <memory>
#include <string>

#include "adapters/aws/client.hpp"

namespace hitless::aws {

// ---- instance metadata, version 2 only (IMDSv2) -------------------------------------------------
// Nothing is asked when AWS_EC2_METADATA_DISABLED is true.
Task<Result<Credentials>> fetch_from_metadata(Environment env);
Task<Result<std::string>> region_from_metadata(Environment env);

// ---- a container's agent (ECS, EKS) ------------------------------------------------------------
[[nodiscard]] bool container_is_configured(const Environment& env);
// Plain http only to loopback and the agents' own addresses. The token file is read each time.
Task<Result<Credentials>> fetch_from_container(Environment env);
[[nodiscard]] Status check_container_url(const std::string& url);

// ---- a program of the user's -------------------------------------------------------------------
Task<Result<Credentials>> fetch_from_process(std::string command);
// Words as a shell would cut them, quotes and backslashes only; nothing is expanded.
[[nodiscard]] Result<std::vector<std::string>> split_command(const std::string& text);

// ---- STS ---------------------------------------------------------------------------------------
struct RoleOrder {
  std::string role_arn, session_name, external_id, duration_s;
  std::string token_file;  // web identity; then sts is not signed
  std::string source;      // for people
};
Task<Result<Credentials>> fetch_from_sts(std::shared_ptr<Client> sts, RoleOrder order);

}  // namespace hitless::aws
