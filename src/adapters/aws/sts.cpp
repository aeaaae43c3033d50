// Keys by STS (AssumeRole, AssumeRoleWithWebIdentity) and by a program of the user's.
#include <fstream>

#include "adapters/aws/providers.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/process.hpp"

namespace hitless::aws {
namespace {

constexpr DurationMs kProcessDeadlineMs = 60'000;
constexpr std::size_t kMaxTokenFile = 65'536;
constexpr const char* kProcess = "credential_process";

Result<std::string> read_token(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in.is_open())
    return fail(ErrorCode::not_found, "the web identity token cannot be read", path);
  std::string token(kMaxTokenFile, '\0');
  in.read(token.data(), static_cast<std::streamsize>(token.size()));
  token.resize(static_cast<std::size_t>(in.gcount()));
  token = std::string(trim(token));
  if (token.empty()) return fail(ErrorCode::invalid, "the web identity token is empty", path);
  return token;
}

}  // namespace

Task<Result<Credentials>> fetch_from_sts(std::shared_ptr<Client> sts, RoleOrder order) {
  const bool web = !order.token_file.empty();
  const std::string action = web ? "AssumeRoleWithWebIdentity" : "AssumeRole";
  Params params;
  params.add("RoleArn", order.role_arn);
  params.add("RoleSessionName",
             order.session_name.empty() ? "hitless-" + random_hex(6) : order.session_name);
  if (!order.duration_s.empty()) params.add("DurationSeconds", order.duration_s);
  if (web) {
    auto token = read_token(order.token_file);
    if (!token) co_return tl::unexpected(token.error());
    params.add("WebIdentityToken", std::move(*token));
  } else if (!order.external_id.empty()) {
    params.add("ExternalId", order.external_id);
  }
  auto answer = co_await sts->call(action, std::move(params));
  if (!answer) {
    Error error = answer.error().error;
    error.where = order.source;
    co_return tl::unexpected(std::move(error));
  }
  Credentials keys;
  keys.source = order.source;
  keys.access_key_id = answer->value("Credentials/AccessKeyId");
  keys.secret_key = Secret(answer->value("Credentials/SecretAccessKey"));
  keys.session_token = Secret(answer->value("Credentials/SessionToken"));
  keys.expires_at = parse_iso_time(answer->value("Credentials/Expiration"));
  if (!keys.expires_at || keys.session_token.empty())
    co_return fail(ErrorCode::invalid, "STS gave no usable keys", order.source);
  co_return keys;
}

Result<std::vector<std::string>> split_command(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && i + 1 < text.size() &&
                 (text[i + 1] == '"' || text[i + 1] == '\\')) {
        word += text[++i];
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  if (quote != 0 || words.empty())
    return fail(ErrorCode::invalid, "a command with balanced quotes is expected", kProcess);
  return words;
}

Task<Result<Credentials>> fetch_from_process(std::string command) {
  auto argv = split_command(command);
  if (!argv) co_return tl::unexpected(argv.error());
  const std::string program = escape_for_terminal(truncate_utf8(argv->front(), 120));
  auto ran = co_await run_process(std::move(*argv), {}, kProcessDeadlineMs);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->signal != 0 || ran->exit_code != 0) {
    // What it printed may hold keys: only its errors are shown, redacted.
    co_return fail(ErrorCode::failed,
                   program + " ended with exit code " + std::to_string(ran->exit_code) + ": " +
                       escape_for_terminal(truncate_utf8(redact(ran->err), 300)),
                   kProcess, "run it by hand");
  }
  co_return credentials_from_json(ran->out, kProcess);
}

}  // namespace hitless::aws
