#include "adapters/traffic/traefik_file.hpp"

#include <algorithm>
#include <array>
#include <ranges>
#include <vector>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr std::string_view kMark = "#drained-by-hitless ";
constexpr std::size_t kMaxLines = 100'000;

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}
bool is_blank(std::string_view line) {
  const std::string_view rest = line.substr(indent_of(line));
  return rest.empty() || rest == "\r" || rest.front() == '#';
}
bool is_ours(const std::string& line) {
  return line.compare(indent_of(line), kMark.size(), kMark) == 0;
}
std::string_view unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}
std::string_view without_comment(std::string_view text) {
  const std::size_t at = text.find(" #");
  return trim(at == std::string_view::npos ? text : text.substr(0, at));
}

// "key: value" of a line; the key without quotes.
struct Entry {
  std::string_view key, value;
};
std::optional<Entry> entry_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  if (colon + 1 < text.size() && text[colon + 1] != ' ' && text[colon + 1] != '\r')
    return std::nullopt;
  return Entry{unquoted(text.substr(0, colon)), without_comment(text.substr(colon + 1))};
}

// A server with all its lines; drained: they are commented out with our mark.
struct Item {
  std::size_t first = 0, end = 0;
  std::string url;
  bool drained = false;
};

class File {
 public:
  File(std::string_view text, std::string service)
      : lines_(split(std::string(text), '\n')), service_(std::move(service)) {}

  Status read() {
    if (lines_.size() > kMaxLines) return odd("it is too long");
    for (const std::string& line : lines_)
      if (line.substr(0, indent_of(line) + 1).find('\t') != std::string::npos)
        return odd("it is indented by tabs");
    std::size_t begin = 0, end = lines_.size();
    for (const std::string& key :
         std::array<std::string, 5>{"http", "services", service_, "loadBalancer", "servers"}) {
      auto found = child(begin, end, key);
      if (!found) return tl::unexpected(found.error());
      begin = found->first;
      end = found->second;
    }
    return read_items(begin, end);
  }
  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  [[nodiscard]] std::vector<std::string>& lines() { return lines_; }

 private:
  [[nodiscard]] tl::unexpected<Error> odd(const std::string& why) const {
    return fail(ErrorCode::refused, "the servers of " + service_ + " cannot be edited: " + why, {},
                "write them in block style, one `- url: …` for each server");
  }

  // The lines of a key's block, the key being in [begin, end) at the least indent there.
  Result<std::pair<std::size_t, std::size_t>> child(std::size_t begin, std::size_t end,
                                                    const std::string& key) const {
    std::size_t least = std::string::npos;
    for (std::size_t i = begin; i < end; ++i)
      if (!is_blank(lines_[i])) least = std::min(least, indent_of(lines_[i]));
    for (std::size_t i = begin; i < end; ++i) {
      if (is_blank(lines_[i]) || indent_of(lines_[i]) != least) continue;
      const auto entry = entry_of(trim(lines_[i]));
      if (!entry || entry->key != key) continue;
      if (!entry->value.empty()) return odd("`" + key + "` is not in block style");
      std::size_t last = i + 1;
      // A list may stand at the indent of its key.
      while (last < end && (is_blank(lines_[last]) || indent_of(lines_[last]) > least ||
                            (indent_of(lines_[last]) == least && trim(lines_[last])[0] == '-')))
        ++last;
      return std::pair{i + 1, last};
    }
    return fail(ErrorCode::not_found, "the file has no `" + escape_for_terminal(key) +
                                          "` where the servers of " + service_ + " should be");
  }

  // The line as it is without our mark.
  static std::pair<std::string, bool> bare(const std::string& line) {
    if (!is_ours(line)) return {line, false};
    const std::size_t at = indent_of(line);
    return {line.substr(0, at) + line.substr(at + kMark.size()), true};
  }

  Status read_items(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto [line, drained] = bare(lines_[i]);
      if (is_blank(line)) continue;
      std::string_view text = trim(line);
      if (text.starts_with("- ") || text == "-") {
        items_.push_back({i, i + 1, {}, drained});
        text = trim(text.substr(1));
      } else if (items_.empty() || items_.back().drained != drained) {
        return odd("a line belongs to no server: " + escape_for_terminal(truncate_utf8(text, 80)));
      }
      items_.back().end = i + 1;
      if (text.empty()) continue;
      const auto entry = entry_of(text);
      if (!entry || text.find_first_of("{}&*[]") == 0) return odd("it is not in block style");
      if (entry->key == "url") items_.back().url = unquoted(entry->value);
    }
    for (const Item& item : items_)
      if (item.url.empty()) return odd("a server without `url`");
    return {};
  }

  std::vector<std::string> lines_;
  std::string service_;
  std::vector<Item> items_;
};

Result<std::string> edited(std::string_view text, const std::string& service,
                           const std::string& url, bool in) {
  File file(text, service);
  if (Status ok = file.read(); !ok) return tl::unexpected(ok.error());
  std::vector<std::size_t> stale;
  for (const Item& item : file.items()) {
    if (item.url != url) continue;
    // Somebody wrote the server anew beside what we had commented out: one of them can come back.
    if (!in && item.drained)
      for (std::size_t i = item.first; i < item.end; ++i)
        if (is_ours(file.lines()[i])) stale.push_back(i);
    if (item.drained != in) continue;
    for (std::size_t i = item.first; i < item.end; ++i) {
      std::string& line = file.lines()[i];
      const std::size_t at = indent_of(line);
      if (in) {
        if (is_ours(line)) line.erase(at, kMark.size());
      } else if (!is_blank(line)) {
        line.insert(at, kMark);
      }
    }
  }
  for (const std::size_t i : stale | std::views::reverse)
    file.lines().erase(file.lines().begin() + static_cast<std::ptrdiff_t>(i));
  return join(file.lines(), "\n");
}

}  // namespace

Result<TraefikServer> find_traefik_server(std::string_view text, const std::string& service,
                                          const std::string& url) {
  File file(text, service);
  if (Status ok = file.read(); !ok) return tl::unexpected(ok.error());
  TraefikServer found;
  for (const Item& item : file.items()) {
    if (item.url != url) continue;
    bool& which = item.drained ? found.drained : found.in;
    if (which)
      return fail(ErrorCode::refused, escape_for_terminal(url) + " is listed more than once");
    which = true;
  }
  return found;
}

Result<std::string> drain_traefik_server(std::string_view text, const std::string& service,
                                         const std::string& url) {
  File file(text, service);
  if (Status ok = file.read(); !ok) return tl::unexpected(ok.error());
  const auto left = std::ranges::count_if(
      file.items(), [&](const Item& item) { return !item.drained && item.url != url; });
  if (left == 0)
    return fail(ErrorCode::refused,
                "service " + service + " would have no server left: every request would get 503");
  return edited(text, service, url, false);
}

Result<std::string> restore_traefik_server(std::string_view text, const std::string& service,
                                           const std::string& url) {
  return edited(text, service, url, true);
}

}  // namespace hitless::traffic
