#include "cli/model_setup.hpp"

#include <cstdlib>
#include <fstream>

#include "base/text.hpp"
#include "cli/model_tools.hpp"
#include "llm/opinion.hpp"
#include "llm/reading.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxKeyBytes = 4'096;

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> read_key() {
  const std::string path = env("HITLESS_MODEL_KEY_FILE");
  if (path.empty()) return env("HITLESS_MODEL_KEY");
  std::ifstream file(path, std::ios::binary);
  std::string key(kMaxKeyBytes, '\0');
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(file.gcount()));
  key = std::string(trim(key));
  if (key.empty())
    return fail(ErrorCode::invalid, "the model's key cannot be read", path,
                "mend HITLESS_MODEL_KEY_FILE");
  return key;
}

// What is sent is evidence from hosts, and perhaps a key.
bool may_be_sent_in_clear(std::string_view url) {
  const std::size_t from = std::string_view("http://").size();
  std::string_view host = url.substr(from, url.find('/', from) - from);
  if (host.find('@') != std::string_view::npos) return false;
  if (host.starts_with("[")) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

Task<void> read_into(const llm::Endpoint* endpoint, const std::string* words,
                     const agent::KnownFleet* fleet, llm::Budget* budget, const llm::ToolBox* box,
                     Result<agent::Request>* out) {
  *out = co_await llm::ask_reading(endpoint, words, fleet, budget, box);
}

Task<void> opinion_into(const llm::Endpoint* endpoint, const agent::Situation* situation,
                        agent::EvidenceStore* store, llm::Budget* budget,
                        const llm::OpinionTools* tools, Result<agent::Diagnosis>* out) {
  *out = co_await llm::ask_opinion(endpoint, situation, store, budget, tools);
}

}  // namespace

Result<std::optional<llm::Endpoint>> model_endpoint() {
  llm::Endpoint endpoint;
  endpoint.url = env("HITLESS_MODEL_URL");
  if (endpoint.url.empty()) return std::optional<llm::Endpoint>();
  const std::string api = env("HITLESS_MODEL_API");
  if (!api.empty() && api != "openai" && api != "anthropic")
    return fail(ErrorCode::invalid, "HITLESS_MODEL_API is neither openai nor anthropic",
                escape_for_terminal(api));
  endpoint.api = api == "anthropic" ? llm::Api::anthropic : llm::Api::openai;
  endpoint.model = env("HITLESS_MODEL");
  if (endpoint.model.empty())
    return fail(ErrorCode::invalid, "HITLESS_MODEL is not set", {},
                "name the model that the server at HITLESS_MODEL_URL has");
  const bool safe = endpoint.url.starts_with("https://") ||
                    (endpoint.url.starts_with("http://") && may_be_sent_in_clear(endpoint.url));
  if (!safe)
    return fail(ErrorCode::invalid, "evidence is not sent over a network in the clear",
                escape_for_terminal(redact(endpoint.url)),
                "use https:// in HITLESS_MODEL_URL; http:// is for a model on this machine");
  if (const std::string deadline = env("HITLESS_MODEL_DEADLINE"); !deadline.empty()) {
    const auto wanted = parse_duration(deadline);
    if (!wanted || *wanted <= 0 || *wanted > endpoint.deadline_ms)
      return fail(ErrorCode::invalid, "HITLESS_MODEL_DEADLINE is no duration up to 90s",
                  escape_for_terminal(deadline), "for instance 30s");
    endpoint.deadline_ms = *wanted;
  }
  auto key = read_key();
  if (!key) return tl::unexpected<Error>(key.error());
  endpoint.key = std::move(*key);
  return std::optional<llm::Endpoint>(std::move(endpoint));
}

Result<agent::Request> read_by_model(const App& app, const llm::Endpoint& endpoint,
                                     const std::string& words, const agent::KnownFleet& fleet) {
  Result<agent::Request> out = fail(ErrorCode::internal, "not asked");
  llm::Budget budget = llm::new_budget(endpoint.deadline_ms);
  ToolWorld world(app);
  const agent::Registry registry = make_tools(&world);
  const llm::ToolBox box = reading_tools(&registry);
  run_until_done([&] { return read_into(&endpoint, &words, &fleet, &budget, &box, &out); });
  return out;
}

Result<agent::Diagnosis> opinion_of_model(const App& app, const llm::Endpoint& endpoint,
                                          const agent::Situation& situation,
                                          agent::EvidenceStore& store) {
  Result<agent::Diagnosis> out = fail(ErrorCode::internal, "not asked");
  llm::Budget budget = llm::new_budget(endpoint.deadline_ms);
  ToolWorld world(app);
  const agent::Registry registry = make_tools(&world);
  const llm::OpinionTools tools = opinion_tools(&registry, &world);
  run_until_done(
      [&] { return opinion_into(&endpoint, &situation, &store, &budget, &tools, &out); });
  return out;
}

}  // namespace hitless::cli
