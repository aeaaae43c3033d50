// Collects changes under a limit. What no longer fits is counted, and its class is never lost.
#pragma once
#include <string>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

class ChangeList {
 public:
  static constexpr std::size_t kMaxChanges = 5000;

  void add(Change change);
  [[nodiscard]] bool empty() const { return changes_.empty() && left_out_ == 0; }
  [[nodiscard]] std::vector<Change> take();  // with one more entry for those left out

 private:
  std::vector<Change> changes_;
  std::size_t left_out_ = 0;
  ChangeClass left_out_class_ = ChangeClass::none;
};

}  // namespace hitless::confdiff
