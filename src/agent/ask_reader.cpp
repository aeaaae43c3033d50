#include "agent/ask_reader.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::agent {
namespace {

constexpr std::size_t kMaxWords = 100;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._@+:-'").find(c) != std::string_view::npos ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Words, and the marks that end a clause (";" for all of them) or a part of one (",").
std::vector<std::string> words_of(std::string_view text) {
  std::string straight(text);
  for (std::size_t at = 0; (at = straight.find("’", at)) != std::string::npos;)
    straight.replace(at, std::string_view("’").size(), "'");
  std::vector<std::string> words;
  for (std::size_t at = 0; at < straight.size() && words.size() <= kMaxWords;) {
    const std::size_t from = at;
    while (at < straight.size() && is_name_char(straight[at])) ++at;
    std::string word = straight.substr(from, at - from);
    // A full stop or colon at its end ends the clause; inside it belongs to a name.
    bool stop = false;
    while (!word.empty() && std::string_view(".:").find(word.back()) != std::string_view::npos) {
      word.pop_back();
      stop = true;
    }
    while (!word.empty() && word.front() == '\'') word.erase(0, 1);
    while (!word.empty() && word.back() == '\'') word.pop_back();
    if (!word.empty()) words.push_back(word);
    if (stop) words.emplace_back(";");
    if (at >= straight.size()) break;
    const char mark = straight[at];
    if (mark == ',') words.emplace_back(",");
    if (mark == '?' || mark == '!' || mark == ';' || mark == '\n') words.emplace_back(";");
    const bool quiet = std::string_view(" \t,?!;\n\"`()").find(mark) != std::string_view::npos;
    if (!quiet) words.emplace_back(1, mark);  // understood by nobody, and said so
    if (at == from || !is_name_char(mark)) ++at;
  }
  return words;
}

bool is_rollout_id(const std::string& word) {
  if (word.size() < 3 || word.size() > 40 || word.substr(0, 2) != "r-") return false;
  return std::all_of(word.begin() + 2, word.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_incident_id(const std::string& word) {
  return word.size() > 4 && word.size() < 16 && word.substr(0, 4) == "inc-" &&
         std::all_of(word.begin() + 4, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_package_name(const std::string& word) {
  return word.size() > 1 && std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '+' ||
                  c == '-';
         });
}

class Reader {
 public:
  Reader(std::string_view text, const KnownFleet& fleet, Request& request)
      : fleet_(fleet),
        request_(request),
        raw_(words_of(text)),
        question_mark_(text.find('?') != std::string_view::npos) {
    for (const std::string& word : raw_) low_.push_back(lowered(word));
  }

  Reading run() {
    if (raw_.size() > kMaxWords) {
      request_.problems.push_back("too many words: at most " + std::to_string(kMaxWords));
      return reading_;
    }
    reading_.question = asks();
    begin(0);
    while (at_ < low_.size()) step();
    end_of_clause();
    use_reason_names();
    report_narrowing();
    return reading_;
  }

 private:
  enum class Mode { plain, forbid, reason };

  // ---- where we are ----
  // A question starts like one, or ends like one and is not a polite request.
  bool asks() const {
    static const std::vector<std::string> kFirst = {"is",   "are", "was", "were", "do",
                                                    "does", "did", "has", "have"};
    if (low_.empty()) return false;
    const Phrase* first = here(0);
    if (first != nullptr && first->tag == Tag::polite) return false;
    if (first != nullptr && (first->tag == Tag::question || first->tag == Tag::health ||
                             first->tag == Tag::past || first->tag == Tag::incident))
      return true;
    // "do not restart web" is none.
    const bool verb_first = std::find(kFirst.begin(), kFirst.end(), low_[0]) != kFirst.end() &&
                            (first == nullptr || first->tag == Tag::filler);
    return verb_first || question_mark_;
  }

  const Phrase* here(std::size_t at) const { return phrase_at(low_, at); }

  bool tag_ahead(std::size_t at, std::initializer_list<Tag> tags) const {
    for (int skipped = 0; at < low_.size() && skipped < 4; ++skipped) {
      const Phrase* phrase = here(at);
      if (phrase == nullptr) return false;
      if (std::find(tags.begin(), tags.end(), phrase->tag) != tags.end()) return true;
      if (phrase->tag != Tag::filler) return false;
      at += phrase->words.size();
    }
    return false;
  }

  void begin(std::size_t at) {
    std::size_t end = at;
    bool verb = false, symptom = false;
    for (; end < low_.size() && low_[end] != ";"; ++end) {
      const Phrase* phrase = here(end);
      verb |= phrase != nullptr && (phrase->tag == Tag::verb || phrase->tag == Tag::touch ||
                                    phrase->tag == Tag::negation || phrase->tag == Tag::exception);
      symptom |= phrase != nullptr && phrase->tag == Tag::symptom;
    }
    // "nginx on web01 leaks": says how something is, not what to do.
    describes_ = symptom && !verb && !reading_.question;
    if (describes_)
      add_reason(std::vector<std::string>(raw_.begin() + static_cast<std::ptrdiff_t>(at),
                                          raw_.begin() + static_cast<std::ptrdiff_t>(end)));
  }

  void end_of_clause() {
    end_forbidding();
    mode_ = Mode::plain;
    in_packages_ = false;
    flush_reason();
  }

  void end_forbidding() {
    if (mode_ != Mode::forbid) return;
    for (Forbidden& each : forbidden_here_) {
      each.services = forbidden_names_.services;
      each.hosts = forbidden_names_.hosts;
      for (const std::string& host : each.hosts) reading_.left_out.push_back(host);
      reading_.forbidden.push_back(each);
    }
    if (forbidden_here_.empty()) {  // "but not web03"
      Forbidden any;
      any.services = forbidden_names_.services;
      any.hosts = forbidden_names_.hosts;
      if (any.services.empty() && any.hosts.empty()) {
        request_.not_understood.push_back(negation_);
      } else {
        for (const std::string& host : any.hosts) reading_.left_out.push_back(host);
        reading_.forbidden.push_back(any);
      }
    }
    // "do not restart web; reload it": it is web.
    if (reading_.subject.services.empty())
      for (const std::string& name : forbidden_names_.services)
        reading_.subject.services.push_back({name});
    forbidden_here_.clear();
    forbidden_names_ = {};
    mode_ = Mode::plain;
  }

  // ---- one word or phrase ----
  void step() {
    if (low_[at_] == ";") {
      end_of_clause();
      begin(++at_);
      return;
    }
    if (joins()) return;
    if (mode_ == Mode::reason) return reason_word();
    if (in_packages_ && package_word()) return;
    const Phrase* phrase = here(at_);
    if (name_word(phrase)) return;
    if (phrase == nullptr) return unknown_word();
    const std::size_t at = at_;
    at_ += phrase->words.size();
    reading_.saw.insert(phrase->tag);
    take(*phrase, at);
  }

  // A comma or "and" goes on with the same thing, or starts another one.
  bool joins() {
    if (low_[at_] != "," && low_[at_] != "and") return false;
    const bool longer = here(at_) != nullptr && here(at_)->words.size() > 1;
    if (longer) return false;
    const bool new_thing =
        tag_ahead(at_ + 1, {Tag::verb, Tag::negation, Tag::exception, Tag::polite, Tag::because});
    if (mode_ == Mode::reason && !new_thing) return false;
    if (new_thing && mode_ == Mode::forbid) doubt_scope();
    if (new_thing) {
      if (mode_ == Mode::reason) flush_reason();
      end_forbidding();
      mode_ = Mode::plain;
      in_packages_ = false;
    }
    ++at_;
    return true;
  }

  // "do not restart web and reload app", "do not restart, reload web": is the second forbidden too?
  void doubt_scope() {
    if (!tag_ahead(at_ + 1, {Tag::verb})) return;
    const bool replaced = negation_ == "instead" || negation_ == "rather";
    const bool over = low_[at_] == "," && forbid_object_;
    if (over || replaced) return;
    request_.problems.push_back("what does `" + negation_ +
                                "` cover? Say what is not to be done in a sentence of its own");
  }

  void reason_word() {
    const Phrase* phrase = here(at_);
    const bool ends = phrase != nullptr &&
                      (phrase->tag == Tag::exception || phrase->tag == Tag::but ||
                       phrase->tag == Tag::next_clause ||
                       (phrase->tag == Tag::negation && at_ + phrase->words.size() < low_.size() &&
                        tag_ahead(at_ + phrase->words.size(), {Tag::verb, Tag::touch})));
    const bool so =
        low_[at_] == "so" && tag_ahead(at_ + 1, {Tag::verb, Tag::polite, Tag::negation});
    if (ends || so) {
      flush_reason();
      mode_ = Mode::plain;
      if (so) ++at_;
      return;
    }
    collect_names(at_, reason_names_, nullptr);
    reason_.push_back(raw_[at_++]);
  }

  bool package_word() {
    const Phrase* phrase = here(at_);
    if (phrase != nullptr) {
      in_packages_ = false;
      return false;
    }
    if (!is_package_name(low_[at_])) return false;
    request_.packages.push_back(low_[at_++]);
    return true;
  }

  void take(const Phrase& phrase, std::size_t at) {
    switch (phrase.tag) {
      case Tag::verb:
        return verb(phrase.wish);
      case Tag::touch:
        if (mode_ == Mode::forbid) return verb(Wish::none);
        return not_understood(at, phrase);
      case Tag::pronoun:
        if (bare_host_follows()) return narrowing(at, ++at_, false);
        reading_.pronoun |= mode_ == Mode::plain && !describes_;
        forbid_object_ |= mode_ == Mode::forbid;
        return;
      case Tag::all:
        reading_.all |= mode_ == Mode::plain && !describes_;
        return;
      case Tag::negation:
      case Tag::exception:
        end_forbidding();
        mode_ = Mode::forbid;
        forbid_object_ = false;
        negation_ = raw_[at];
        return;
      case Tag::but:
      case Tag::next_clause:
        return end_of_clause();
      case Tag::because:
        end_forbidding();
        mode_ = Mode::reason;
        return;
      case Tag::symptom:
        if (!describes_)
          add_reason({raw_.begin() + static_cast<std::ptrdiff_t>(at),
                      raw_.begin() + static_cast<std::ptrdiff_t>(at_)});
        return;
      case Tag::safely:
        request_.safely = true;
        return;
      default:
        return take_manner(phrase, at);
    }
  }

  // How many, who first, only where needed: in what is forbidden nobody can say what it would mean.
  static bool is_manner(Tag tag) {
    return tag == Tag::number || tag == Tag::at_once || tag == Tag::one_by_one ||
           tag == Tag::first || tag == Tag::start_with || tag == Tag::if_needed ||
           tag == Tag::package;
  }

  void take_manner(const Phrase& phrase, std::size_t at) {
    if (mode_ == Mode::forbid && is_manner(phrase.tag)) return not_understood(at, phrase);
    switch (phrase.tag) {
      case Tag::number:
        return number(phrase.value, at);
      case Tag::one_by_one:
        reading_.at_once.push_back(1);
        return;
      case Tag::first:
        if (reading_.target.hosts.empty()) return not_understood(at, phrase);
        return canary(reading_.target.hosts);
      case Tag::start_with:
        canary_next_ = true;
        return;
      case Tag::if_needed:
        request_.if_needed = true;
        return;
      case Tag::package:
        in_packages_ = true;
        return;
      case Tag::at_once:  // without a number before it
        return not_understood(at, phrase);
      case Tag::forbidden:
        return refuse(at, phrase);
      case Tag::question:
        if (!describes_ && !reading_.question) not_understood(at, phrase);
        return;
      case Tag::planning:
        reading_.planning = true;
        return;
      case Tag::out:
      case Tag::health:
      case Tag::failed:
      case Tag::past:
      case Tag::incident:
        if (!describes_ && !reading_.question) not_understood(at, phrase);
        return;
      case Tag::last:
        return narrowing(at, at_, true);
      case Tag::rollout:
        if (low_[at] != "run") narrowing(at, at_, true);  // "run a restart of web"
        return;
      case Tag::host:
        if (low_[at_ - 1].back() != 's') narrowing(at, at_, false);  // "the hosts": all of them
        return;
      case Tag::group:
        return narrowing(at, at_, false);
      default:
        return;
    }
  }

  // "this host", and no name after it.
  bool bare_host_follows() {
    const Phrase* next = at_ < low_.size() ? here(at_) : nullptr;
    if (next == nullptr || next->tag != Tag::host || next->words.size() != 1) return false;
    return at_ + 1 >= low_.size() || !named(at_ + 1, &next->tag);
  }

  // "on the last host": narrows what is worked on to something that has no name here. Whether that
  // matters depends on the action, which may come later.
  void narrowing(std::size_t from, std::size_t to, bool fine_for_a_rollout) {
    if (describes_) return;
    for (std::size_t at = from; at < to; ++at) narrowing_.push_back({raw_[at], fine_for_a_rollout});
  }

  // Swallowed, they would make "restart web on this host" a restart of all of web.
  void report_narrowing() {
    if (reading_.question && !reading_.planning) return;
    const bool planned = std::any_of(reading_.verbs.begin(), reading_.verbs.end(), is_planned);
    for (const auto& [word, fine_for_a_rollout] : narrowing_)
      if (!reading_.verbs.empty() && (planned || !fine_for_a_rollout))
        request_.not_understood.push_back(word);
  }

  void verb(Wish wish) {
    if (mode_ == Mode::forbid) {
      Forbidden each;
      each.wish = wish;
      forbidden_here_.push_back(each);
      return;
    }
    reading_.verbs.push_back(wish);
  }

  void refuse(std::size_t at, const Phrase& phrase) {
    if (mode_ == Mode::forbid || describes_ || reading_.question) return;  // "without force"
    std::vector<std::string> words(
        raw_.begin() + static_cast<std::ptrdiff_t>(at),
        raw_.begin() + static_cast<std::ptrdiff_t>(at + phrase.words.size()));
    reading_.never_offered.push_back(join(words, " "));
  }

  void number(std::int64_t value, std::size_t at) {
    const Phrase* next = at_ < low_.size() ? here(at_) : nullptr;
    if (next != nullptr && next->tag == Tag::at_once) {
      at_ += next->words.size();
      reading_.at_once.push_back(value);
      return;
    }
    request_.not_understood.push_back(raw_[at]);
  }

  void canary(std::vector<std::string>& hosts) {
    request_.canary = hosts.back();
    hosts.pop_back();
  }

  // ---- names ----
  bool name_word(const Phrase* phrase) {
    const std::string& word = low_[at_];
    if (is_rollout_id(word) || is_incident_id(word)) {
      std::string id = word;
      for (std::size_t i = 0; i < id.find('-'); ++i) id[i] = static_cast<char>(id[i] - 'a' + 'A');
      if (!request_.id.empty() && request_.id != id)
        request_.problems.push_back("one id at a time");
      request_.id = id;
      ++at_;
      return true;
    }
    const bool keyword =
        phrase != nullptr &&
        (phrase->tag == Tag::service || phrase->tag == Tag::host || phrase->tag == Tag::group);
    if (keyword && at_ + phrase->words.size() < low_.size()) {
      const std::size_t next = at_ + phrase->words.size();
      if (named(next, &phrase->tag)) {
        at_ = next;
        return take_name(&phrase->tag);
      }
      return false;
    }
    if (!named(at_, nullptr)) return false;
    if (phrase != nullptr && phrase->tag != Tag::filler) {
      request_.problems.push_back("`" + raw_[at_] +
                                  "` is a name in the fleet file and a word here; say `service " +
                                  raw_[at_] + "` or `host " + raw_[at_] + "`");
      ++at_;
      return true;
    }
    return take_name(nullptr);
  }

  bool take_name(const Tag* kind) {
    Names& into = mode_ == Mode::forbid ? forbidden_as_names_
                  : describes_          ? reading_.subject
                                        : reading_.target;
    collect_names(at_, into, kind);
    if (mode_ == Mode::forbid) {
      forbid_object_ = true;
      for (const auto& group : forbidden_as_names_.services)
        forbidden_names_.services.insert(forbidden_names_.services.end(), group.begin(),
                                         group.end());
      forbidden_names_.hosts.insert(forbidden_names_.hosts.end(), forbidden_as_names_.hosts.begin(),
                                    forbidden_as_names_.hosts.end());
      forbidden_as_names_ = {};
    } else if (canary_next_ && !into.hosts.empty()) {
      canary_next_ = false;
      canary(into.hosts);
    }
    ++at_;
    return true;
  }

  bool named(std::size_t at, const Tag* kind) {
    Names scratch;
    const std::size_t problems = request_.problems.size(), notes = request_.notes.size();
    const bool found = collect_names(at, scratch, kind);
    request_.problems.resize(problems);
    request_.notes.resize(notes);
    return found;
  }

  // Names are compared as they are written first, then whatever their case.
  bool collect_names(std::size_t at, Names& into, const Tag* kind) {
    for (const std::string* word : {&raw_[at], &low_[at]}) {
      if (find_name(*word, into, kind)) return true;
    }
    return false;
  }

  bool find_name(const std::string& word, Names& into, const Tag* kind) {
    const auto wanted = [&](Tag tag) { return kind == nullptr || *kind == tag; };
    std::vector<std::string> exact, alias;
    bool host = false;
    for (const KnownService& each : fleet_.services) {
      if (each.name == word) exact.push_back(each.name);
      if (std::find(each.aliases.begin(), each.aliases.end(), word) != each.aliases.end())
        alias.push_back(each.name);
      host |= std::find(each.hosts.begin(), each.hosts.end(), word) != each.hosts.end();
      for (const std::string& on : each.hosts) {
        if (kind != nullptr || word != each.name + "@" + on) continue;
        into.services.push_back({each.name});
        into.hosts.push_back(on);
        return true;
      }
    }
    const std::vector<std::string>& service = exact.empty() ? alias : exact;
    const auto group = fleet_.groups.find(word);
    const bool is_service = !service.empty() && wanted(Tag::service);
    const bool is_host = host && wanted(Tag::host);
    const bool is_group = group != fleet_.groups.end() && wanted(Tag::group);
    if (is_service + is_host + is_group == 0) return false;
    if (is_service + is_host + is_group > 1) {
      request_.problems.push_back("`" + word +
                                  "` is the name of more than one thing; say `service " + word +
                                  "`, `host " + word + "` or `group " + word + "`");
      return true;
    }
    if (is_host) into.hosts.push_back(word);
    if (is_group) into.hosts.insert(into.hosts.end(), group->second.begin(), group->second.end());
    if (is_group) request_.notes.push_back(word + " is " + join(group->second, ", "));
    if (!is_service) return true;
    const bool again =
        std::find(into.services.begin(), into.services.end(), service) != into.services.end();
    if (!again) into.services.push_back(service);
    if (exact.empty()) request_.notes.push_back(word + " is " + join(service, " or "));
    return true;
  }

  // "because nginx on web01 leaks, restart it": when nothing else says what it is.
  void use_reason_names() {
    const bool nothing = reading_.target.services.empty() && reading_.target.hosts.empty() &&
                         reading_.subject.services.empty() && reading_.subject.hosts.empty();
    if (nothing && reading_.pronoun) reading_.subject = reason_names_;
    if (canary_next_) request_.not_understood.emplace_back("start with");
  }

  // ---- the rest ----
  void unknown_word() {
    const std::string& word = raw_[at_];
    if (describes_ || low_[at_] == ",") {
      ++at_;
      return;
    }
    const bool digits =
        !word.empty() && word.size() < 5 &&
        std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits) {
      const std::size_t at = at_++;
      return number(std::stol(word), at);
    }
    request_.not_understood.push_back(word);
    ++at_;
  }

  void not_understood(std::size_t at, const Phrase& phrase) {
    for (std::size_t i = 0; i < phrase.words.size(); ++i)
      request_.not_understood.push_back(raw_[at + i]);
  }

  void add_reason(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (word == "," || text.empty() ? "" : " ") + word;
    if (text.empty()) return;
    request_.reason += (request_.reason.empty() ? "" : "; ") + text;
  }

  void flush_reason() {
    add_reason(reason_);
    reason_.clear();
  }

  const KnownFleet& fleet_;
  Request& request_;
  std::vector<std::string> raw_, low_;
  bool question_mark_ = false;
  std::size_t at_ = 0;
  Mode mode_ = Mode::plain;
  bool describes_ = false, in_packages_ = false, canary_next_ = false, forbid_object_ = false;
  std::string negation_;
  std::vector<Forbidden> forbidden_here_;
  Forbidden forbidden_names_;
  Names forbidden_as_names_, reason_names_;
  std::vector<std::string> reason_;
  std::vector<std::pair<std::string, bool>> narrowing_;
  Reading reading_;
};

}  // namespace

Reading read_words(std::string_view text, const KnownFleet& fleet, Request& request) {
  return Reader(text, fleet, request).run();
}

}  // namespace hitless::agent
