#include "cli/trigger_ledger.hpp"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Fate;

constexpr std::array<std::pair<Fate, const char*>, 6> kFates = {{{Fate::none, "none"},
                                                                 {Fate::running, "running"},
                                                                 {Fate::succeeded, "succeeded"},
                                                                 {Fate::failed, "failed"},
                                                                 {Fate::refused, "refused"},
                                                                 {Fate::cut_off, "cut_off"}}};

const char* word_of(Fate fate) {
  for (const auto& [each, word] : kFates)
    if (each == fate) return word;
  return "none";
}

std::string fact_of(const std::string& key) {
  return "trigger:" + key;
}

tl::unexpected<Error> broken() {
  return fail(ErrorCode::invalid, "what was kept of a trigger cannot be read", {},
              "a person runs what it proposes");
}

const json::value* at(const json::object& from, const char* key, bool fits(const json::value&)) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && fits(*found) ? found : nullptr;
}

bool is_text(const json::value& value) {
  return value.is_string();
}

Result<agent::Attempt> attempt_of(const json::value& value) {
  if (!value.is_object()) return broken();
  const json::object& from = value.get_object();
  const json::value* id = at(from, "plan", is_text);
  const json::value* hash = at(from, "hash", is_text);
  const json::value* rollout = at(from, "rollout", is_text);
  const json::value* fate = at(from, "fate", is_text);
  const json::value* when = at(from, "at", [](const json::value& v) { return v.is_int64(); });
  const json::value* started =
      at(from, "started", [](const json::value& v) { return v.is_bool(); });
  const json::value* covers = at(from, "covers", [](const json::value& v) { return v.is_array(); });
  if (!id || !hash || !rollout || !fate || !when || !started || !covers) return broken();
  agent::Attempt attempt{std::string(id->get_string()),
                         std::string(hash->get_string()),
                         std::string(rollout->get_string()),
                         when->get_int64(),
                         started->get_bool(),
                         Fate::none,
                         {}};
  bool known = false;
  for (const auto& [each, word] : kFates) {
    if (fate->get_string() != word) continue;
    attempt.fate = each;
    known = true;
  }
  if (!known) return broken();
  for (const json::value& each : covers->get_array()) {
    const json::array* pair = each.if_array();
    if (pair == nullptr || pair->size() != 2 || !is_text((*pair)[0]) || !is_text((*pair)[1]))
      return broken();
    attempt.covers.push_back(
        {std::string((*pair)[0].get_string()), std::string((*pair)[1].get_string())});
  }
  return attempt;
}

}  // namespace

std::string case_to_text(const agent::Case& of) {
  json::array attempts;
  for (const agent::Attempt& each : of.attempts) {
    json::array covers;
    for (const agent::Covered& one : each.covers)
      covers.push_back(json::array{json::string(one.instance), json::string(one.occurrence)});
    attempts.push_back(json::object{{"plan", each.plan_id},
                                    {"hash", each.plan_hash},
                                    {"rollout", each.rollout},
                                    {"at", each.at},
                                    {"started", each.started},
                                    {"fate", word_of(each.fate)},
                                    {"covers", std::move(covers)}});
  }
  return json::serialize(json::object{{"format_version", 1}, {"attempts", std::move(attempts)}});
}

Result<agent::Case> case_from_text(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return broken();
  const json::value* attempts = at(parsed.get_object(), "attempts",
                                   [](const json::value& value) { return value.is_array(); });
  if (attempts == nullptr) return broken();
  agent::Case made;
  for (const json::value& each : attempts->get_array()) {
    auto attempt = attempt_of(each);
    if (!attempt) return tl::unexpected<Error>(attempt.error());
    add_attempt(made, std::move(*attempt));
  }
  return made;
}

Result<agent::Case> get_case(ports::Journal& journal, const std::string& key) {
  auto text = journal.get_fact(fact_of(key));
  if (!text) return tl::unexpected<Error>(text.error());
  return text->empty() ? agent::Case{} : case_from_text(*text);
}

Status put_case(ports::Journal& journal, const std::string& key, const agent::Case& of) {
  return journal.put_fact(fact_of(key), case_to_text(of));
}

}  // namespace hitless::cli
