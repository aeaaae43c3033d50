#include "adapters/service/include_scan.hpp"

#include <algorithm>
#include <optional>

#include "adapters/service/nginx_scan.hpp"
#include "base/text.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

// One setting that names a path, and where the path stands in the text.
struct Setting {
  std::string name;  // in small letters
  std::string path;
  std::size_t at = 0;
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string small(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// "Include /etc/x.conf", "ServerRoot \"/etc/apache2\"", "include = /etc/php/pool.d/*.conf".
std::optional<Setting> setting_of(std::string_view line, bool equals) {
  std::size_t at = 0;
  while (at < line.size() && is_blank(line[at])) ++at;
  const std::size_t begin = at;
  while (at < line.size() && !is_blank(line[at]) && !(equals && line[at] == '=')) ++at;
  Setting found{small(line.substr(begin, at - begin)), {}, 0};
  while (at < line.size() && (is_blank(line[at]) || (equals && line[at] == '='))) ++at;
  if (at >= line.size()) return std::nullopt;
  const char quote = line[at] == '"' || line[at] == '\'' ? line[at] : '\0';
  if (quote != '\0') ++at;
  found.at = at;
  while (at < line.size() && (quote != '\0' ? line[at] != quote : !is_blank(line[at]))) ++at;
  found.path = std::string(line.substr(found.at, at - found.at));
  return found;
}

bool is_include(Dialect dialect, const Setting& setting) {
  if (setting.path.empty() || setting.path.find("${") != std::string::npos) return false;
  if (setting.name == "include") return true;
  return dialect == Dialect::apache && setting.name == "includeoptional";
}

template <class Use>
void each_line(std::string_view text, Use use) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    use(text.substr(begin, end - begin), begin);
    begin = end + 1;
  }
}

ConfigFacts scan_lines(Dialect dialect, std::string_view text, const std::string& folder) {
  ConfigFacts facts;
  std::string base = folder;
  each_line(text, [&](std::string_view line, std::size_t) {
    const auto setting = setting_of(line, dialect == Dialect::php_fpm);
    if (!setting) return;
    if (dialect == Dialect::apache && setting->name == "serverroot") {
      facts.root = base = confdiff::absolute_path(setting->path, folder);
    }
    if (!is_include(dialect, *setting)) return;
    std::string path = setting->path;
    // php-fpm's relative includes start at a prefix that is built in.
    if (path.front() != '/' && dialect == Dialect::php_fpm) return;
    if (path.front() != '/') path = base + "/" + path;
    // Apache reads all files of a folder and of those below; one level is what people use.
    if (dialect == Dialect::apache && path.back() == '/') path += "*";
    facts.includes.push_back(std::move(path));
  });
  return facts;
}

}  // namespace

ConfigFacts scan_config(Dialect dialect, std::string_view text, const std::string& folder,
                        const std::string& prefix) {
  if (dialect == Dialect::plain) return {};
  if (dialect != Dialect::nginx) return scan_lines(dialect, text, folder);
  NginxFacts nginx = scan_nginx(text, folder, prefix);
  return {std::move(nginx.includes), {}, std::move(nginx.error_log), nginx.has_pid};
}

std::string rewrite_config(Dialect dialect, std::string_view text, const std::string& stage,
                           const std::set<std::string>& staged_paths) {
  if (dialect == Dialect::nginx) return rewrite_for_stage(text, stage, staged_paths);
  std::string out(text);
  if (dialect == Dialect::plain) return out;
  std::size_t added = 0;
  each_line(text, [&](std::string_view line, std::size_t begin) {
    const auto setting = setting_of(line, dialect == Dialect::php_fpm);
    if (!setting || setting->path.empty() || setting->path.front() != '/') return;
    const bool root = dialect == Dialect::apache && setting->name == "serverroot";
    if (!root && !is_include(dialect, *setting)) return;
    out.insert(begin + setting->at + added, stage);
    added += stage.size();
  });
  return out;
}

}  // namespace hitless::service
