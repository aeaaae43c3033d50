#include "confdiff/directives.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/secrets.hpp"

namespace hitless::confdiff {
namespace {

constexpr std::size_t kMaxShownBytes = 240;

std::string key_of(const Directive& directive) {
  return lower(directive.section) + '\x1f' + lower(directive.name);
}

std::string whole(const Directive& directive) {
  return key_of(directive) + '\x1f' + join(directive.words, "\x1f");
}

std::string shown(const Directive& directive) {
  return shown_value(directive.name, truncate_utf8(join(directive.words, " "), kMaxShownBytes));
}

std::string path_of(const Directive& directive) {
  std::string path = directive.section.empty() ? "" : directive.section + " > ";
  return redact(truncate_utf8(path + directive.name, kMaxShownBytes));
}

class DirectiveDiff {
 public:
  DirectiveDiff(const DirectiveDialect& dialect, const Directives& before, const Directives& after)
      : dialect_(dialect), before_(before), after_(after) {}

  std::vector<Change> run() {
    std::map<std::string, std::pair<std::deque<const Directive*>, std::deque<const Directive*>>>
        groups;
    std::vector<std::string> order;
    const auto sort_in = [&](const Directives& from, bool is_new) {
      for (const Directive& each : from) {
        const auto [place, fresh] = groups.try_emplace(key_of(each));
        if (fresh) order.push_back(place->first);
        (is_new ? place->second.second : place->second.first).push_back(&each);
      }
    };
    sort_in(after_, true);
    sort_in(before_, false);
    bool changed = false;
    for (const std::string& key : order)
      changed = pair_up(groups[key].first, groups[key].second) || changed;
    if (!changed) look_at_order();
    return changes_.take();
  }

 private:
  // Equal ones first, then the rest in the order written.
  bool pair_up(const std::deque<const Directive*>& old_ones,
               const std::deque<const Directive*>& new_ones) {
    std::map<std::string, std::deque<const Directive*>> equal;
    for (const Directive* each : old_ones) equal[whole(*each)].push_back(each);
    std::set<const Directive*> kept;
    std::deque<const Directive*> left;
    for (const Directive* each : new_ones) {
      auto& candidates = equal[whole(*each)];
      if (candidates.empty()) {
        left.push_back(each);
        continue;
      }
      kept.insert(candidates.front());
      candidates.pop_front();
    }
    bool changed = false;
    for (const Directive* each : old_ones) {
      if (kept.contains(each)) continue;
      changed = true;
      add(each, left.empty() ? nullptr : left.front());
      if (!left.empty()) left.pop_front();
    }
    for (const Directive* each : left) add(nullptr, each);
    return changed || !left.empty();
  }

  void add(const Directive* before, const Directive* after) {
    const Directive& at = after != nullptr ? *after : *before;
    Change change;
    change.kind = before == nullptr  ? ChangeKind::added
                  : after == nullptr ? ChangeKind::removed
                                     : ChangeKind::changed;
    change.path = path_of(at);
    if (before != nullptr) change.before = shown(*before);
    if (after != nullptr) change.after = shown(*after);
    change.file = at.file;
    change.line = at.line;
    change.column = at.column;
    DirectiveRule rule = dialect_.rule(at);
    change.change_class = rule.change_class;
    change.topic = rule.topic;
    change.reason = std::move(rule.reason);
    dialect_.judge(change, before, after);
    changes_.add(std::move(change));
  }

  void look_at_order() {
    const auto text = [](const Directives& all) {
      std::string joined;
      for (const Directive& each : all) joined += whole(each) + '\x1e';
      return joined;
    };
    if (after_.empty() || text(before_) == text(after_)) return;
    Change change;
    change.path = "order of directives";
    change.file = after_.front().file;
    change.change_class = ChangeClass::reload_watch;
    change.topic = Topic::body;
    change.reason = dialect_.order_matters;
    changes_.add(std::move(change));
  }

  const DirectiveDialect& dialect_;
  const Directives& before_;
  const Directives& after_;
  ChangeList changes_;
};

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::vector<std::string> directive_words(std::string_view line) {
  std::vector<std::string> words;
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  for (std::size_t at = 0; at < line.size() && words.size() < kMaxDirectiveWords;) {
    if (blank(line[at])) {
      ++at;
      continue;
    }
    const char quote = line[at] == '"' || line[at] == '\'' ? line[at] : '\0';
    if (quote != '\0') ++at;
    std::string word;
    for (; at < line.size() && (quote != '\0' ? line[at] != quote : !blank(line[at])); ++at) {
      const bool escaped = quote != '\0' && line[at] == '\\' && at + 1 < line.size() &&
                           (line[at + 1] == quote || line[at + 1] == '\\');
      if (escaped) ++at;
      word += line[at];
    }
    if (quote != '\0' && at < line.size()) ++at;
    words.push_back(std::move(word));
  }
  return words;
}

std::vector<const Files::value_type*> in_order(const Files& files, const std::string& main_path) {
  std::vector<const Files::value_type*> ordered;
  if (const auto main = files.find(main_path); main != files.end()) ordered.push_back(&*main);
  for (const auto& file : files) {
    if (file.first != main_path) ordered.push_back(&file);
  }
  return ordered;
}

DiffResult diff_directives(const DirectiveDialect& dialect, const Files& before, const Files& after,
                           const std::string& main_path) {
  DiffResult result;
  const auto old_ones = dialect.parse(before, main_path);
  const auto new_ones = dialect.parse(after, main_path);
  if (!old_ones) {
    result.before_error = old_ones.error();
    result.changes.push_back(broken_before(old_ones.error()));
  }
  if (!new_ones) {
    result.after_error = new_ones.error();
    result.changes.push_back(broken_after(new_ones.error()));
  }
  if (!old_ones || !new_ones) return result;
  result.changes = DirectiveDiff(dialect, *old_ones, *new_ones).run();
  add_layout_changes(before, after, result);
  return result;
}

}  // namespace hitless::confdiff
