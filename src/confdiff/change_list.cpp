#include "confdiff/change_list.hpp"

#include <algorithm>

namespace hitless::confdiff {

void ChangeList::add(Change change) {
  if (changes_.size() < kMaxChanges) {
    changes_.push_back(std::move(change));
    return;
  }
  LeftOut& rest = left_out_[change.topic];
  ++rest.count;
  rest.change_class = std::max(rest.change_class, change.change_class);
}

std::vector<Change> ChangeList::take() {
  for (const auto& [topic, left_out] : left_out_) {
    Change rest;
    rest.path = std::to_string(left_out.count) + " more changes: " + name_of(topic);
    rest.change_class = left_out.change_class;
    rest.topic = topic;
    rest.reason = "too many changes to list";
    changes_.push_back(std::move(rest));
  }
  left_out_.clear();
  return std::move(changes_);
}

}  // namespace hitless::confdiff
