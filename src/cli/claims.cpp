#include "cli/claims.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFactBytes = 60u << 10;
constexpr std::size_t kMaxShownBytes = 300;  // of one text of the client

std::string key_of(const std::string& rollout) {
  return "diagnosis:" + rollout;
}

// Their words on one line, without anything that a terminal or a reader could take for ours.
std::string shown_text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_string()) return {};
  return truncate_utf8(escape_for_terminal(std::string_view(found->get_string())), kMaxShownBytes);
}

json::array list_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_array() ? found->get_array() : json::array();
}

std::string ids_at(const json::object& from, std::string_view key) {
  std::vector<std::string> ids;
  for (const json::value& each : list_at(from, key))
    if (each.is_string()) ids.push_back(escape_for_terminal(std::string_view(each.get_string())));
  return join(ids, ", ");
}

std::string and_component(const json::object& from) {
  const std::string component = shown_text_at(from, "component");
  return component.empty() ? "" : " in \"" + component + "\"";
}

std::string hypothesis_text(const json::object& hypothesis) {
  std::string text = "  says " + shown_text_at(hypothesis, "category") + and_component(hypothesis) +
                     ", from " + ids_at(hypothesis, "supports");
  if (const std::string against = ids_at(hypothesis, "refutes"); !against.empty())
    text += ", against " + against;
  text += "\n";
  for (const json::value& each : list_at(hypothesis, "quotes")) {
    const json::object* quote = each.if_object();
    if (quote == nullptr) continue;
    const std::string host = shown_text_at(*quote, "host");
    text += "    stands in the " + shown_text_at(*quote, "source") +
            (host.empty() ? "" : " of " + host) + " (" + shown_text_at(*quote, "evidence_id") +
            "): \"" + shown_text_at(*quote, "text") + "\"\n";
  }
  return text;
}

}  // namespace

Status put_claim(ports::Journal& journal, const std::string& rollout, const json::object& claim) {
  const std::string fact = json::serialize(claim);
  if (fact.size() > kMaxFactBytes) return fail(ErrorCode::invalid, "the diagnosis is too long");
  return journal.put_fact(key_of(rollout), fact);
}

std::optional<json::object> get_claim(ports::Journal& journal, const std::string& rollout) {
  const auto text = journal.get_fact(key_of(rollout));
  if (!text || text->empty()) return std::nullopt;
  boost::system::error_code error;
  const json::value parsed = json::parse(*text, error);
  if (error || !parsed.is_object()) return std::nullopt;
  return parsed.get_object();
}

std::string claim_text(ports::Journal& journal, const std::string& rollout) {
  const auto claim = get_claim(journal, rollout);
  if (!claim) return {};
  const json::value* at = claim->if_contains("at");
  std::string text = shown_text_at(*claim, "by");
  if (at != nullptr && at->is_int64()) text += " at " + format_timestamp(at->get_int64());
  text += ": " + shown_text_at(*claim, "category") + and_component(*claim) + " (" +
          shown_text_at(*claim, "confidence") + "), recommends " +
          shown_text_at(*claim, "recommended") + "\n";
  for (const json::value& each : list_at(*claim, "hypotheses"))
    if (each.is_object()) text += hypothesis_text(each.get_object());
  for (const json::value& each : list_at(*claim, "missing_evidence"))
    if (each.is_string())
      text +=
          "  lacks \"" +
          truncate_utf8(escape_for_terminal(std::string_view(each.get_string())), kMaxShownBytes) +
          "\"\n";
  return text;
}

}  // namespace hitless::cli
