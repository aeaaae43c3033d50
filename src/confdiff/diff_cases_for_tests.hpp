// Tables of changes for tests: before, after, what is said. Used by tests only.
#pragma once
#include <string>

#include "confdiff/config_diff.hpp"

namespace hitless::confdiff {

struct Case {
  const char* before;
  const char* after;
  const char* expected;
};

// "+ path|before|after|class", one line for each change.
inline std::string told(const DiffResult& result) {
  std::string out;
  for (const Change& change : result.changes) {
    out += change.kind == ChangeKind::added     ? "+ "
           : change.kind == ChangeKind::removed ? "- "
                                                : "~ ";
    out += change.path + "|" + change.before + "|" + change.after + "|" +
           name_of(change.change_class) + "\n";
  }
  return out;
}

}  // namespace hitless::confdiff
