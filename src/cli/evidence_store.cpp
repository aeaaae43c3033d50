#include "cli/evidence_store.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "cli/claims.hpp"
#include "cli/fact_fields.hpp"
#include "cli/refusal_evidence.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

std::string key_of(const std::string& rollout, const core::InstanceId& instance) {
  return "evidence:" + rollout + "/" + instance.value;
}

bool flag_at(const json::object& from, const char* key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

void leave_out_the_longest(json::object& whole) {
  json::array& pieces = whole.at("evidence").as_array();
  while (json::serialize(whole).size() > kMaxEvidenceBytes && !pieces.empty()) {
    const auto longest = std::max_element(pieces.begin(), pieces.end(), [](auto& a, auto& b) {
      return a.at("body").get_string().size() < b.at("body").get_string().size();
    });
    whole.at("not_had").as_array().push_back(longest->at("source"));
    pieces.erase(longest);
  }
}

bool is_log(agent::Source source) {
  return source == agent::Source::journal || source == agent::Source::error_log ||
         source == agent::Source::config_test;
}

// The line that says it best: of a log of the instance that the leading hypothesis quotes.
std::string where_of(const agent::Diagnosis& diagnosis, const agent::EvidenceStore& store) {
  if (diagnosis.category == agent::Category::undetermined) return {};
  for (const agent::Quote& quote : diagnosis.hypotheses.front().quotes) {
    const agent::Evidence* evidence = store.find(quote.evidence);
    if (evidence == nullptr || !is_log(evidence->source)) continue;
    // From the client on it is about one request, and partly the client's own words.
    const std::string said = quote.text.substr(0, quote.text.find(", client: "));
    return evidence->host + " " + std::string(agent::to_string(evidence->source)) + " │ " +
           truncate_utf8(said, 160);
  }
  return {};
}

json::array texts(const std::vector<std::string>& list) {
  json::array all;
  for (const std::string& each : list) all.emplace_back(each);
  return all;
}

json::object diagnosis_json(const agent::Diagnosis& diagnosis) {
  json::array hypotheses;
  for (const agent::Hypothesis& each : diagnosis.hypotheses) {
    json::array quotes;
    for (const agent::Quote& quote : each.quotes)
      quotes.push_back(json::object{{"ev", quote.evidence}, {"text", quote.text}});
    hypotheses.push_back(
        json::object{{"category", std::string(agent::to_string(each.category))},
                     {"component", each.component},
                     {"confidence", std::string(agent::to_string(each.confidence))},
                     {"supports", texts(each.supports)},
                     {"refutes", texts(each.refutes)},
                     {"quotes", std::move(quotes)},
                     {"sentence", each.sentence}});
  }
  return {{"category", std::string(agent::to_string(diagnosis.category))},
          {"components", texts(diagnosis.components)},
          {"confidence", std::string(agent::to_string(diagnosis.confidence))},
          {"hypotheses", std::move(hypotheses)},
          {"missing_evidence", texts(diagnosis.missing_evidence)},
          {"recommended", std::string(agent::to_string(diagnosis.recommended))},
          {"enough_to_act", diagnosis.enough_to_act},
          {"clients_interfered", diagnosis.clients_interfered}};
}

}  // namespace

Status put_evidence(ports::Journal& journal, const std::string& rollout,
                    const core::InstanceId& instance, const KeptEvidence& evidence) {
  const std::string key = key_of(rollout, instance);
  if (auto known = journal.get_fact(key); known && !known->empty()) return {};
  const agent::Situation& situation = evidence.situation;
  json::object whole{{"service", situation.service}, {"host", situation.host},
                     {"unit", situation.unit},       {"touched", situation.touched},
                     {"failed", situation.failed},   {"not_had", json::array{}},
                     {"evidence", json::array{}}};
  for (const agent::Source source : situation.not_had)
    whole["not_had"].as_array().emplace_back(std::string(agent::to_string(source)));
  for (const agent::Evidence& each : evidence.store.all()) {
    whole["evidence"].as_array().push_back(
        json::object{{"source", std::string(agent::to_string(each.source))},
                     {"host", each.host},
                     {"at", each.at},
                     {"body", each.body}});
  }
  leave_out_the_longest(whole);
  return journal.put_fact(key, json::serialize(whole));
}

std::optional<KeptEvidence> get_evidence(ports::Journal& journal, const std::string& rollout,
                                         const core::InstanceId& instance) {
  const auto text = journal.get_fact(key_of(rollout, instance));
  if (!text || text->empty()) return std::nullopt;
  boost::system::error_code error;
  const json::value parsed = json::parse(*text, error);
  if (error || !parsed.is_object()) return std::nullopt;
  const json::object& whole = parsed.get_object();
  KeptEvidence kept;
  kept.situation = {text_at(whole, "service"), text_at(whole, "host"),   text_at(whole, "unit"),
                    flag_at(whole, "touched"), flag_at(whole, "failed"), {}};
  if (const json::value* list = whole.if_contains("not_had"); list && list->is_array()) {
    for (const json::value& each : list->get_array()) {
      const auto source = each.is_string() ? agent::source_named(each.get_string()) : std::nullopt;
      if (source) kept.situation.not_had.push_back(*source);
    }
  }
  if (const json::value* list = whole.if_contains("evidence"); list && list->is_array()) {
    for (const json::value& each : list->get_array()) {
      if (!each.is_object()) continue;
      const json::object& piece = each.get_object();
      const auto source = agent::source_named(text_at(piece, "source"));
      const json::value* at = piece.if_contains("at");
      if (!source || at == nullptr || !at->is_int64()) continue;
      kept.store.restore(*source, text_at(piece, "host"), at->get_int64(), text_at(piece, "body"));
    }
  }
  return kept;
}

namespace {

// Nothing failed: the kill switch stopped it. What a person stopped needs no diagnosis.
std::vector<Case> stopped_by(ports::Journal& journal, const core::State& state) {
  auto entries = journal.read(state.plan.rollout);
  if (!entries) return {};
  for (const core::Entry& entry : *entries) {
    const auto* asked = std::get_if<core::OperatorAsked>(&entry.event);
    if (asked == nullptr || !asked->actor.starts_with("kill switch")) continue;
    Case stopped{state.plan.service, {}, {}};
    stopped.kept.situation.service = state.plan.service;
    stopped.kept.store.add(agent::Source::kill_switch, {}, entry.at, "engaged: " + asked->actor);
    stopped.diagnosis = agent::reason(stopped.kept.situation, stopped.kept.store);
    return {std::move(stopped)};
  }
  return {};
}

}  // namespace

std::vector<Case> diagnosed_cases(ports::Journal& journal, const core::State& state) {
  std::vector<Case> cases;
  for (const core::Instance& instance : state.instances) {
    if (!instance.failed) continue;
    auto kept = get_evidence(journal, state.plan.rollout, instance.plan.id);
    if (!kept) continue;
    Case each{instance.plan.id.value, std::move(*kept), {}};
    each.diagnosis = agent::reason(each.kept.situation, each.kept.store);
    cases.push_back(std::move(each));
  }
  if (cases.empty() && state.stop_asked) return stopped_by(journal, state);
  if (!cases.empty() || !state.halted) return cases;
  Case refused{state.plan.service, refusal_evidence(state), {}};
  refused.diagnosis = agent::reason(refused.kept.situation, refused.kept.store);
  cases.push_back(std::move(refused));
  return cases;
}

Diagnosed diagnose(ports::Journal& journal, const core::State& state) {
  Diagnosed diagnosed;
  diagnosed.claim = claim_text(journal, state.plan.rollout);
  for (const Case& each : diagnosed_cases(journal, state)) {
    diagnosed.text += each.name + "\n" + agent::render(each.diagnosis, each.kept.store);
    if (diagnosed.where.empty()) diagnosed.where = where_of(each.diagnosis, each.kept.store);
  }
  return diagnosed;
}

std::string cases_as_json(const std::vector<Case>& cases) {
  json::array all;
  for (const Case& each : cases) {
    json::object one = diagnosis_json(each.diagnosis);
    one["instance"] = each.name;
    json::array evidence;
    for (const agent::Evidence& piece : each.kept.store.all()) {
      evidence.push_back(json::object{{"id", piece.id},
                                      {"source", std::string(agent::to_string(piece.source))},
                                      {"host", piece.host},
                                      {"at", piece.at},
                                      {"sha256", piece.sha256},
                                      {"body", piece.body}});
    }
    one["evidence"] = std::move(evidence);
    all.push_back(std::move(one));
  }
  return json::serialize(all);
}

}  // namespace hitless::cli
