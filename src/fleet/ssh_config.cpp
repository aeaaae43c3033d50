#include "fleet/ssh_config.hpp"

#include <fmt/format.h>
#include <glob.h>

#include <cstdlib>

#include "base/text.hpp"
#include "fleet/words.hpp"

namespace hitless::fleet {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string home() {
  const char* folder = std::getenv("HOME");
  return folder != nullptr ? folder : "/root";
}

bool selected(std::string_view name, const std::vector<std::string>& patterns) {
  bool found = false;
  for (const auto& pattern : patterns) {
    const bool negated = !pattern.empty() && pattern.front() == '!';
    if (!matches_pattern(name, std::string_view(pattern).substr(negated ? 1 : 0))) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

}  // namespace

// Greedy with one point to return to: linear in text × pattern, no recursion.
bool matches_pattern(std::string_view text, std::string_view pattern) {
  std::size_t t = 0, p = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++t;
      ++p;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct SshConfig::Reader {
  SshConfig& config;
  Diagnostics& diagnostics;
  int files = 0;

  void read(const std::string& path, int depth, std::vector<std::string> patterns) {
    Source source;
    if (++files > kMaxFiles || !Source::read(path, path, diagnostics, source)) return;
    for (int number = 1; number <= source.line_count(); ++number) {
      const auto words = split_words(source.line(number), WordStyle::ssh);
      if (words.size() < 2) continue;
      const std::string keyword = lowered(words[0]);
      if (keyword == "host") {
        patterns.assign(words.begin() + 1, words.end());
      } else if (keyword == "match") {
        // A condition that only ssh can judge: nothing below it is known to hold.
        patterns =
            lowered(words[1]) == "all" ? std::vector<std::string>{"*"} : std::vector<std::string>{};
      } else if (keyword == "include") {
        include(words, source, number, depth, patterns);
      } else if (keyword == "hostname" || keyword == "user" || keyword == "port") {
        config.options_.push_back({patterns, keyword, words[1]});
      }
    }
  }

  void include(const std::vector<std::string>& words, const Source& source, int number, int depth,
               const std::vector<std::string>& patterns) {
    if (depth >= kMaxDepth || files >= kMaxFiles) {
      diagnostics.add(source.warning(
          "HL0605", Span{number, 1, 7},
          fmt::format("more than {} levels or {} files of Include", kMaxDepth, kMaxFiles),
          "not followed"));
      return;
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::string path = words[i];
      if (path.compare(0, 2, "~/") == 0)
        path = home() + path.substr(1);
      else if (path.empty() || path.front() != '/')
        path = home() + "/.ssh/" + path;
      glob_t found{};
      if (::glob(path.c_str(), 0, nullptr, &found) == 0)
        for (std::size_t k = 0; k < found.gl_pathc && files < kMaxFiles; ++k)
          read(found.gl_pathv[k], depth + 1, patterns);
      ::globfree(&found);
    }
  }
};

SshConfig SshConfig::load(const std::string& path, Diagnostics& diagnostics) {
  SshConfig config;
  Reader{config, diagnostics}.read(path, 0, {"*"});
  return config;
}

SshConfig::Entry SshConfig::lookup(std::string_view name) const {
  Entry entry;
  for (const auto& option : options_) {
    std::string& slot = option.keyword == "hostname" ? entry.host_name
                        : option.keyword == "user"   ? entry.user
                                                     : entry.port;
    if (slot.empty() && selected(name, option.patterns)) slot = option.value;
  }
  // %h is the name as given, %% a percent sign.
  std::string expanded;
  for (std::size_t i = 0; i < entry.host_name.size(); ++i) {
    const char c = entry.host_name[i],
               next = i + 1 < entry.host_name.size() ? entry.host_name[i + 1] : '\0';
    if (c == '%' && next == 'h')
      expanded += name;
    else if (c == '%' && next == '%')
      expanded += '%';
    else {
      expanded += c;
      continue;
    }
    ++i;
  }
  entry.host_name = std::move(expanded);
  return entry;
}

}  // namespace hitless::fleet
