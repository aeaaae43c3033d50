#include "agent/reasoner.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "agent/rules.hpp"
#include "base/text.hpp"

namespace hitless::agent {
namespace {

constexpr std::size_t kMaxQuotes = 3;  // of one hypothesis
constexpr std::size_t kMaxQuoteBytes = 300;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool has_any(const std::string& line, const std::vector<std::string_view>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return line.find(word) != std::string::npos; });
}

// The word that starts at `at`, without quotes and punctuation behind it.
std::string word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && std::string_view(" \t\"'();,<>").find(text[end]) == std::string::npos)
    ++end;
  while (end > at && (text[end - 1] == ':' || text[end - 1] == '.')) --end;
  return std::string(text.substr(at, end - at));
}

// The first absolute path that is no program: the word of a log that starts with '/'.
std::string path_in(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool starts =
        at == 0 || std::string_view(" \t\"'(=").find(text[at - 1]) != std::string_view::npos;
    if (text[at] != '/' || !starts || at + 1 >= text.size() || text[at + 1] == '/') continue;
    return word_at(text, at);
  }
  return {};
}

std::string after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  return at == std::string_view::npos ? std::string() : word_at(text, at + key.size());
}

std::string address_in(std::string_view text) {
  const std::string bound = after(text, "bind() to ");
  if (!bound.empty()) return bound;
  const std::string listener = after(text, "foreign listener on ");
  return listener;
}

std::string name_in(std::string_view text) {
  const std::string named = after(text, "name=");
  if (!named.empty()) return named;
  const std::string host = after(text, "host not found in upstream \"");
  if (!host.empty()) return host;
  const std::size_t at = text.find(" could not be resolved");
  if (at == std::string_view::npos) return "a name";
  const std::size_t from = text.rfind(' ', at - 1);
  return word_at(text, from == std::string_view::npos ? 0 : from + 1);
}

std::string component_of(Component kind, const Situation& situation, const Line& line) {
  const std::string unit = situation.unit.empty() ? situation.service : situation.unit;
  const std::string host = line.from->host.empty() ? situation.host : line.from->host;
  switch (kind) {
    case Component::unit:
      return unit + (host.empty() ? "" : "@" + host);
    case Component::path: {
      const std::string path = path_in(line.text);
      return path.empty() ? unit : path;
    }
    case Component::port: {
      const std::string address = address_in(line.text);
      return address.empty() ? address : address + (host.empty() ? "" : " on " + host);
    }
    case Component::upstream: {
      // Never from the log: what stands behind the request there may be the client's.
      const std::string address = after(line.text, "+server ");
      return address.empty() ? "an upstream" : address;
    }
    case Component::name:
      return name_in(line.text);
    case Component::host:
      return host.empty() ? "the host" : host;
    case Component::lb: {
      const std::string node = after(line.text, "node=");
      return node.empty() ? "the load balancer" : node;
    }
    case Component::fleet:
      return situation.service;
  }
  return unit;
}

using Found = std::map<Category, Hypothesis>;

void support(Found& found, const Rule& rule, const Situation& situation, const Line& line) {
  Hypothesis& hypothesis = found[rule.category];
  hypothesis.category = rule.category;
  const std::string& id = line.from->id;
  const bool is_new = std::find(hypothesis.supports.begin(), hypothesis.supports.end(), id) ==
                      hypothesis.supports.end();
  if (is_new) hypothesis.supports.push_back(id);
  // The best name for what is at fault: the one that the first source in the table's order gives.
  if (hypothesis.component.empty())
    hypothesis.component = component_of(rule.component, situation, line);
  if (!is_new || hypothesis.quotes.size() >= kMaxQuotes) return;
  std::string text(trim(line.quoted));
  if (text.size() > kMaxQuoteBytes) {
    text = truncate_utf8(text, kMaxQuoteBytes);
    const std::string_view dots = "…";  // what truncate_utf8 adds does not stand there
    if (text.size() >= dots.size() && text.substr(text.size() - dots.size()) == dots)
      text.resize(text.size() - dots.size());
  }
  hypothesis.quotes.push_back({id, std::move(text)});
}

// A file that a client asked for and that is not there says nothing about the configuration.
bool about_a_request(const Rule& rule, const std::string& line) {
  const bool file = rule.category == Category::config_missing_file ||
                    rule.category == Category::config_permission;
  return file &&
         (line.find("client: ") != std::string::npos || line.find("[client") != std::string::npos);
}

// A server that the pool had before is not what the change added, whatever else its line says now.
bool was_there_before(const Rule& rule, const Line& line, const std::vector<Line>& lines) {
  if (rule.component != Component::upstream || rule.source != Source::config_diff) return false;
  const std::string gone = "-server " + after(line.text, "+server ");
  return std::any_of(lines.begin(), lines.end(), [&](const Line& other) {
    return other.text.starts_with("-server ") && "-server " + after(other.text, "-server ") == gone;
  });
}

// What came in does not depend on the order of the store: evidence is taken in the order of ids.
std::vector<const Evidence*> in_order(const EvidenceStore& store) {
  std::vector<const Evidence*> all;
  for (const Evidence& each : store.all()) all.push_back(&each);
  std::sort(all.begin(), all.end(), [](const Evidence* a, const Evidence* b) {
    return std::tie(a->at, a->id) < std::tie(b->at, b->id);
  });
  return all;
}

struct Matches {
  Found found;
  std::set<Category> by_themselves;  // something speaks for them that needs nothing beside it
  bool clients_interfered = false;
};

Matches match(const Situation& situation, const EvidenceStore& store) {
  Matches matches;
  std::vector<std::pair<const Evidence*, std::vector<Line>>> read;
  for (const Evidence* each : in_order(store)) read.emplace_back(each, lines_of(*each));
  for (const Rule& rule : rules()) {
    for (const auto& [evidence, lines] : read) {
      if (evidence->source != rule.source) continue;
      for (const Line& line : lines) {
        const std::string text = lowered(line.text);
        if (about_a_request(rule, text) || was_there_before(rule, line, lines)) continue;
        const bool speaks = has_any(text, rule.any) && !has_any(text, rule.none);
        if (speaks) support(matches.found, rule, situation, line);
        if (speaks && !rule.only_beside_others) matches.by_themselves.insert(rule.category);
        if (!speaks && line.tainted && has_any(lowered(line.quoted), rule.any))
          matches.clients_interfered = true;
      }
    }
  }
  std::erase_if(matches.found,
                [&](const auto& each) { return !matches.by_themselves.contains(each.first); });
  return matches;
}

// Symptoms of the same unit are explained by a cause; a cause that only text of clients speaks for
// explains nothing.
bool comes_before(const Hypothesis& a, const Hypothesis& b) {
  const auto key = [](const Hypothesis& h) {
    const int doubtful = h.confidence == Confidence::low ? 1 : 0;
    return std::make_tuple(doubtful, meaning_of(h.category).rank, -static_cast<int>(h.confidence),
                           static_cast<int>(h.category));
  };
  return key(a) < key(b);
}

void finish_hypotheses(Diagnosis& diagnosis, Found found, const EvidenceStore& store) {
  for (auto& [category, hypothesis] : found) {
    hypothesis.confidence = confidence_from(hypothesis.supports, store);
    if (hypothesis.component.empty()) hypothesis.component = "its port";  // no line names it
    std::string sentence(meaning_of(category).sentence);
    const std::string_view hole = "{component}";
    if (const std::size_t at = sentence.find(hole); at != std::string::npos)
      sentence.replace(at, hole.size(), hypothesis.component);
    hypothesis.sentence = std::move(sentence);
    diagnosis.hypotheses.push_back(std::move(hypothesis));
  }
  std::sort(diagnosis.hypotheses.begin(), diagnosis.hypotheses.end(), comes_before);
}

// A slow start that became good, and a passing measurement, do not speak against what failed.
void drop_what_is_no_failure(Found& found, const Situation& situation) {
  const bool other = std::any_of(found.begin(), found.end(),
                                 [](const auto& each) { return meaning_of(each.first).rank < 3; });
  if (other || situation.failed) found.erase(Category::healthy);
}

std::vector<std::string> missing(const Diagnosis& diagnosis, const Situation& situation) {
  std::set<std::string> names;
  for (const Source source : situation.not_had) names.insert(std::string(to_string(source)));
  const bool clear =
      !diagnosis.hypotheses.empty() && diagnosis.hypotheses.front().confidence != Confidence::low;
  if (clear) {
    const auto& wanted = meaning_of(diagnosis.hypotheses.front().category).wanted;
    std::set<std::string> kept;
    for (const Source source : wanted)
      if (names.count(std::string(to_string(source))) != 0)
        kept.insert(std::string(to_string(source)));
    names = std::move(kept);
  }
  return {names.begin(), names.end()};
}

void conclude(Diagnosis& diagnosis, const Situation& situation) {
  if (diagnosis.hypotheses.empty() || diagnosis.hypotheses.front().confidence == Confidence::low) {
    diagnosis.category = situation.failed ? Category::undetermined : Category::healthy;
  } else {
    diagnosis.category = diagnosis.hypotheses.front().category;
    diagnosis.confidence = diagnosis.hypotheses.front().confidence;
  }
  const Meaning& meaning = meaning_of(diagnosis.category);
  diagnosis.recommended = situation.touched ? meaning.after : meaning.before;
  diagnosis.enough_to_act = diagnosis.confidence == Confidence::high;
  for (const Hypothesis& hypothesis : diagnosis.hypotheses) {
    const bool leading = hypothesis.confidence != Confidence::low &&
                         meaning_of(hypothesis.category).rank == meaning.rank;
    const bool known = std::find(diagnosis.components.begin(), diagnosis.components.end(),
                                 hypothesis.component) != diagnosis.components.end();
    if (leading && !known) diagnosis.components.push_back(hypothesis.component);
  }
}

}  // namespace

// Two sources that do not depend on each other, one of which no client can write to.
Confidence confidence_from(const std::vector<std::string>& supports, const EvidenceStore& store) {
  std::set<Source> sources;
  bool trusted = false;
  for (const std::string& id : supports) {
    const Evidence* evidence = store.find(id);
    if (evidence == nullptr) continue;
    sources.insert(evidence->source);
    trusted |= !client_writable(evidence->source);
  }
  if (!trusted) return Confidence::low;
  return sources.size() > 1 ? Confidence::high : Confidence::medium;
}

Diagnosis reason(const Situation& situation, const EvidenceStore& store) {
  Matches matches = match(situation, store);
  drop_what_is_no_failure(matches.found, situation);
  Diagnosis diagnosis;
  diagnosis.clients_interfered = matches.clients_interfered;
  finish_hypotheses(diagnosis, std::move(matches.found), store);
  conclude(diagnosis, situation);
  diagnosis.missing_evidence = missing(diagnosis, situation);
  return diagnosis;
}

std::string render(const Diagnosis& diagnosis, const EvidenceStore& store) {
  std::string text = "Diagnosis: " + std::string(to_string(diagnosis.category)) + ", confidence " +
                     std::string(to_string(diagnosis.confidence)) + "\n";
  for (const Hypothesis& hypothesis : diagnosis.hypotheses) {
    text +=
        "  - " + hypothesis.sentence + " (" + std::string(to_string(hypothesis.confidence)) + ")\n";
    for (const Quote& quote : hypothesis.quotes) {
      const Evidence* evidence = store.find(quote.evidence);
      const std::string where = evidence == nullptr
                                    ? std::string()
                                    : std::string(to_string(evidence->source)) +
                                          (evidence->host.empty() ? "" : " of " + evidence->host);
      text += "      " + quote.evidence + " " + where + ": “" + quote.text + "”\n";
    }
  }
  if (diagnosis.hypotheses.empty())
    text += "  - " + std::string(meaning_of(diagnosis.category).sentence) + "\n";
  if (!diagnosis.missing_evidence.empty())
    text += "  not to be had: " + join(diagnosis.missing_evidence, ", ") + "\n";
  if (diagnosis.clients_interfered)
    text += "  note: clients wrote text into the logs that reads like a symptom; it was not used\n";
  text += "  recommended: " + std::string(to_string(diagnosis.recommended)) +
          (diagnosis.enough_to_act ? "" : " (by itself not enough to act on)") + "\n";
  return text;
}

}  // namespace hitless::agent
