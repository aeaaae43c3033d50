#include "confdiff/haproxy.hpp"

#include <array>

namespace hitless::confdiff {
namespace {

constexpr std::array<std::string_view, 19> kSections = {
    "global",      "defaults",  "frontend", "backend",     "listen",     "peers",   "resolvers",
    "userlist",    "mailers",   "cache",    "http-errors", "fcgi-app",   "program", "ring",
    "log-forward", "crt-store", "traces",   "acme",        "log-profile"};

bool is_section(std::string_view word) {
  for (const auto one : kSections)
    if (one == word) return true;
  return false;
}

class LineReader {
 public:
  LineReader(std::string_view text, HaproxyLine& out) : text_(text), out_(out) {}

  // The column (from 1) of what is wrong and why, or 0.
  int read(std::string& why) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
        continue;
      }
      if (c == '#') return 0;
      if (out_.words.empty()) out_.column = static_cast<int>(at_) + 1;
      if (out_.words.size() >= kMaxHaproxyWords) {
        why = "too many words on one line";
        return static_cast<int>(at_) + 1;
      }
      if (const int column = read_word(why)) return column;
    }
    return 0;
  }

 private:
  int read_word(std::string& why) {
    std::string word;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '#') break;
      if (c == '\\' && at_ + 1 < text_.size()) {
        word += text_[at_ + 1];
        at_ += 2;
      } else if (c == '"' || c == '\'') {
        const std::size_t opened = at_++;
        while (at_ < text_.size() && text_[at_] != c) {
          if (c == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
          word += text_[at_++];
        }
        if (at_ >= text_.size()) {
          why = std::string("unmatched quote (") + c + ")";
          return static_cast<int>(opened) + 1;
        }
        ++at_;
      } else {
        word += c;
        ++at_;
      }
    }
    out_.words.push_back(std::move(word));
    return 0;
  }

  std::string_view text_;
  HaproxyLine& out_;
  std::size_t at_ = 0;
};

tl::unexpected<ParseError> broken_at(const Files& files, const std::string& file, int line,
                                     int column, std::string what) {
  ParseError error;
  error.what = std::move(what);
  error.file = file;
  error.line = line;
  error.column = column;
  if (const auto found = files.find(file); found != files.end()) {
    error.excerpt = excerpt_of(found->second, line, column);
  }
  return tl::unexpected<ParseError>(std::move(error));
}

tl::expected<void, ParseError> parse_file(const Files& files, const std::string& path,
                                          std::vector<HaproxySection>& out, std::size_t& lines) {
  std::string_view rest = files.at(path);
  if (rest.size() > kMaxHaproxyBytes) return broken_at(files, path, 1, 1, "file is too large");
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (++lines > kMaxHaproxyLines) return broken_at(files, path, number, 1, "too many lines");
    HaproxyLine line;
    line.file = path;
    line.line = number;
    std::string why;
    if (const int column = LineReader(text, line).read(why)) {
      return broken_at(files, path, number, column, why);
    }
    if (line.words.empty()) continue;
    if (is_section(line.words[0])) {
      HaproxySection section;
      section.kind = line.words[0];
      if (line.words.size() > 1) section.name = line.words[1];
      section.head = std::move(line);
      out.push_back(std::move(section));
    } else if (out.empty()) {
      return broken_at(files, path, number, line.column,
                       "\"" + line.words[0] + "\" stands outside of any section");
    } else {
      out.back().lines.push_back(std::move(line));
    }
  }
  return {};
}

}  // namespace

tl::expected<std::vector<HaproxySection>, ParseError> parse_haproxy(const Files& files,
                                                                    const std::string& main_path) {
  if (!files.contains(main_path)) {
    return broken_at(files, main_path, 0, 0, "the main configuration file is not among the files");
  }
  std::vector<HaproxySection> sections;
  std::size_t lines = 0;
  if (auto good = parse_file(files, main_path, sections, lines); !good) {
    return tl::unexpected<ParseError>(std::move(good.error()));
  }
  for (const auto& [path, content] : files) {
    if (path == main_path || !path.ends_with(".cfg")) continue;
    if (auto good = parse_file(files, path, sections, lines); !good) {
      return tl::unexpected<ParseError>(std::move(good.error()));
    }
  }
  return sections;
}

}  // namespace hitless::confdiff
