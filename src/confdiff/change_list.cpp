#include "confdiff/change_list.hpp"

#include <algorithm>

namespace hitless::confdiff {

void ChangeList::add(Change change) {
  if (changes_.size() < kMaxChanges) {
    changes_.push_back(std::move(change));
    return;
  }
  ++left_out_;
  left_out_class_ = std::max(left_out_class_, change.change_class);
}

std::vector<Change> ChangeList::take() {
  if (left_out_ > 0) {
    Change rest;
    rest.path = std::to_string(left_out_) + " more changes";
    rest.change_class = left_out_class_;
    rest.reason = "too many changes to list";
    changes_.push_back(std::move(rest));
    left_out_ = 0;
  }
  return std::move(changes_);
}

}  // namespace hitless::confdiff
