// The one line about a whole diff, and the lines about its parts.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "confdiff/config_diff.hpp"

namespace hitless::confdiff {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kMaxPorts = 6;  // named in the summary
constexpr std::size_t kMaxEnvNames = 5;

void note_topic(Topic topic, WhatChanged& what) {
  switch (topic) {
    case Topic::upstream:
      what.upstream = true;
      break;
    case Topic::listen:
      what.listen = true;
      break;
    case Topic::body:
      what.body = true;
      break;
    case Topic::tls:
      what.tls = true;
      break;
    case Topic::logs:
      what.logs = true;
      break;
    case Topic::timeouts:
      what.timeouts = true;
      break;
    case Topic::zones:
      what.zones = true;
      break;
    case Topic::process:
      what.process = true;
      break;
    case Topic::env:
      what.env = true;
      break;
    case Topic::unknown:
    case Topic::file:
      what.unknown = true;
      break;
    case Topic::layout:
      break;
    case Topic::error:
      what.parse_error = true;
      break;
  }
}

std::string counts(const Summary& summary) {
  std::vector<std::string> parts;
  if (summary.added > 0) parts.push_back(fmt::format("+{}", summary.added));
  if (summary.removed > 0) parts.push_back(fmt::format("−{}", summary.removed));
  if (summary.changed > 0) parts.push_back(fmt::format("~{}", summary.changed));
  return join(parts, " ");
}

// "+8443 −8080": the last word of the paths of the listen changes.
std::string port_changes(const std::vector<Change>& changes) {
  std::vector<std::string> parts;
  std::size_t more = 0;
  for (const Change& change : changes) {
    if (change.topic != Topic::listen || change.change_class == ChangeClass::none) continue;
    const char* sign = change.kind == ChangeKind::added     ? "+"
                       : change.kind == ChangeKind::removed ? "−"
                                                            : "~";
    const std::string part =
        sign + change.path.substr(std::min(change.path.rfind(' ') + 1, change.path.size()));
    if (parts.size() < kMaxPorts)
      parts.push_back(part);
    else
      ++more;
  }
  if (more > 0) parts.push_back(fmt::format("and {} more", more));
  return join(parts, " ");
}

std::string env_names(const std::vector<Change>& changes) {
  std::vector<std::string> names;
  for (const Change& change : changes) {
    if (change.topic != Topic::env) continue;
    const std::size_t space = change.path.rfind(' ');
    names.push_back(space == std::string::npos ? change.path : change.path.substr(space + 1));
  }
  const std::size_t all = names.size();
  if (all > kMaxEnvNames) names.resize(kMaxEnvNames);
  return join(names, ", ") +
         (all > kMaxEnvNames ? fmt::format(" and {} more", all - kMaxEnvNames) : "");
}

std::string topics(const WhatChanged& what) {
  std::vector<std::string> names;
  if (what.upstream) names.emplace_back("upstream pool");
  if (what.body) names.emplace_back("request handling");
  if (what.tls) names.emplace_back("TLS");
  if (what.timeouts) names.emplace_back("timeouts");
  if (what.zones) names.emplace_back("shared zones");
  if (what.logs) names.emplace_back("logs");
  if (what.process) names.emplace_back("process settings");
  if (what.env) names.emplace_back("environment");
  if (what.unknown) names.emplace_back("settings without a rule");
  return join(names, ", ");
}

std::string one_line(const Summary& summary, const std::vector<Change>& changes) {
  const WhatChanged& what = summary.what_changed;
  if (what.nothing) return "no change";
  if (what.parse_error) {
    for (const Change& change : changes) {
      if (change.topic != Topic::error) continue;
      const std::string where =
          change.line > 0 ? fmt::format("{}:{}:{}", change.file, change.line, change.column)
                          : change.file;
      return escape_for_terminal(fmt::format("{} ({}: {})", change.path, where,
                                             change.after.empty() ? change.before : change.after));
    }
  }
  if (!what.meaning) return "no change of meaning (comments, layout, order or unused files)";
  std::string text = counts(summary) + ", ";
  if (what.upstream_only)
    text += "only upstream pool change";
  else if (const std::string names = topics(what); !names.empty())
    text += names + " change";
  else
    text += "only listen change";
  if (what.env) text += " (" + env_names(changes) + ")";
  text +=
      what.listen ? ", listen port changes: " + port_changes(changes) : ", no listen port changes";
  return escape_for_terminal(text);
}

// At most `columns` wide, with "…" where it was cut.
std::string fit(const std::string& text, std::size_t columns) {
  if (display_width(text) <= columns) return text;
  std::string cut = truncate_utf8(text, 4 * columns);
  std::size_t bytes = cut.size();
  while (bytes > 0 && display_width(cut) > columns) cut = truncate_utf8(text, --bytes);
  return cut;
}

std::string value_text(const Change& change) {
  if (change.kind == ChangeKind::added) return change.after;
  if (change.kind == ChangeKind::removed) return change.before;
  const auto named = [](const std::string& value) { return value.empty() ? "(none)" : value; };
  if (change.before.empty() && change.after.empty()) return {};
  if (change.before == change.after) return change.after + " (changed)";
  return named(change.before) + " → " + named(change.after);
}

std::string padded(const std::string& text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return width < columns ? text + std::string(columns - width, ' ') : text;
}

}  // namespace

Summary summarize(const std::vector<Change>& changes) {
  Summary summary;
  bool all_upstream = true;
  for (const Change& change : changes) {
    summary.what_changed.nothing = false;
    summary.change_class = std::max(summary.change_class, change.change_class);
    if (change.change_class == ChangeClass::none) continue;
    summary.what_changed.meaning = true;
    all_upstream &= change.topic == Topic::upstream;
    note_topic(change.topic, summary.what_changed);
    if (change.kind == ChangeKind::added) ++summary.added;
    if (change.kind == ChangeKind::removed) ++summary.removed;
    if (change.kind == ChangeKind::changed) ++summary.changed;
  }
  summary.what_changed.upstream_only = summary.what_changed.meaning && all_upstream;
  summary.text = one_line(summary, changes);
  return summary;
}

std::string render_changes(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& change : changes) {
    const char sign = change.kind == ChangeKind::added     ? '+'
                      : change.kind == ChangeKind::removed ? '-'
                                                           : '~';
    const std::string class_name = name_of(change.change_class);
    const std::string path = escape_for_terminal(change.path);
    const std::string value = escape_for_terminal(value_text(change));
    const std::size_t room = kColumns - 4 - class_name.size() - 2;
    // One line when it fits; else the value, then the class, each on a line of its own.
    if (display_width(path) + 2 + display_width(value) <= room) {
      const std::string text = value.empty() ? path : path + "  " + value;
      out += fmt::format("  {} {}  {}\n", sign, padded(text, room), class_name);
    } else {
      out += fmt::format("  {} {}  {}\n", sign, padded(fit(path, room), room), class_name);
      if (!value.empty()) out += fmt::format("      {}\n", fit(value, kColumns - 6));
    }
    const bool quiet = change.reason.empty() || change.change_class <= ChangeClass::reload;
    if (!quiet)
      out += fmt::format("      {}\n", fit(escape_for_terminal(change.reason), kColumns - 6));
  }
  return out;
}

}  // namespace hitless::confdiff
