#include "confdiff/glob.hpp"

#include <cctype>
#include <filesystem>

namespace hitless::confdiff {
namespace {

bool in_class(std::string_view name, unsigned char c) {
  if (name == "alpha") return std::isalpha(c) != 0;
  if (name == "digit") return std::isdigit(c) != 0;
  if (name == "alnum") return std::isalnum(c) != 0;
  if (name == "upper") return std::isupper(c) != 0;
  if (name == "lower") return std::islower(c) != 0;
  if (name == "punct") return std::ispunct(c) != 0;
  if (name == "space") return std::isspace(c) != 0;
  if (name == "xdigit") return std::isxdigit(c) != 0;
  return false;
}

// One '[…]' at pattern[0]; sets length to its size, or 0 when it is not closed (a plain '[' then).
bool match_bracket(std::string_view pattern, char c, std::size_t& length) {
  std::size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool matched = false;
  for (bool first = true; i < pattern.size(); first = false) {
    if (pattern[i] == ']' && !first) {
      length = i + 1;
      return matched != negated;
    }
    if (pattern.substr(i, 2) == "[:") {
      const std::size_t close = pattern.find(":]", i + 2);
      if (close != std::string_view::npos) {
        matched |= in_class(pattern.substr(i + 2, close - i - 2), static_cast<unsigned char>(c));
        i = close + 2;
        continue;
      }
    }
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = pattern[i + 1];
      i += 2;
    }
    matched |= low <= c && c <= high;
  }
  length = 0;
  return false;
}

// Does the pattern's first element match c? Sets length to the element's size.
bool match_one(std::string_view pattern, char c, std::size_t& length) {
  length = 1;
  if (pattern[0] == '?') return true;
  if (pattern[0] == '[') {
    const bool matched = match_bracket(pattern, c, length);
    if (length > 0) return matched;
    length = 1;
    return c == '[';
  }
  if (pattern[0] == '\\' && pattern.size() > 1) {
    length = 2;
    return pattern[1] == c;
  }
  return pattern[0] == c;
}

// One path component. Backtracks only to the last '*', which is enough and keeps it linear.
bool match_component(std::string_view pattern, std::string_view name) {
  if (!name.empty() && name[0] == '.' && !pattern.empty() && pattern[0] != '.' &&
      pattern.substr(0, 2) != "\\.") {
    return false;
  }
  std::size_t p = 0, n = 0, star = std::string_view::npos, star_name = 0;
  while (n < name.size()) {
    std::size_t length = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
    } else if (p < pattern.size() && match_one(pattern.substr(p), name[n], length)) {
      p += length;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool has_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

std::string_view glob_literal_prefix(std::string_view pattern) {
  return pattern.substr(0, pattern.find_first_of("*?[\\"));
}

bool glob_match(std::string_view pattern, std::string_view path) {
  for (;;) {
    const std::size_t p = pattern.find('/');
    const std::size_t n = path.find('/');
    if ((p == std::string_view::npos) != (n == std::string_view::npos)) return false;
    if (!match_component(pattern.substr(0, p), path.substr(0, n))) return false;
    if (p == std::string_view::npos) return true;
    pattern.remove_prefix(p + 1);
    path.remove_prefix(n + 1);
  }
}

std::string absolute_path(std::string_view path, std::string_view folder) {
  std::filesystem::path result(path);
  if (!result.is_absolute()) result = std::filesystem::path(folder) / result;
  return result.lexically_normal().string();
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

bool is_under(std::string_view path, std::string_view folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.remove_suffix(1);
  if (folder == "/") return !path.empty() && path.front() == '/';
  if (path.substr(0, folder.size()) != folder) return false;
  return path.size() == folder.size() || path[folder.size()] == '/';
}

}  // namespace hitless::confdiff
