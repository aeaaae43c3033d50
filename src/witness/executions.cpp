#include "witness/executions.hpp"

#include <boost/json/parse.hpp>

#include "base/text.hpp"
#include "runtime/http.hpp"

namespace hitless::witness {

namespace {

constexpr std::string_view kPrefixMark = "{prefix}";

std::string filled(std::string url, std::string_view prefix) {
  if (const std::size_t at = url.find(kPrefixMark); at != std::string::npos)
    url.replace(at, kPrefixMark.size(), prefix);
  return url;
}

}  // namespace

Status add_executions(Executions* all, const std::string& from, std::string_view json,
                      std::string_view prefix) {
  if (json.size() > kMaxExecutionsBytes)
    return fail(ErrorCode::invalid, "executions: answer above 16 MiB", from);
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 8;
  const auto value = boost::json::parse(json, error, {}, options);
  const boost::json::value* counts = nullptr;
  if (!error && value.is_object()) counts = value.get_object().if_contains("executions");
  if (counts == nullptr || !counts->is_object())
    return fail(ErrorCode::invalid, R"(executions: the answer is not {"executions": {…}})", from);
  Executions next = *all;
  for (const auto& [key, times] : counts->get_object()) {
    const std::string_view id(key.data(), key.size());
    if (id.substr(0, prefix.size()) != prefix) continue;
    if (!times.is_int64() || times.get_int64() < 0 || times.get_int64() > 1'000'000)
      return fail(ErrorCode::invalid, "executions: not a count", from);
    if (next.times.size() >= kMaxExecutions)
      return fail(ErrorCode::invalid, "executions: more than 200,000 ids", from);
    next.times[std::string(id)] += times.get_int64();
    next.where[std::string(id)].push_back(from);
  }
  *all = std::move(next);
  return {};
}

Task<Executions> ask_executions(std::vector<ExecutionsSource> sources, std::string prefix,
                                DurationMs timeout_ms) {
  Executions all;
  for (const ExecutionsSource& source : sources) {
    HttpRequest request;
    request.url = filled(source.url, prefix);
    request.ca_file = source.ca_file;
    request.verify_tls = source.verify_tls;
    request.timeout_ms = timeout_ms;
    request.max_body_bytes = kMaxExecutionsBytes;
    const auto answer = co_await http_request(std::move(request));
    Status ok;
    if (!answer) {
      ok = tl::unexpected(answer.error());
    } else if (answer->status != 200 || answer->truncated) {
      ok = fail(ErrorCode::failed, fmt::format("executions: HTTP {}", answer->status));
    } else {
      ok = add_executions(&all, source.name, answer->body, prefix);
    }
    if (!ok) all.problems.push_back(source.name + ": " + escape_for_terminal(ok.error().what));
  }
  for (auto it = all.where.begin(); it != all.where.end();)
    it = all.times[it->first] > 1 ? std::next(it) : all.where.erase(it);
  co_return all;
}

}  // namespace hitless::witness
