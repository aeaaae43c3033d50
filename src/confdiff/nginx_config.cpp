// nginx as a whole: the two trees, then the files that are not part of them.
#include <set>
#include <unordered_map>

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/nginx_diff.hpp"
#include "confdiff/parts.hpp"

namespace hitless::confdiff {
namespace {

// Directive that names each file by an operand, relative to the folder of the main file as nginx
// reads certificates, password files and code.
using Mentions = std::unordered_map<std::string, std::string>;

void note_mentions(const std::vector<NginxNode>& nodes, const std::string& folder,
                   const Files& files, Mentions& found) {
  for (const NginxNode& node : nodes) {
    for (const std::string& arg : node.args) {
      if (arg.size() > 4096 || arg.find('.') == std::string::npos) continue;
      const std::string path = absolute_path(arg, folder);
      if (files.contains(path)) found.try_emplace(path, node.name);
    }
    note_mentions(node.block, folder, files, found);
  }
}

bool is_code(const std::string& path) {
  return path.ends_with(".lua") || path.ends_with(".js") || path.ends_with(".pm");
}

Change other_file(const std::string& path, const Mentions& mentions) {
  Change change;
  change.path = path;
  change.file = path;
  change.topic = Topic::file;
  const auto found = mentions.find(path);
  if (found == mentions.end()) {
    change.change_class = is_code(path) ? ChangeClass::reload_watch : ChangeClass::none;
    change.reason = is_code(path) ? "code that the configuration may load"
                                  : "not part of the configuration: nothing includes or names it";
    return change;
  }
  const bool tls = found->second.find("ssl_") != std::string::npos;
  change.topic = tls ? Topic::tls : Topic::file;
  change.change_class = tls ? ChangeClass::reload : ChangeClass::reload_watch;
  change.reason = "content of the file that " + truncate_utf8(redact(found->second), 60) + " names";
  return change;
}

void add_other_files(const NginxTree& old_tree, const NginxTree& new_tree, const Files& before,
                     const Files& after, const std::string& folder, DiffResult& result) {
  std::set<std::string> included(old_tree.files.begin(), old_tree.files.end());
  included.insert(new_tree.files.begin(), new_tree.files.end());
  Mentions mentions;
  note_mentions(old_tree.root, folder, before, mentions);
  note_mentions(new_tree.root, folder, after, mentions);
  for_each_changed_file(
      before, after,
      [&](const std::string& path, const std::string* old_one, const std::string* new_one) {
        if (included.contains(path)) return;
        Change change = other_file(path, mentions);
        if (old_one == nullptr) change.kind = ChangeKind::added;
        if (new_one == nullptr) change.kind = ChangeKind::removed;
        if (result.changes.size() < 2 * ChangeList::kMaxChanges)
          result.changes.push_back(std::move(change));
      });
}

}  // namespace

DiffResult diff_nginx(const Files& before, const Files& after, const std::string& main_path,
                      const Context& context) {
  DiffResult result;
  auto old_tree = parse_nginx(before, main_path);
  auto new_tree = parse_nginx(after, main_path);
  if (!old_tree) {
    result.before_error = old_tree.error();
    result.changes.push_back(broken_before(old_tree.error()));
  }
  if (!new_tree) {
    result.after_error = new_tree.error();
    result.changes.push_back(broken_after(new_tree.error()));
  }
  if (!old_tree || !new_tree) return result;
  result.changes = diff_nginx_trees(*old_tree, *new_tree, context);
  add_other_files(*old_tree, *new_tree, before, after, folder_of(main_path), result);
  add_layout_changes(before, after, result);
  return result;
}

}  // namespace hitless::confdiff
