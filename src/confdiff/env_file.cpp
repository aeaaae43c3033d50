#include "confdiff/env_file.hpp"

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/secrets.hpp"

namespace hitless::confdiff {
namespace {

// Reads text[at..] up to stop outside of quotes, quotes and backslashes resolved.
std::string read_value(std::string_view text, std::size_t& at, std::string_view stop) {
  std::string out;
  char quote = '\0';
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == '\0' && stop.find(c) != std::string_view::npos) break;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && at + 1 < text.size()) {
      if (text[++at] != '\n') out += text[at];
    } else {
      out += c;
    }
  }
  return out;
}

ChangeKind kind_of(bool had, bool has) {
  if (!had) return ChangeKind::added;
  return has ? ChangeKind::changed : ChangeKind::removed;
}

void diff_file(const std::string& path, const std::string* old_one, const std::string* new_one,
               ChangeList& list) {
  const auto old_table = parse_env_file(old_one == nullptr ? "" : *old_one);
  const auto new_table = parse_env_file(new_one == nullptr ? "" : *new_one);
  const auto one = [&](const std::string& key, const EnvVariable* was, const EnvVariable* is) {
    Change change;
    change.kind = kind_of(was != nullptr, is != nullptr);
    change.path = truncate_utf8(key, 200);
    const bool secret = is_secret_name(key);
    if (was != nullptr && !secret) change.before = redact(truncate_utf8(was->value, 240));
    if (is != nullptr && !secret) change.after = redact(truncate_utf8(is->value, 240));
    if (secret) (is != nullptr ? change.after : change.before) = name_of(change.kind);
    change.file = path;
    change.line = is != nullptr ? is->line : was->line;
    change.column = 1;
    change.change_class = ChangeClass::restart;
    change.topic = Topic::env;
    change.reason = "a running process keeps its environment";
    list.add(std::move(change));
  };
  for (const auto& [key, variable] : new_table) {
    const auto found = old_table.find(key);
    if (found == old_table.end())
      one(key, nullptr, &variable);
    else if (found->second.value != variable.value)
      one(key, &found->second, &variable);
  }
  for (const auto& [key, variable] : old_table)
    if (!new_table.contains(key)) one(key, &variable, nullptr);
}

}  // namespace

std::map<std::string, EnvVariable> parse_env_file(std::string_view content) {
  std::map<std::string, EnvVariable> found;
  int line = 1, counted_line = 1;
  std::size_t counted = 0;
  for (std::size_t at = 0; at < content.size();) {
    for (; counted < at; ++counted) counted_line += content[counted] == '\n' ? 1 : 0;
    line = counted_line;
    const std::size_t end = std::min(content.find('\n', at), content.size());
    std::string_view text = trim(content.substr(at, end - at));
    const std::size_t equals = content.find('=', at);
    if (text.empty() || text[0] == '#' || text[0] == ';' || equals == std::string_view::npos ||
        equals > end) {
      at = end + 1;
      continue;
    }
    std::string_view key = trim(content.substr(at, equals - at));
    if (key.starts_with("export ")) key = trim(key.substr(7));
    at = equals + 1;  // a quoted value may run over several lines
    std::string value = read_value(content, at, "\n");
    ++at;
    if (!key.empty()) found[std::string(key)] = {std::string(trim(value)), line};
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> parse_assignments(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> found;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string word = read_value(text, at, " \t");
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    found.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return found;
}

DiffResult diff_env_files(const Files& before, const Files& after) {
  ChangeList list;
  for_each_changed_file(
      before, after,
      [&list](const std::string& path, const std::string* old_one, const std::string* new_one) {
        diff_file(path, old_one, new_one, list);
      });
  DiffResult result;
  result.changes = list.take();
  add_layout_changes(before, after, result);
  return result;
}

}  // namespace hitless::confdiff
