#include "adapters/traffic/node_http.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr std::size_t kMaxHeadBytes = 16u << 10;
constexpr std::size_t kShownBytes = 160;
constexpr DurationMs kExecSlackMs = 500;  // curl ends itself before its host is given up

tl::unexpected<Error> no_reply(std::string_view out) {
  return fail(ErrorCode::failed, "its API answered `" +
                                     escape_for_terminal(truncate_utf8(redact(out), 80)) +
                                     "`, which is no answer");
}

// A line of a file for `curl -K`.
std::string option(const char* name, const std::string& value) {
  std::string line = std::string(name) + " = \"";
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c == '\n' || c == '\r' ? ' ' : c;
  }
  return line + "\"\n";
}

}  // namespace

std::string shown(std::string_view text) {
  return redact(escape_for_terminal(truncate_utf8(trim(text), kShownBytes)));
}

Task<Result<NodeReply>> call_from(ports::Host* host, std::string api, NodeCall call) {
  std::vector<std::string> argv = {
      "curl",
      "-q",
      "-sS",
      "-g",
      "-D",
      "/dev/stderr",
      "--noproxy",
      "*",
      "--proto",
      "=http,https",
      "--max-filesize",
      "1048576",
      "-m",
      fmt::format("{:.1f}", static_cast<double>(call.timeout_ms) / 1000),
      "-X",
      call.method};
  for (const std::string& header : call.headers) argv.insert(argv.end(), {"-H", header});
  std::string input = std::move(call.body);
  if (!call.secret_header.empty()) {
    std::string file = option("header", call.secret_header);
    if (!input.empty()) file += option("data-raw", input);
    input = std::move(file);
    argv.insert(argv.end(), {"-K", "-"});
  } else if (!input.empty()) {
    argv.insert(argv.end(), {"--data-binary", "@-"});
  }
  argv.insert(argv.end(), {"--url", call.url});
  auto ran =
      co_await host->exec(std::move(argv), std::move(input), call.timeout_ms + kExecSlackMs, false);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->exit_code != 0 || ran->truncated)
    co_return fail(ErrorCode::unavailable, "its API cannot be asked: " + shown(ran->err), {},
                   "curl is needed there, and " + api + " at " + call.url);
  co_return parse_node_reply(ran->err, ran->out);
}

Result<NodeReply> parse_node_reply(std::string_view head, std::string_view body) {
  if (head.size() > kMaxHeadBytes) return no_reply(head);
  NodeReply reply;
  reply.body = body;
  for (const std::string& raw : split(head, '\n')) {
    const std::string line(trim(raw));
    const bool is_etag = line.size() > 5 && line[4] == ':' && (line[0] == 'E' || line[0] == 'e') &&
                         (line[1] == 't' || line[1] == 'T') && line.compare(2, 2, "ag") == 0;
    if (is_etag) reply.etag = trim(std::string_view(line).substr(5));
    if (!line.starts_with("HTTP/")) continue;
    reply.status = 0;  // of the last answer: 100 Continue comes before it
    reply.etag.clear();
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos) return no_reply(head);
    (void)std::from_chars(line.data() + blank + 1, line.data() + line.size(), reply.status);
  }
  if (reply.status < 200 || reply.status > 599) return no_reply(head);
  return reply;
}

Status check_node_url(const std::string& url, bool may_have_path) {
  const std::size_t scheme = url.starts_with("http://")    ? 7
                             : url.starts_with("https://") ? 8
                                                           : std::string::npos;
  const bool path = scheme != std::string::npos && url.find('/', scheme) != std::string::npos;
  if (scheme == std::string::npos || url.size() == scheme ||
      url.find_first_of("{}#?\\\" \t\r\n") != std::string::npos || url.ends_with('/') ||
      (path && !may_have_path))
    return fail(ErrorCode::invalid,
                "not the URL of an API: " + escape_for_terminal(truncate_utf8(url, 80)), {},
                may_have_path ? "such as http://127.0.0.1:8080/api"
                              : "such as http://127.0.0.1:2019, without a path");
  return {};
}

}  // namespace hitless::traffic
