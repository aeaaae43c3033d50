#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/haproxy.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/secrets.hpp"

namespace hitless::confdiff {
namespace {

constexpr std::size_t kMaxShownBytes = 240;

using Lines = std::vector<const HaproxyLine*>;

struct Section {
  std::string kind, name;
  const HaproxyLine* head = nullptr;
  Lines lines;       // of all sections of this kind and name
  int defaults = 0;  // which defaults section stands above, as counted from the top
};
using Sections = std::map<std::string, Section>;

Sections by_name(const std::vector<HaproxySection>& sections) {
  Sections found;
  int defaults = 0;
  for (const HaproxySection& section : sections) {
    // Unnamed defaults are told apart by where they stand.
    const bool is_defaults = section.kind == "defaults";
    if (is_defaults) ++defaults;
    std::string name = section.name;
    if (is_defaults && name.empty() && defaults > 1) name = "(" + std::to_string(defaults) + ")";
    Section& entry = found[section.kind + " " + name];
    entry.kind = section.kind;
    entry.name = name;
    entry.defaults = defaults;
    if (entry.head == nullptr) entry.head = &section.head;
    for (const HaproxyLine& line : section.lines) entry.lines.push_back(&line);
  }
  return found;
}

std::string label_of(const Section& section) {
  std::string label = section.kind;
  if (!section.name.empty()) label += ' ' + section.name;
  return redact(truncate_utf8(label, kMaxShownBytes));
}

std::size_t key_size(const HaproxyLine& line, const HaproxyRule& rule) {
  return std::min(static_cast<std::size_t>(rule.key_words), line.words.size());
}

std::string words_text(const HaproxyLine& line, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end && out.size() < kMaxShownBytes; ++i) {
    if (i > begin) out += ' ';
    out += line.words[i];
  }
  return truncate_utf8(out, kMaxShownBytes);
}

// userlist's "user NAME password …", and whatever base's redact() knows.
std::string operands(const Section& section, const HaproxyLine& line, const HaproxyRule& rule) {
  const std::string text = words_text(line, key_size(line, rule), line.words.size());
  if (section.kind == "userlist" && line.words[0] == "user" && !text.empty()) return "[redacted]";
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const std::string word = line.words[i].substr(0, line.words[i].find(' '));
    if (is_secret_name(word) && i + 1 < line.words.size()) return "[redacted]";
  }
  if (line.words[0] == "stats" && line.words.size() > 1 && line.words[1] == "auth")
    return "[redacted]";
  return is_secret_name(line.words[0]) && !text.empty() ? "[redacted]" : redact(text);
}

// Port of "*:80", ":80", "10.0.0.1:80,10.0.0.2:80", "ipv4@:80"; 0 for sockets and ranges.
std::set<int> bind_ports(const HaproxyLine& line) {
  std::set<int> ports;
  if (line.words.size() < 2) return ports;
  for (const std::string& address : split(line.words[1], ',')) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || address.starts_with("/") || address.find("unix@") == 0)
      continue;
    int port = 0;
    for (const char c : address.substr(colon + 1, 6)) {
      if (c < '0' || c > '9') break;
      port = port * 10 + (c - '0');
    }
    if (port > 0) ports.insert(port);
  }
  return ports;
}

class HaproxyDiff {
 public:
  HaproxyDiff(const std::vector<HaproxySection>& before, const std::vector<HaproxySection>& after,
              const Context& context)
      : before_(by_name(before)), after_(by_name(after)), context_(context) {
    for (const auto& [key, section] : after_) note_ports(section);
  }

  std::vector<Change> run() {
    for (const auto& [key, section] : after_) {
      const auto found = before_.find(key);
      if (found == before_.end())
        whole_section(section, ChangeKind::added);
      else
        diff_section(found->second, section);
    }
    for (const auto& [key, section] : before_) {
      if (!after_.contains(key)) whole_section(section, ChangeKind::removed);
    }
    return changes_.take();
  }

 private:
  void note_ports(const Section& section) {
    for (const HaproxyLine* line : section.lines) {
      if (line->words[0] != "bind") continue;
      for (const int port : bind_ports(*line)) new_ports_.insert(port);
    }
  }

  void whole_section(const Section& section, ChangeKind kind) {
    const bool is_new = kind == ChangeKind::added;
    if (section.kind == "global" || section.kind == "defaults") {
      for (const HaproxyLine* line : section.lines) one_sided(section, *line, kind);
      return;
    }
    Change change = change_at(*section.head, kind, label_of(section));
    (is_new ? change.after : change.before) = std::to_string(section.lines.size()) + " lines";
    change.topic =
        section.kind == "backend" || section.kind == "peers" ? Topic::upstream : Topic::body;
    change.change_class = is_new ? ChangeClass::reload : ChangeClass::reload_watch;
    if (section.kind == "program" || section.kind == "resolvers" || section.kind == "peers")
      change.change_class = ChangeClass::reload_watch;
    bool risky = false;
    for (const HaproxyLine* line : section.lines) {
      const HaproxyRule& rule = haproxy_rule(section.kind, line->words);
      if (rule.topic == Topic::listen) one_sided(section, *line, kind);
      risky |= rule.topic == Topic::unknown;
    }
    if (risky) {
      change.change_class = ChangeClass::restart;
      change.reason = "it contains a keyword without a rule";
    }
    changes_.add(std::move(change));
  }

  void diff_section(const Section& before, const Section& after) {
    if (before.head->words != after.head->words) {
      Change change = change_at(*after.head, ChangeKind::changed, label_of(after));
      change.before = redact(words_text(*before.head, 2, before.head->words.size()));
      change.after = redact(words_text(*after.head, 2, after.head->words.size()));
      change.topic = Topic::body;
      changes_.add(std::move(change));
    }
    if (before.defaults != after.defaults && after.kind != "global" && after.kind != "defaults") {
      Change change = change_at(*after.head, ChangeKind::changed, label_of(after) + " > defaults");
      change.before = "defaults section " + std::to_string(before.defaults);
      change.after = "defaults section " + std::to_string(after.defaults);
      change.topic = Topic::body;
      change.reason = "another defaults section stands above it";
      changes_.add(std::move(change));
    }
    std::unordered_map<std::string, std::pair<Lines, Lines>> groups;
    std::vector<std::string> order;
    const auto sort_in = [&](const Section& section, bool is_new) {
      for (const HaproxyLine* line : section.lines) {
        const HaproxyRule& rule = haproxy_rule(section.kind, line->words);
        std::string key;
        for (std::size_t i = 0; i < key_size(*line, rule); ++i) key += line->words[i] + '\x1f';
        const auto [place, fresh] = groups.try_emplace(key);
        if (fresh) order.push_back(key);
        (is_new ? place->second.second : place->second.first).push_back(line);
      }
    };
    sort_in(after, true);
    sort_in(before, false);
    for (const std::string& key : order) {
      const auto& [old_lines, new_lines] = groups[key];
      diff_lines(before, after, old_lines, new_lines);
    }
    diff_order(before, after);
  }

  // Lines of one key: equal ones first, the rest in the order written.
  void diff_lines(const Section& before, const Section& after, const Lines& old_lines,
                  const Lines& new_lines) {
    std::unordered_map<std::string, std::deque<const HaproxyLine*>> equal;
    for (const HaproxyLine* line : old_lines) equal[join(line->words, "\x1f")].push_back(line);
    std::unordered_set<const HaproxyLine*> taken;
    Lines left;
    for (const HaproxyLine* line : new_lines) {
      auto& candidates = equal[join(line->words, "\x1f")];
      if (candidates.empty()) {
        left.push_back(line);
        continue;
      }
      taken.insert(candidates.front());
      candidates.pop_front();
    }
    std::size_t next = 0;
    for (const HaproxyLine* line : old_lines) {
      if (taken.contains(line)) continue;
      if (next < left.size())
        changed_line(before, after, *line, *left[next++]);
      else
        one_sided(before, *line, ChangeKind::removed);
    }
    for (; next < left.size(); ++next) one_sided(after, *left[next], ChangeKind::added);
  }

  void changed_line(const Section& before, const Section& after, const HaproxyLine& old_line,
                    const HaproxyLine& new_line) {
    const HaproxyRule& rule = haproxy_rule(after.kind, new_line.words);
    Change change = change_at(new_line, ChangeKind::changed, path_of(after, new_line, rule));
    change.before = operands(before, old_line, rule);
    change.after = operands(after, new_line, rule);
    change.change_class = rule.changed;
    change.topic = rule.topic;
    change.reason = rule.reason;
    const auto has = [](const HaproxyLine& line, std::string_view word) {
      return std::find(line.words.begin(), line.words.end(), word) != line.words.end();
    };
    if (rule.keyword == "global/stats" && has(old_line, "expose-fd") &&
        !has(new_line, "expose-fd")) {
      change.change_class = ChangeClass::human_only;
      change.reason = "without expose-fd a reload can drop connections";
    }
    if (rule.topic == Topic::listen && change.before.find("crt") != std::string::npos) {
      change.reason = "a socket that is listened on, or its certificates";
    }
    changes_.add(std::move(change));
  }

  void one_sided(const Section& section, const HaproxyLine& line, ChangeKind kind) {
    const bool is_new = kind == ChangeKind::added;
    const HaproxyRule& rule = haproxy_rule(section.kind, line.words);
    Change change = change_at(line, kind, path_of(section, line, rule));
    (is_new ? change.after : change.before) = operands(section, line, rule);
    change.change_class = is_new ? rule.added : rule.removed;
    change.topic = rule.topic;
    change.reason = rule.reason;
    if (!is_new) judge_removed(line, rule, change);
    changes_.add(std::move(change));
  }

  void judge_removed(const HaproxyLine& line, const HaproxyRule& rule, Change& change) const {
    if (rule.keyword == "global/stats" && line.words.size() > 1 && line.words[1] != "socket") {
      change.change_class = ChangeClass::reload_watch;
    }
    if (rule.keyword == "monitor-uri" && line.words.size() > 1 &&
        (context_.health_path.empty() || line.words[1] == context_.health_path)) {
      change.change_class = ChangeClass::human_only;
      change.reason = "it answers the health check";
    }
    if (rule.topic != Topic::listen) return;
    for (const int port : bind_ports(line)) {
      if (new_ports_.contains(port) || (context_.port != 0 && port != context_.port)) continue;
      change.change_class = ChangeClass::human_only;
      change.reason = context_.port == 0
                          ? "the port that clients or load balancers use is not known"
                          : "the load balancer sends to this port";
    }
  }

  void diff_order(const Section& before, const Section& after) {
    const auto rules = [](const Section& section) {
      std::map<std::string, std::vector<std::string>> found;
      for (const HaproxyLine* line : section.lines) {
        if (haproxy_rule(section.kind, line->words).ordered)
          found[line->words[0]].push_back(join(line->words, " "));
      }
      return found;
    };
    const auto old_rules = rules(before), new_rules = rules(after);
    for (const auto& [keyword, lines] : new_rules) {
      const auto found = old_rules.find(keyword);
      if (found == old_rules.end() || found->second == lines) continue;
      auto a = found->second, b = lines;
      std::sort(a.begin(), a.end());
      std::sort(b.begin(), b.end());
      if (a != b) continue;  // the differing lines are told one by one
      Change change = change_at(*after.head, ChangeKind::changed,
                                label_of(after) + " > order of " + keyword + " rules");
      change.change_class = ChangeClass::reload;
      change.topic = Topic::body;
      change.reason = "they act in the order written";
      changes_.add(std::move(change));
    }
  }

  static std::string path_of(const Section& section, const HaproxyLine& line,
                             const HaproxyRule& rule) {
    const std::string text = section.kind == "userlist" ? words_text(line, 0, 2)
                                                        : words_text(line, 0, key_size(line, rule));
    return label_of(section) + " > " + redact(text);
  }

  static Change change_at(const HaproxyLine& line, ChangeKind kind, std::string path) {
    Change change;
    change.kind = kind;
    change.path = std::move(path);
    change.file = line.file;
    change.line = line.line;
    change.column = line.column;
    return change;
  }

  const Sections before_, after_;
  const Context& context_;
  std::set<int> new_ports_;
  ChangeList changes_;
};

}  // namespace

DiffResult diff_haproxy(const Files& before, const Files& after, const std::string& main_path,
                        const Context& context) {
  DiffResult result;
  const auto old_sections = parse_haproxy(before, main_path);
  const auto new_sections = parse_haproxy(after, main_path);
  if (!old_sections) {
    result.before_error = old_sections.error();
    result.changes.push_back(broken_before(old_sections.error()));
  }
  if (!new_sections) {
    result.after_error = new_sections.error();
    result.changes.push_back(broken_after(new_sections.error()));
  }
  if (!old_sections || !new_sections) return result;
  result.changes = HaproxyDiff(*old_sections, *new_sections, context).run();
  for_each_changed_file(
      before, after,
      [&](const std::string& path, const std::string* old_one, const std::string* new_one) {
        if (path == main_path || path.ends_with(".cfg")) return;
        if (result.changes.size() >= 2 * ChangeList::kMaxChanges) return;
        Change change;
        change.kind = old_one == nullptr   ? ChangeKind::added
                      : new_one == nullptr ? ChangeKind::removed
                                           : ChangeKind::changed;
        change.path = path;
        change.file = path;
        change.topic = Topic::file;
        change.reason = "a file beside the configuration: map, list, certificate or error page";
        result.changes.push_back(std::move(change));
      });
  add_layout_changes(before, after, result);
  return result;
}

}  // namespace hitless::confdiff
