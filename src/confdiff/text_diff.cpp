#include "confdiff/text_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/text.hpp"
#include "confdiff/secrets.hpp"

namespace hitless::confdiff {
namespace {

using Ids = std::vector<std::uint32_t>;

// The shortest edit script of a[0..n) and b[0..m) by Myers' greedy algorithm; empty optional when
// it is longer than kMaxEdits. trace keeps one row of furthest points for each distance.
std::optional<std::vector<LineEdit>> shortest_edits(const Ids& a, const Ids& b) {
  const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
  const std::int64_t max_d = std::min(n + m, static_cast<std::int64_t>(kMaxEdits));
  const auto at = [max_d](std::int64_t k) { return static_cast<std::size_t>(k + max_d + 1); };
  std::vector<std::int64_t> furthest(static_cast<std::size_t>(2 * max_d + 3), 0);
  std::vector<std::vector<std::int64_t>> trace;
  std::int64_t found = -1;
  for (std::int64_t d = 0; d <= max_d && found < 0; ++d) {
    trace.emplace_back(furthest.begin() + (max_d + 1 - d - 1),
                       furthest.begin() + (max_d + 1 + d + 2));
    for (std::int64_t k = -d; k <= d; k += 2) {
      const bool down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
      std::int64_t x = down ? furthest[at(k + 1)] : furthest[at(k - 1)] + 1;
      while (x < n && x - k < m &&
             a[static_cast<std::size_t>(x)] == b[static_cast<std::size_t>(x - k)])
        ++x;
      furthest[at(k)] = x;
      if (x >= n && x - k >= m) {
        found = d;
        break;
      }
    }
  }
  if (found < 0) return std::nullopt;
  std::vector<LineEdit> edits;
  std::int64_t x = n, y = m;
  const auto add = [&edits](char kind, std::int64_t i, std::int64_t j) {
    edits.push_back({kind, static_cast<std::size_t>(i), static_cast<std::size_t>(j)});
  };
  // Backwards: the diagonal run behind each edit, then the edit itself.
  for (std::int64_t d = found; d >= 0; --d) {
    const auto& row = trace[static_cast<std::size_t>(d)];  // row[0] is diagonal -d-1
    const auto value = [&row, d](std::int64_t k) {
      return row[static_cast<std::size_t>(k + d + 1)];
    };
    const std::int64_t k = x - y;
    const bool down = k == -d || (k != d && value(k - 1) < value(k + 1));
    const std::int64_t from_x = d == 0 ? 0 : value(down ? k + 1 : k - 1);
    const std::int64_t from_y = d == 0 ? 0 : from_x - (down ? k + 1 : k - 1);
    for (; x > from_x && y > from_y; --x, --y) add(' ', x - 1, y - 1);
    if (d == 0) break;
    if (down) {
      add('+', x, --y);
    } else {
      add('-', --x, y);
    }
  }
  std::reverse(edits.begin(), edits.end());
  return edits;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Lines as they may be shown. Private keys are cut out across lines.
std::string shown_line(std::string_view line, bool& in_key) {
  const bool begins = line.find("-----BEGIN ") != std::string_view::npos &&
                      line.find("PRIVATE KEY") != std::string_view::npos;
  if (begins) in_key = true;
  const bool hidden = in_key;
  if (line.find("-----END ") != std::string_view::npos) in_key = false;
  if (hidden) return "[redacted]";
  // "name value" as configurations write it; redact() itself knows name=value and name: value.
  const std::string_view body = trim(line);
  std::size_t word_end = std::min(body.find_first_of(" \t="), body.size());
  std::string_view name = body.substr(0, word_end);
  if (is_secret_name(name) && word_end < body.size()) {
    const auto lead = static_cast<std::size_t>(body.data() - line.data());
    return escape_for_terminal(line.substr(0, lead + word_end + 1), true) + "[redacted]";
  }
  // proxy_set_header NAME value, set $name value, fastcgi_param NAME value, env files' export
  // NAME=…
  const std::string_view rest = trim(body.substr(word_end));
  std::size_t second_end = std::min(rest.find_first_of(" \t="), rest.size());
  if (second_end < rest.size() && is_secret_name(rest.substr(0, second_end)) &&
      (rest.data() > body.data()) && word_end < body.size() && body[word_end] != '=') {
    const auto lead = static_cast<std::size_t>(rest.data() - line.data());
    return escape_for_terminal(line.substr(0, lead + second_end + 1), true) + "[redacted]";
  }
  return escape_for_terminal(redact(line), true);
}

std::vector<std::string> shown_lines(const std::vector<std::string_view>& lines) {
  std::vector<std::string> shown;
  shown.reserve(lines.size());
  bool in_key = false;
  for (std::string_view line : lines) {
    const bool has_end = !line.empty() && line.back() == '\n';
    if (has_end) line.remove_suffix(1);
    std::string text = shown_line(line, in_key);
    text += has_end ? "\n" : "\n\\ No newline at end of file\n";
    shown.push_back(std::move(text));
  }
  return shown;
}

struct Hunk {
  std::size_t begin = 0, end = 0;  // of the edits
};

// Runs of changes with context on both sides, joined where the contexts meet.
std::vector<Hunk> hunks_of(const std::vector<LineEdit>& edits, std::size_t context) {
  std::vector<Hunk> hunks;
  for (std::size_t i = 0; i < edits.size(); ++i) {
    if (edits[i].kind == ' ') continue;
    const std::size_t begin = i > context ? i - context : 0;
    const std::size_t end = std::min(edits.size(), i + context + 1);
    if (!hunks.empty() && begin <= hunks.back().end)
      hunks.back().end = end;
    else
      hunks.push_back({begin, end});
  }
  return hunks;
}

std::string range_text(std::size_t start, std::size_t count) {
  const std::size_t first = count == 0 ? start : start + 1;
  return count == 1 ? fmt::format("{}", first) : fmt::format("{},{}", first, count);
}

}  // namespace

std::vector<LineEdit> line_edits(const std::vector<std::string_view>& before,
                                 const std::vector<std::string_view>& after) {
  const std::size_t shorter = std::min(before.size(), after.size());
  std::size_t head = 0, tail = 0;
  while (head < shorter && before[head] == after[head]) ++head;
  while (tail < shorter - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
    ++tail;
  std::unordered_map<std::string_view, std::uint32_t> known;
  const auto ids = [&](const std::vector<std::string_view>& lines) {
    Ids out;
    for (std::size_t i = head; i + tail < lines.size(); ++i)
      out.push_back(
          known.try_emplace(lines[i], static_cast<std::uint32_t>(known.size())).first->second);
    return out;
  };
  const Ids a = ids(before), b = ids(after);
  std::vector<LineEdit> edits;
  for (std::size_t i = 0; i < head; ++i) edits.push_back({' ', i, i});
  if (auto middle = shortest_edits(a, b)) {
    for (LineEdit edit : *middle) {
      edit.before += head;
      edit.after += head;
      edits.push_back(edit);
    }
  } else {
    for (std::size_t i = 0; i < a.size(); ++i) edits.push_back({'-', head + i, head});
    for (std::size_t i = 0; i < b.size(); ++i) edits.push_back({'+', head + a.size(), head + i});
  }
  for (std::size_t i = tail; i > 0; --i)
    edits.push_back({' ', before.size() - i, after.size() - i});
  return edits;
}

std::string unified_diff(std::string_view before, std::string_view after, std::string_view path,
                         std::size_t context_lines) {
  if (before == after) return {};
  const std::string name = escape_for_terminal(path);
  std::string out = fmt::format("--- {}\n+++ {}\n", name, name);
  const bool binary =
      before.find('\0') != std::string_view::npos || after.find('\0') != std::string_view::npos;
  if (binary) return out + "(binary content differs)\n";
  if (before.size() + after.size() > kMaxDiffBytes)
    return out + "(too large to show; they differ)\n";
  const auto old_lines = lines_of(before), new_lines = lines_of(after);
  const auto edits = line_edits(old_lines, new_lines);
  const auto old_shown = shown_lines(old_lines), new_shown = shown_lines(new_lines);
  std::size_t left_out = 0;
  for (const Hunk& hunk : hunks_of(edits, context_lines)) {
    std::string body;
    std::size_t removed = 0, added = 0, kept = 0;
    for (std::size_t i = hunk.begin; i < hunk.end; ++i) {
      const LineEdit& edit = edits[i];
      (edit.kind == '-' ? removed : edit.kind == '+' ? added : kept) += 1;
      if (out.size() + body.size() > kMaxDiffOutput) {
        ++left_out;
        continue;
      }
      body += edit.kind;
      body += edit.kind == '+' ? new_shown[edit.after] : old_shown[edit.before];
    }
    if (body.empty()) continue;
    out += fmt::format("@@ -{} +{} @@\n", range_text(edits[hunk.begin].before, removed + kept),
                       range_text(edits[hunk.begin].after, added + kept)) +
           body;
  }
  if (left_out > 0)
    out += fmt::format("({} more lines differ or surround differences)\n", left_out);
  return out;
}

}  // namespace hitless::confdiff
