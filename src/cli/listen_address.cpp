#include "cli/listen_address.hpp"

#include <charconv>
#include <cstdlib>

namespace hitless::cli {
namespace {

constexpr std::size_t kMinTokenBytes = 16;

}  // namespace

Result<mcp::HttpOptions> listen_at(const std::string& where, const char* variable,
                                   const char* example) {
  mcp::HttpOptions options;
  const std::size_t colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? where : where.substr(colon + 1);
  if (colon != std::string::npos) options.address = where.substr(0, colon);
  if (options.address == "localhost") options.address = "127.0.0.1";
  if (options.address == "[::1]") options.address = "::1";
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc{} || end != port.data() + port.size() || options.port < 0 ||
      options.port > 65535)
    return fail(ErrorCode::invalid, "no address to listen on: " + where, {}, example);
  const char* token = std::getenv(variable);
  options.token = token == nullptr ? "" : token;
  if (options.token.size() < kMinTokenBytes)
    return fail(ErrorCode::invalid,
                std::string(variable) + " has to hold a token of 16 characters or more", {},
                std::string("export ") + variable + "=$(openssl rand -hex 32)");
  return options;
}

}  // namespace hitless::cli
