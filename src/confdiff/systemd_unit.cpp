#include "confdiff/systemd_unit.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "confdiff/glob.hpp"

namespace hitless::confdiff {
namespace {

tl::unexpected<ParseError> broken_at(const std::string& file, std::string_view content, int line,
                                     int column, std::string what) {
  ParseError error;
  error.what = std::move(what);
  error.file = file;
  error.line = line;
  error.column = column;
  error.excerpt = excerpt_of(content, line, column);
  return tl::unexpected<ParseError>(std::move(error));
}

// /etc, then /run, then the rest: smaller wins.
int rank_of(const std::string& path) {
  if (path.starts_with("/etc/")) return 0;
  return path.starts_with("/run/") ? 1 : 2;
}

// Files that apply, in the order in which systemd reads them. unit itself comes first.
std::vector<std::string> ordered_files(const Files& files, const std::string& main_path) {
  const std::string unit = base_name(main_path);
  const std::string type = unit.substr(std::min(unit.rfind('.'), unit.size()));
  std::string best = main_path;
  std::map<std::string, std::string> drop_ins;  // file name → path of the highest rank
  for (const auto& [path, content] : files) {
    const std::string name = base_name(path), folder = folder_of(path);
    if (name == unit && (!files.contains(best) || rank_of(path) < rank_of(best))) best = path;
    if (!name.ends_with(".conf") || !folder.ends_with(".d")) continue;
    std::string owner = base_name(folder);
    owner.resize(owner.size() - 2);
    const bool dash_prefix = owner.ends_with("-" + type) &&
                             unit.starts_with(owner.substr(0, owner.size() - type.size()));
    const bool instance =
        unit.find('@') != std::string::npos && owner == unit.substr(0, unit.find('@') + 1) + type;
    if (owner != unit && owner != type.substr(std::min<std::size_t>(1, type.size())) &&
        !dash_prefix && !instance) {
      continue;
    }
    const auto [place, fresh] = drop_ins.try_emplace(name, path);
    if (!fresh && rank_of(path) < rank_of(place->second)) place->second = path;
  }
  std::vector<std::string> ordered{best};
  for (const auto& [name, path] : drop_ins) ordered.push_back(path);
  return ordered;
}

class UnitReader {
 public:
  UnitReader(const std::string& file, std::string_view content, UnitSettings& out,
             std::size_t& values)
      : file_(file), content_(content), out_(out), values_(values) {}

  tl::expected<void, ParseError> read() {
    if (content_.size() > kMaxUnitBytes)
      return broken_at(file_, content_, 1, 1, "file is too large");
    std::string_view rest = content_;
    std::string joined;
    int number = 0, started = 0;
    while (!rest.empty()) {
      ++number;
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      const std::string_view text = trim(line);
      // Comments may stand between continued lines.
      if (!text.empty() && (text[0] == '#' || text[0] == ';')) continue;
      if (joined.empty()) started = number;
      if (!line.empty() && line.back() == '\\') {
        joined += std::string(line.substr(0, line.size() - 1)) + ' ';
        continue;
      }
      joined += line;
      if (auto good = take(joined, started); !good) return good;
      joined.clear();
    }
    return joined.empty() ? tl::expected<void, ParseError>{} : take(joined, started);
  }

 private:
  tl::expected<void, ParseError> take(std::string_view line, int number) {
    const std::string_view text = trim(line);
    if (text.empty()) return {};
    const int column = static_cast<int>(text.data() - line.data()) + 1;
    if (text[0] == '[') {
      if (text.back() != ']') return broken_at(file_, content_, number, column, "\"]\" is missing");
      section_ = text.substr(1, text.size() - 2);
      return {};
    }
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return broken_at(file_, content_, number, column, "expected [Section] or Key=value");
    }
    if (section_.empty()) {
      return broken_at(file_, content_, number, column, "a setting outside of any section");
    }
    if (++values_ > kMaxUnitValues)
      return broken_at(file_, content_, number, column, "too many settings");
    const std::string key(trim(text.substr(0, equals)));
    add(key, std::string(trim(text.substr(equals + 1))), number, column);
    return {};
  }

  void add(const std::string& key, std::string value, int number, int column) {
    auto& values = out_[section_ + "/" + key];
    const bool list = is_unit_list(section_, key);
    if (value.empty() || !list) values.clear();
    if (value.empty()) return;
    values.push_back({std::move(value), file_, number, column});
  }

  const std::string& file_;
  std::string_view content_;
  UnitSettings& out_;
  std::size_t& values_;
  std::string section_;
};

}  // namespace

tl::expected<UnitSettings, ParseError> parse_systemd_unit(const Files& files,
                                                          const std::string& main_path) {
  UnitSettings settings;
  std::size_t values = 0;
  const auto ordered = ordered_files(files, main_path);
  if (!files.contains(ordered.front())) {
    ParseError error;
    error.what = "the unit file is not among the files";
    error.file = main_path;
    return tl::unexpected<ParseError>(std::move(error));
  }
  for (const std::string& path : ordered) {
    if (auto good = UnitReader(path, files.at(path), settings, values).read(); !good) {
      return tl::unexpected<ParseError>(std::move(good.error()));
    }
  }
  std::erase_if(settings, [](const auto& entry) { return entry.second.empty(); });
  return settings;
}

}  // namespace hitless::confdiff
