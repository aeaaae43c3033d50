// Collects changes under a limit. What no longer fits is counted by topic, so that neither its
// class nor what it is about is ever lost.
#pragma once
#include <map>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

class ChangeList {
 public:
  static constexpr std::size_t kMaxChanges = 5000;

  void add(Change change);
  [[nodiscard]] std::vector<Change> take();  // with one more entry for each topic left out

 private:
  struct LeftOut {
    std::size_t count = 0;
    ChangeClass change_class = ChangeClass::none;
  };
  std::vector<Change> changes_;
  std::map<Topic, LeftOut> left_out_;
};

}  // namespace hitless::confdiff
