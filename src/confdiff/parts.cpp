#include "confdiff/parts.hpp"

#include <fmt/format.h>

#include "confdiff/change_list.hpp"

namespace hitless::confdiff {
namespace {

Change broken(const ParseError& error) {
  Change change;
  change.file = error.file;
  change.line = error.line;
  change.column = error.column;
  change.topic = Topic::error;
  return change;
}

std::string bytes_of(const std::string* content) {
  return content == nullptr ? "" : fmt::format("{} bytes", content->size());
}

struct Judgement {
  ChangeClass change_class;
  Topic topic;
  const char* reason;
};

// Each changed file as one change, all judged alike.
std::vector<Change> changed_files(const Files& before, const Files& after,
                                  const Judgement& judgement) {
  ChangeList list;
  for_each_changed_file(
      before, after,
      [&](const std::string& path, const std::string* old_one, const std::string* new_one) {
        Change change;
        change.kind = old_one == nullptr   ? ChangeKind::added
                      : new_one == nullptr ? ChangeKind::removed
                                           : ChangeKind::changed;
        change.path = path;
        change.file = path;
        change.before = bytes_of(old_one);
        change.after = bytes_of(new_one);
        change.change_class = judgement.change_class;
        change.topic = judgement.topic;
        change.reason = judgement.reason;
        list.add(std::move(change));
      });
  return list.take();
}

}  // namespace

Change broken_before(const ParseError& error) {
  Change change = broken(error);
  change.path = "what is on disk does not parse";
  change.before = error.what;
  change.change_class = ChangeClass::restart;
  change.reason = "what runs cannot be told from the disk";
  return change;
}

Change broken_after(const ParseError& error) {
  Change change = broken(error);
  change.path = "the new configuration does not parse";
  change.after = error.what;
  change.change_class = ChangeClass::human_only;
  change.reason = error.what;
  return change;
}

void add_layout_changes(const Files& before, const Files& after, DiffResult& result) {
  if (!result.changes.empty()) return;
  result.changes = changed_files(
      before, after, {ChangeClass::none, Topic::layout, "comments, layout or order only"});
}

DiffResult diff_text_files(const Files& before, const Files& after) {
  DiffResult result;
  result.changes =
      changed_files(before, after,
                    {ChangeClass::restart, Topic::file,
                     "its format is not known, so a reload is not trusted to apply it"});
  return result;
}

}  // namespace hitless::confdiff
