#include "confdiff/nginx_rebase.hpp"

#include <array>
#include <map>
#include <set>

#include "confdiff/glob.hpp"
#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {
namespace {

std::string without_end_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string moved(const std::string& path, const std::string& from_dir, const std::string& to_dir) {
  return to_dir + path.substr(from_dir == "/" ? 0 : from_dir.size());
}

// Directives whose operand nginx takes relative to the folder of the main file.
bool names_conf_file(const std::string& name) {
  static constexpr std::array<std::string_view, 12> names = {
      "auth_basic_user_file", "js_import",    "js_path",
      "geoip_country",        "geoip_city",   "geoip_org",
      "auth_jwt_key_file",    "perl_require", "xslt_stylesheet",
      "xml_entities",         "geoip2",       "ssl_engine_conf"};
  for (const auto one : names)
    if (name == one) return true;
  if (name.find("ssl_") == std::string::npos && !name.starts_with("ssl_")) return false;
  for (const std::string_view end :
       {"_certificate", "_certificate_key", "_crl", "_dhparam", "_file", "_ticket_key"})
    if (name.ends_with(end)) return true;
  return false;
}

void note_needs(const std::vector<NginxNode>& nodes, const Files& files, const std::string& folder,
                std::set<std::string>& needs) {
  for (const NginxNode& node : nodes) {
    note_needs(node.block, files, folder, needs);
    if (!names_conf_file(node.name)) continue;
    for (const std::string& arg : node.args) {
      const bool is_path = !arg.empty() && arg[0] != '/' && arg != "from" && arg != "on" &&
                           arg != "off" && arg.find_first_of("$:") == std::string::npos;
      if (is_path && !files.contains(absolute_path(arg, folder))) needs.insert(arg);
    }
  }
}

}  // namespace

Files rebase_nginx(const Files& files, const std::string& main_path, const std::string& from_dir,
                   const std::string& to_dir) {
  const std::string from = without_end_slash(from_dir), to = without_end_slash(to_dir);
  const NginxParse parse = parse_nginx_partly(files, main_path);
  // A file that is included often has its includes listed as often: once for each place is enough.
  std::map<std::string, std::map<std::size_t, const NginxInclude*>> edits;
  for (const NginxInclude& include : parse.tree.includes) {
    if (include.written.empty() || include.written[0] != '/') continue;
    if (!is_under(include.pattern, from)) continue;
    edits[parse.tree.files[static_cast<std::size_t>(include.file)]][include.begin] = &include;
  }
  Files result;
  for (const auto& [path, content] : files) {
    std::string text = content;
    if (const auto found = edits.find(path); found != edits.end()) {
      for (auto edit = found->second.rbegin(); edit != found->second.rend(); ++edit) {
        const NginxInclude& include = *edit->second;
        text.replace(include.begin, include.end - include.begin,
                     quote_nginx_word(moved(include.pattern, from, to)));
      }
    }
    result[is_under(path, from) ? moved(path, from, to) : path] = std::move(text);
  }
  return result;
}

std::vector<std::string> staging_needs(const Files& files, const std::string& main_path) {
  const NginxParse parse = parse_nginx_partly(files, main_path);
  std::set<std::string> needs;
  note_needs(parse.tree.root, files, folder_of(main_path), needs);
  return {needs.begin(), needs.end()};
}

}  // namespace hitless::confdiff
