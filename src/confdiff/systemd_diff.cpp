#include <algorithm>

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/env_file.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/secrets.hpp"
#include "confdiff/systemd_unit.hpp"

namespace hitless::confdiff {
namespace {

using Values = std::vector<UnitValue>;

std::vector<std::string> texts_of(const Values& values) {
  std::vector<std::string> texts;
  for (const UnitValue& value : values) texts.push_back(value.text);
  return texts;
}

std::string shown(std::string_view key, const Values& values) {
  return shown_value(key, truncate_utf8(join(texts_of(values), " ; "), 240));
}

// Lists of names, in which order and repetition mean nothing.
bool is_set(std::string_view key) {
  return !key.starts_with("Exec") && !key.starts_with("Environment") &&
         !key.starts_with("Condition") && !key.starts_with("Assert") && key != "SystemCallFilter";
}

std::vector<std::string> words_of(const Values& values) {
  std::vector<std::string> words;
  for (const UnitValue& value : values) {
    for (const std::string& word : split(value.text, ' ')) {
      if (!trim(word).empty()) words.emplace_back(trim(word));
    }
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

class UnitDiff {
 public:
  std::vector<Change> run(const UnitSettings& before, const UnitSettings& after) {
    for (const auto& [name, values] : after) {
      const auto found = before.find(name);
      diff_setting(name, found == before.end() ? Values{} : found->second, values);
    }
    for (const auto& [name, values] : before) {
      if (!after.contains(name)) diff_setting(name, values, {});
    }
    return changes_.take();
  }

 private:
  void diff_setting(const std::string& name, const Values& before, const Values& after) {
    const std::size_t slash = name.find('/');
    const std::string section = name.substr(0, slash), key = name.substr(slash + 1);
    if (key == "Environment") return diff_environment(section, before, after);
    if (texts_of(before) == texts_of(after)) return;
    const UnitRule rule = unit_rule(section, key);
    if (is_unit_list(section, key) && is_set(key))
      return diff_set(section, key, rule, before, after);
    Change change = start(section, key, before, after);
    change.before = shown(key, before);
    change.after = shown(key, after);
    finish(change, rule);
  }

  // Each word that came or went, so that a removed dependency is told from an added one.
  void diff_set(const std::string& section, const std::string& key, const UnitRule& rule,
                const Values& before, const Values& after) {
    const auto old_words = words_of(before), new_words = words_of(after);
    const auto one = [&](const std::string& word, bool is_new) {
      Change change = start(section, key + "=" + redact(truncate_utf8(word, 120)), before, after);
      change.kind = is_new ? ChangeKind::added : ChangeKind::removed;
      finish(change, rule);
    };
    for (const std::string& word : new_words)
      if (!std::binary_search(old_words.begin(), old_words.end(), word)) one(word, true);
    for (const std::string& word : old_words)
      if (!std::binary_search(new_words.begin(), new_words.end(), word)) one(word, false);
  }

  // Environment= lines are one table of variables, the last assignment of each counting.
  void diff_environment(const std::string& section, const Values& before, const Values& after) {
    const auto table = [](const Values& values) {
      std::map<std::string, std::string> variables;
      for (const UnitValue& value : values) {
        for (const auto& [name, content] : parse_assignments(value.text)) variables[name] = content;
      }
      return variables;
    };
    const auto old_table = table(before), new_table = table(after);
    const auto one = [&](const std::string& name, const std::string* old_one,
                         const std::string* new_one) {
      Change change = start(section, "Environment " + truncate_utf8(name, 120), before, after);
      change.kind = old_one == nullptr   ? ChangeKind::added
                    : new_one == nullptr ? ChangeKind::removed
                                         : ChangeKind::changed;
      if (old_one != nullptr) change.before = shown_value(name, truncate_utf8(*old_one, 240));
      if (new_one != nullptr) change.after = shown_value(name, truncate_utf8(*new_one, 240));
      finish(change, unit_rule(section, "Environment"));
    };
    for (const auto& [name, content] : new_table) {
      const auto found = old_table.find(name);
      if (found == old_table.end())
        one(name, nullptr, &content);
      else if (found->second != content)
        one(name, &found->second, &content);
    }
    for (const auto& [name, content] : old_table)
      if (!new_table.contains(name)) one(name, &content, nullptr);
  }

  static Change start(const std::string& section, const std::string& what, const Values& before,
                      const Values& after) {
    Change change;
    change.kind = before.empty()  ? ChangeKind::added
                  : after.empty() ? ChangeKind::removed
                                  : ChangeKind::changed;
    change.path = "[" + truncate_utf8(section, 60) + "] > " + what;
    const UnitValue& place = after.empty() ? before.back() : after.back();
    change.file = place.file;
    change.line = place.line;
    change.column = place.column;
    return change;
  }

  void finish(Change& change, const UnitRule& rule) {
    change.change_class = change.kind == ChangeKind::added     ? rule.added
                          : change.kind == ChangeKind::removed ? rule.removed
                                                               : rule.changed;
    change.topic = rule.topic;
    change.reason = rule.reason;
    changes_.add(std::move(change));
  }

  ChangeList changes_;
};

}  // namespace

DiffResult diff_systemd_unit(const Files& before, const Files& after, const std::string& main_path,
                             const Context&) {
  DiffResult result;
  const auto old_unit = parse_systemd_unit(before, main_path);
  const auto new_unit = parse_systemd_unit(after, main_path);
  if (!old_unit) {
    result.before_error = old_unit.error();
    result.changes.push_back(broken_before(old_unit.error()));
  }
  if (!new_unit) {
    result.after_error = new_unit.error();
    result.changes.push_back(broken_after(new_unit.error()));
  }
  if (!old_unit || !new_unit) return result;
  result.changes = UnitDiff().run(*old_unit, *new_unit);
  add_layout_changes(before, after, result);
  return result;
}

}  // namespace hitless::confdiff
